//! Reads and adds releases on record, whatever they are stored in.
//!
//! What cannot be read is named and ignored; only a store that does not answer is an error.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::bundle::BundleFile;
use crate::model::{AppName, BundleRef, Digest, Scope};
use crate::port::{Files, Releases, StoreError};
use crate::release::{
    self, AppReleases, Event, Folder, LogEntry, Release, ReleaseSet, Unreadable, Warning, decode, decode_event,
    decode_files,
};

mod claim;

pub use claim::Place;

/// How many objects are asked for at once.
const AT_ONCE: usize = 32;

/// How many events of one app are looked at, the newest ones; more are named in a warning.
const MAX_EVENTS: usize = 10_000;

/// The records of one manifest in one project and domain.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Releases>,
    folder: Folder,
    /// Keeps what never changes for the next run.
    cache: Arc<dyn Files>,
}

impl Records {
    pub fn new(store: Arc<dyn Releases>, scope: &Scope, owner: &str, cache: Arc<dyn Files>) -> Self {
        Self { store, folder: Folder::new(scope, owner), cache }
    }

    /// Where they are, as shown to people.
    pub fn place(&self) -> String {
        self.store.place()
    }

    /// What was last applied per app, and the log.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn read(&self) -> Result<ReleaseSet, StoreError> {
        let mut set = ReleaseSet { is_known: true, ..ReleaseSet::default() };
        for object in self.store.list(&self.folder.apps()).await? {
            let Some((app, name)) = self.folder.parse_event(&object) else { continue };
            match LogEntry::parse(name) {
                Some(entry) => set.apps.entry(app).or_default().log.push(entry),
                None => set.warnings.push(Warning {
                    what: object.clone(),
                    why: "its name is none that this program gives to an event: a newer flyte may read it".to_owned(),
                }),
            }
        }
        for (app, releases) in &mut set.apps {
            releases.log.sort();
            if let Some(over) = releases.log.len().checked_sub(MAX_EVENTS).filter(|over| *over > 0) {
                releases.log.drain(..over);
                let why = format!(
                    "it has more than {MAX_EVENTS} events; the oldest {over} are ignored, and `flyte versions clean` removes old ones"
                );
                set.warnings.push(Warning { what: format!("the log of `{app}`"), why });
            }
        }
        self.read_last(&mut set).await?;
        set.warnings.sort();
        Ok(set)
    }

    async fn read_last(&self, set: &mut ReleaseSet) -> Result<(), StoreError> {
        let current = |(app, releases): (&AppName, &AppReleases)| Some((app.clone(), releases.current()?.release?));
        let wanted: Vec<(AppName, Digest)> = set.apps.iter().filter_map(current).collect();
        let reading = wanted.into_iter().map(|(app, name)| async move {
            let found = self.release(&app, name).await?;
            Ok::<_, StoreError>((app, name, found))
        });
        let found: Vec<_> = futures::stream::iter(reading).buffered(AT_ONCE).try_collect().await?;
        for (app, name, release) in found {
            match release {
                Ok(release) => set.apps.entry(app).or_default().last = Some(Arc::new(release)),
                Err(why) => {
                    set.warnings.push(Warning { what: self.folder.release(&app, name), why: why.to_string() });
                }
            }
        }
        Ok(())
    }

    /// Finds the releases of these apps that have the label and are other versions.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find_label(
        &self,
        set: &mut ReleaseSet,
        label: &str,
        planned: impl IntoIterator<Item = (&AppName, Digest)>,
    ) -> Result<(), StoreError> {
        for (app, digest) in planned {
            let other = |entry: &&LogEntry| {
                entry.label.as_deref() == Some(label) && entry.version.as_deref() != Some(&digest.short())
            };
            let Some(name) = set.log(app).iter().rev().filter(other).find_map(|entry| entry.release) else { continue };
            match self.release(app, name).await? {
                Ok(release) => drop(set.labelled.insert(app.clone(), Arc::new(release))),
                Err(why) => set.warnings.push(Warning { what: self.folder.release(app, name), why: why.to_string() }),
            }
        }
        Ok(())
    }

    /// One release by the name of its record.
    ///
    /// # Errors
    /// The store does not answer; inside, that the record is not there or cannot be used.
    pub async fn release(&self, app: &AppName, name: Digest) -> Result<Result<Release, Unreadable>, StoreError> {
        let kept = format!("release-{}-{name}.json", release::FORMAT);
        let content = match self.cache.recall(&kept) {
            Some(content) if Digest::of(&content) == name => Some(Bytes::from(content)),
            _ => self.store.get(&self.folder.release(app, name)).await?,
        };
        let Some(content) = content else {
            return Ok(Err(Unreadable::Malformed("it is named by the log, and is not there".to_owned())));
        };
        if Digest::of(&content) != name {
            // The number of the format is told first: a newer program may name its records otherwise.
            return Ok(Err(match decode(&content) {
                Err(newer @ Unreadable::Newer { .. }) => newer,
                _ => Unreadable::Damaged,
            }));
        }
        let release = decode(&content);
        if release.is_ok() && !self.store.is_near() && !self.cache.remembers(&kept) {
            self.cache.remember(&kept, &content);
        }
        Ok(release)
    }

    /// The files of a bundle, where they are on record.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn files(&self, bundle: BundleRef) -> Result<Option<Vec<BundleFile>>, StoreError> {
        let content = self.store.get(&self.folder.code(bundle)).await?;
        Ok(content.and_then(|content| decode_files(&content).ok()))
    }

    /// Adds a release and the event that it was written by. The event is last: what it names is there.
    ///
    /// # Errors
    /// The store did not keep one of them.
    pub async fn add(
        &self,
        release: &Release,
        files: Option<&[BundleFile]>,
        event: Event,
    ) -> Result<Digest, StoreError> {
        if let (Some(code), Some(files)) = (&release.code, files) {
            let content = release::encode_files(files);
            self.store.create(&self.folder.code(code.digest), content.into()).await?;
        }
        let content = release::encode(release);
        let name = Digest::of(&content);
        self.store.create(&self.folder.release(&release.app.name, name), content.into()).await?;
        self.append(&Event { release: Some(name), ..event }).await?;
        Ok(name)
    }

    /// Adds an event.
    ///
    /// # Errors
    /// The store did not keep it.
    pub async fn append(&self, event: &Event) -> Result<(), StoreError> {
        let name = LogEntry::of(event).name;
        let content = release::encode_event(event);
        self.store.create(&self.folder.event(&event.app, &name), content.into()).await
    }

    /// Events in full, in the order given; `None` for one that cannot be read.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn events(&self, entries: &[(AppName, LogEntry)]) -> Result<Vec<Option<Event>>, StoreError> {
        let reading = entries.iter().map(|(app, entry)| async move {
            let content = self.store.get(&self.folder.event(app, &entry.name)).await?;
            Ok(content.and_then(|content| decode_event(&content).ok()))
        });
        futures::stream::iter(reading).buffered(AT_ONCE).try_collect().await
    }
}

#[cfg(test)]
mod tests;
