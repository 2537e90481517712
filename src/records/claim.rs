//! What the records say of an app that does not tell it itself.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};

use super::{AT_ONCE, Records};
use crate::model::{AppName, Digest};
use crate::port::StoreError;
use crate::release::{AppReleases, Event, Kind, LogEntry, Release};

/// How many events are looked through for the last one of a target.
const LOOKED_THROUGH: usize = 100;

/// Where releases are written.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The target's name.
    pub target: &'a str,
    /// Its address. `None`: whatever it was; the embedded control plane has another one each time.
    pub endpoint: Option<&'a str>,
}

impl Place<'_> {
    fn is_of(self, event: &Event) -> bool {
        self.target == event.target && self.endpoint.is_none_or(|endpoint| endpoint == event.endpoint)
    }
}

impl Records {
    /// The release of a version, by the first digits of its digest. `None` where it is not on record, or unreadable.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn version(
        &self,
        app: &AppName,
        releases: &AppReleases,
        version: &str,
    ) -> Result<Option<Release>, StoreError> {
        let is_meant = |entry: &&LogEntry| entry.version.as_deref() == Some(version) && entry.release.is_some();
        match releases.log.iter().rev().find(is_meant).and_then(|entry| entry.release) {
            Some(name) => Ok(self.release(app, name).await?.ok()),
            None => Ok(None),
        }
    }

    /// Of each app, the last release that was written to a place: it is that by our records. None where the app was
    /// deleted there since, or where another manifest has it on record since.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn claims(
        &self,
        apps: &[(&AppName, &AppReleases)],
        place: Place<'_>,
    ) -> Result<BTreeMap<AppName, Release>, StoreError> {
        if apps.is_empty() {
            return Ok(BTreeMap::new());
        }
        let objects = &self.store.list(self.folder.scope()).await?;
        let asked = apps.iter().map(|(app, releases)| self.claim(app, releases, place, objects));
        let claims: Vec<_> = futures::stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        Ok(claims.into_iter().flatten().collect())
    }

    async fn claim(
        &self,
        app: &AppName,
        releases: &AppReleases,
        place: Place<'_>,
        objects: &[String],
    ) -> Result<Option<(AppName, Release)>, StoreError> {
        match self.last_written(app, releases, place).await? {
            Some((entry, name)) if !self.is_of_others_since(objects, app, entry) => {
                Ok(self.release(app, name).await?.ok().map(|release| (app.clone(), release)))
            }
            _ => Ok(None),
        }
    }

    async fn last_written<'a>(
        &self,
        app: &AppName,
        releases: &'a AppReleases,
        place: Place<'_>,
    ) -> Result<Option<(&'a LogEntry, Digest)>, StoreError> {
        let decides = |entry: &&LogEntry| entry.kind.sets_release() || entry.kind == Kind::Deleted;
        for entry in releases.log.iter().rev().filter(decides).take(LOOKED_THROUGH) {
            let event = self.events(&[(app.clone(), entry.clone())]).await?.pop().flatten();
            if event.is_some_and(|event| place.is_of(&event)) {
                return Ok(entry.release.filter(|_| entry.kind.sets_release()).map(|name| (entry, name)));
            }
        }
        Ok(None)
    }

    /// Whether another manifest has written the app later, to whatever target.
    fn is_of_others_since(&self, objects: &[String], app: &AppName, entry: &LogEntry) -> bool {
        let others = objects.iter().filter_map(|object| self.folder.parse_event_of_other(object, app));
        let mut written = others.filter_map(LogEntry::parse).filter(|other| other.kind.sets_release());
        written.any(|other| other.at > entry.at)
    }
}
