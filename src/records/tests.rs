//! What the records of one app say, of several targets and several manifests.

use std::sync::Arc;

use flyte_schema::flyteidl2::app::App;
use serde_json::json;

use super::Records;
use crate::model::{Activation, AppName, Digest, Mask, Scope, Version};
use crate::port::memory::{MemoryFiles, MemoryReleases};
use crate::release::{Event, Kind, Place, Release, Written};

const HERE: (&str, &str) = ("staging", "dns:///a.example.com");

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
    fn of(&self, owner: &str, (target, endpoint): (&str, &str)) -> Records {
        let place = Place::remote(target, endpoint);
        Records::new(self.store.clone(), &scope(), owner, place, Arc::new(MemoryFiles::default()))
    }

    /// Adds an event of a manifest at a place; what is applied is told by its image.
    async fn add(&mut self, owner: &str, kind: Kind, image: &str, (target, endpoint): (&str, &str)) {
        self.now += 1;
        let at = jiff::Timestamp::from_second(1_767_225_600 + self.now).unwrap();
        let version = Version { digest: Digest::of(image.as_bytes()), label: None };
        let records = self.of(owner, (target, endpoint));
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
            return records.append(&event).await.unwrap();
        }
        let sent: App = flyte_schema::from_json(json!({ "spec": { "container": { "image": image } } })).unwrap();
        let written = Written { at, by, target, endpoint, tool };
        let release = Release::new(scope().app(&name()), &Mask::new(owner), version, Activation::Auto, &sent, written);
        records.add(&release, None, event).await.unwrap();
    }

    async fn claim(&self, place: (&str, &str)) -> Option<String> {
        let records = self.of("shop", place);
        let set = records.read().await.unwrap();
        let (name, releases) = (name(), set.apps.get(&name())?);
        let claims = records.claims(&[(&name, releases)]).await.unwrap();
        claims.get(&name)?.image().map(str::to_owned)
    }
}

fn store() -> Store {
    Store { store: Arc::default(), now: 0 }
}

const THERE: (&str, &str) = ("production", "dns:///b.example.com");

#[tokio::test]
async fn the_last_release_of_a_place_is_claimed_whatever_others_had_since() {
    let mut store = store();
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::Applied, "web:1", HERE).await;
    store.add("shop", Kind::Applied, "web:2", THERE).await;
    store.add("shop", Kind::Activated, "web:1", HERE).await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    assert_eq!(store.claim(THERE).await.as_deref(), Some("web:2"));
    assert_eq!(store.claim((HERE.0, "dns:///moved.example.com")).await, None);
    // The same control plane under another name.
    assert_eq!(store.claim(("config", "https://a.example.com/")).await.as_deref(), Some("web:1"));
}

#[tokio::test]
async fn nothing_is_claimed_that_was_deleted_there_or_taken_by_another_manifest() {
    let mut store = store();
    store.add("shop", Kind::Applied, "web:1", HERE).await;
    store.add("shop", Kind::Deleted, "web:1", THERE).await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    store.add("shop", Kind::Deleted, "web:1", HERE).await;
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::RolledBack, "web:1", HERE).await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    store.add("blog", Kind::Applied, "web:9", THERE).await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:1"));
    store.add("blog", Kind::Applied, "web:9", HERE).await;
    assert_eq!(store.claim(HERE).await, None);
    store.add("shop", Kind::Applied, "web:3", HERE).await;
    assert_eq!(store.claim(HERE).await.as_deref(), Some("web:3"));
}

#[tokio::test]
async fn a_log_is_of_one_place_and_what_tells_none_is_named() {
    let mut store = store();
    store.add("shop", Kind::Applied, "web:1", HERE).await;
    store.add("shop", Kind::Applied, "web:2", THERE).await;
    let set = store.of("shop", HERE).read().await.unwrap();
    assert_eq!((set.log(&name()).len(), set.elsewhere.len(), set.strange.len()), (1, 1, 0));
    for (object, content) in store.store.objects() {
        if let Some((log, event)) = object.rsplit_once('/').filter(|(log, _)| log.ends_with("/a.example.com")) {
            let log = log.strip_suffix("/a.example.com").unwrap();
            store.store.overwrite(&format!("{log}/{event}"), content);
        }
    }
    let set = store.of("shop", HERE).read().await.unwrap();
    assert_eq!((set.log(&name()).len(), set.elsewhere.len(), set.strange.len()), (1, 1, 1));
    let told = format!("{}: {}", set.warnings[0].what, set.warnings[0].why);
    assert!(told.contains("`web` (events: 1)") && told.contains("an older flyte"), "{told}");
}
