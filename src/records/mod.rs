//! Reads and adds releases on record, whatever they are stored in.
//!
//! Every place has a log of its own: what was applied to one control plane says nothing of another.
//! What cannot be read is named and ignored; only a store that does not answer is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::bundle::BundleFile;
use crate::model::{AppName, BundleRef, Digest, Scope};
use crate::port::{Files, Releases, StoreError};
use crate::release::{
    self, AppReleases, Event, Folder, LogEntry, Logged, Place, Release, ReleaseSet, Unreadable, Warning, decode,
    decode_event, decode_files,
};

mod claim;

/// How many objects are asked for at once.
const AT_ONCE: usize = 32;

/// How many events of one app at one place are looked at, the newest ones; more are named in a warning.
const MAX_EVENTS: usize = 10_000;

/// The records of one manifest in one project and domain, at one place.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Releases>,
    folder: Folder,
    at: Place,
    /// Keeps what never changes for the next run.
    cache: Arc<dyn Files>,
}

impl Records {
    pub fn new(store: Arc<dyn Releases>, scope: &Scope, owner: &str, at: Place, cache: Arc<dyn Files>) -> Self {
        Self { store, folder: Folder::new(scope, owner), at, cache }
    }

    /// The place that is looked at and written to.
    pub fn at(&self) -> &Place {
        &self.at
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
        self.survey(MAX_EVENTS).await
    }

    /// As [`Self::read`], with every event there is: nothing is forgotten where something is removed.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn read_all(&self) -> Result<ReleaseSet, StoreError> {
        self.survey(usize::MAX).await
    }

    async fn survey(&self, most: usize) -> Result<ReleaseSet, StoreError> {
        let mut set = ReleaseSet { is_known: true, ..ReleaseSet::default() };
        let mut logs: BTreeMap<(AppName, Place), Vec<LogEntry>> = BTreeMap::new();
        let mut placeless: BTreeMap<AppName, usize> = BTreeMap::new();
        for object in self.store.list(&self.folder.apps()).await? {
            let Some((app, place, name)) = self.folder.parse_event(&object) else { continue };
            match (LogEntry::parse(name), place) {
                (Some(entry), Some(place)) => logs.entry((app, place)).or_default().push(entry),
                (Some(_), None) => {
                    *placeless.entry(app).or_default() += 1;
                    set.strange.push(object);
                }
                (None, _) => {
                    set.warnings.push(Warning {
                        what: object.clone(),
                        why: "its name is none that this program gives to an event: a newer flyte may read it"
                            .to_owned(),
                    });
                    set.strange.push(object);
                }
            }
        }
        set.warnings.extend(placeless.into_iter().map(|(app, n)| Warning {
            what: format!("what lies beside the logs of `{app}` (events: {n})"),
            why: "it does not tell to which control plane it happened: an older flyte wrote it".to_owned(),
        }));
        for ((app, place), mut log) in logs {
            log.sort();
            if let Some(over) = log.len().checked_sub(most).filter(|over| *over > 0) {
                log.drain(..over);
                let why = format!(
                    "it has more than {most} events; the oldest {over} are ignored, and `flyte versions clean` removes old ones"
                );
                set.warnings.push(Warning { what: format!("the log of `{app}` at {place}"), why });
            }
            match place == self.at {
                true => set.apps.entry(app).or_default().log = log,
                false => {
                    let logged = |entry| Logged { app: app.clone(), place: place.clone(), entry };
                    set.elsewhere.extend(log.into_iter().map(logged));
                }
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

    /// Adds an event of this place.
    ///
    /// # Errors
    /// The store did not keep it.
    pub async fn append(&self, event: &Event) -> Result<(), StoreError> {
        let name = LogEntry::of(event).name;
        let content = release::encode_event(event);
        self.store.create(&self.folder.event(&event.app, &self.at, &name), content.into()).await
    }

    /// Events in full, in the order given; `None` for one that cannot be read.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn events(&self, logged: &[Logged]) -> Result<Vec<Option<Event>>, StoreError> {
        let reading = logged.iter().map(|Logged { app, place, entry }| async move {
            let content = self.store.get(&self.folder.event(app, place, &entry.name)).await?;
            Ok(content.and_then(|content| decode_event(&content).ok()))
        });
        futures::stream::iter(reading).buffered(AT_ONCE).try_collect().await
    }

    /// Where the code lies that the records of other manifests of the scope name; inside, the first record that cannot be
    /// read.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn code_of_others(&self) -> Result<Result<BTreeSet<String>, Warning>, StoreError> {
        let mut addresses = BTreeSet::new();
        for object in self.store.list(self.folder.scope()).await? {
            if !self.folder.is_release_of_other(&object) {
                continue;
            }
            let Some(content) = self.store.get(&object).await? else { continue };
            match decode(&content) {
                Ok(release) => addresses.extend(release.code.and_then(|code| code.address)),
                Err(why) => return Ok(Err(Warning { what: object, why: why.to_string() })),
            }
        }
        Ok(Ok(addresses))
    }
}

#[cfg(test)]
mod tests;
