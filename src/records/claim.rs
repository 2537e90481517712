//! What the records say of an app that does not tell it itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Records;
use crate::model::AppName;
use crate::port::StoreError;
use crate::release::{AppReleases, LogEntry, Release};

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

    /// Of each app, the last release: it is that by our records. None where the app was deleted since, or where another
    /// manifest has it on record at this place since.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn claims(
        &self,
        apps: &[(&AppName, &AppReleases)],
    ) -> Result<BTreeMap<AppName, Arc<Release>>, StoreError> {
        let last = |(app, releases): &(&AppName, &AppReleases)| {
            let (current, last) = (releases.current()?.clone(), releases.last.clone()?);
            Some(((*app).clone(), current, last))
        };
        let last: Vec<_> = apps.iter().filter_map(last).collect();
        if last.is_empty() {
            return Ok(BTreeMap::new());
        }
        let objects = &self.store.list(self.folder.scope()).await?;
        let ours = last.into_iter().filter(|(app, entry, _)| !self.is_of_others_since(objects, app, entry));
        Ok(ours.map(|(app, _, release)| (app, release)).collect())
    }

    /// Whether another manifest has written the app later, to the same place.
    fn is_of_others_since(&self, objects: &[String], app: &AppName, entry: &LogEntry) -> bool {
        let others = objects.iter().filter_map(|object| self.folder.parse_event_of_other(object, app));
        let here = others.filter(|(place, _)| *place == self.at).filter_map(|(_, name)| LogEntry::parse(name));
        here.filter(|other| other.kind.sets_release()).any(|other| other.at > entry.at)
    }
}
