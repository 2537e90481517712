//! What the records of one app say, of several targets and several manifests.

use std::sync::Arc;

use flyte_schema::flyteidl2::app::App;
use serde_json::json;

use super::{Place, Records};
use crate::model::{Activation, AppName, Digest, Mask, Scope, Version};
use crate::port::memory::{MemoryFiles, MemoryReleases};
use crate::release::{Event, Kind, Release, Written};

const HERE: Place<'_> = Place { target: "staging", endpoint: Some("dns:///a") };

fn scope() -> Scope {
    Scope { org: String::new(), project: "p".into(), domain: "d".into() }
}

fn name() -> AppName {
    AppName::new("web").unwrap()
}

struct Store {
    store: Arc<MemoryReleases>,
    /// Seconds since the beginning.
    now: i64,
}

impl Store {
    fn of(&self, owner: &str) -> Records {
        Records::new(self.store.clone(), &scope(), owner, Arc::new(MemoryFiles::default()))
    }

    /// Adds an event of a manifest at a place; what is applied is told by its image.
    async fn add(&mut self, owner: &str, kind: Kind, image: &str, target: &str, endpoint: &str) {
        self.now += 1;
        let at = jiff::Timestamp::from_second(1_767_225_600 + self.now).unwrap();
        let version = Version { digest: Digest::of(image.as_bytes()), label: None };
        let (target, endpoint) = (target.to_owned(), endpoint.to_owned());
        let (by, tool) = ("me@here".to_owned(), "0.1.0".to_owned());
        let event = Event {
            event: kind,
            app: name(),
            at,
            by: by.clone(),
            version: Some(version.clone()),
            release: None,
            commit: None,
            target: target.clone(),
            endpoint: endpoint.clone(),
        };
        if !kind.sets_release() {
            return self.of(owner).append(&event).await.unwrap();
        }
        let sent: App = flyte_schema::from_json(json!({ "spec": { "container": { "image": image } } })).unwrap();
        let written = Written { at, by, target, endpoint, tool };
        let release = Release::new(scope().app(&name()), &Mask::new(owner), version, Activation::Auto, &sent, written);
        self.of(owner).add(&release, None, event).await.unwrap();
    }

    async fn claim(&self, place: Place<'_>) -> Option<String> {
        let records = self.of("shop");
        let set = records.read().await.unwrap();
        let (name, releases) = (name(), set.apps.get(&name())?);
        let claims = records.claims(&[(&name, releases)], place).await.unwrap();
        claims.get(&name)?.image().map(str::to_owned)
    }
}

fn store() -> Store {
    Store { store: Arc::default(), now: 0 }
}

#[tokio::test]
async fn the_last_release_of_a_target_is_claimed_whatever_others_had_since() {
    let mut store = store();
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::Applied, "web:1", "staging", "dns:///a").await;
    store.add("shop", Kind::Applied, "web:2", "production", "dns:///b").await;
    store.add("shop", Kind::Activated, "web:1", "staging", "dns:///a").await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    let elsewhere = Place { endpoint: Some("dns:///moved"), ..HERE };
    assert_eq!(store.claim(elsewhere).await, None);
    assert_eq!(store.claim(Place { endpoint: None, ..HERE }).await.as_deref(), Some("web:1"));
    assert_eq!(store.claim(Place { target: "local", endpoint: None }).await, None);
}

#[tokio::test]
async fn nothing_is_claimed_that_was_deleted_there_or_taken_by_another_manifest() {
    let mut store = store();
    store.add("shop", Kind::Applied, "web:1", "staging", "dns:///a").await;
    store.add("shop", Kind::Deleted, "web:1", "production", "dns:///b").await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    store.add("shop", Kind::Deleted, "web:1", "staging", "dns:///a").await;
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::RolledBack, "web:1", "staging", "dns:///a").await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    store.add("blog", Kind::Applied, "web:9", "staging", "dns:///a").await;
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::Applied, "web:3", "staging", "dns:///a").await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:3"));
}
