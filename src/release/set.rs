//! What is on record of one manifest in one project and domain, of one place and beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::log::{Kind, LogEntry, Logged};
use super::record::Release;
use crate::model::{AppName, Digest};

/// What was last applied to the place at hand, and its log. Nothing that happened elsewhere counts here.
#[derive(Debug, Clone, Default)]
pub struct ReleaseSet {
    pub apps: BTreeMap<AppName, AppReleases>,
    /// The events of all other places.
    pub elsewhere: Vec<Logged>,
    /// Objects of the log that this program does not understand.
    pub strange: Vec<String>,
    /// The releases on record under the label that is asked for, where it stands for another version than planned.
    pub labelled: BTreeMap<AppName, Arc<Release>>,
    /// The store answered. Where it did not, nothing is known, and nothing is missing.
    pub is_known: bool,
    /// What cannot be read, and is ignored.
    pub warnings: Vec<Warning>,
}

/// The releases of one app at one place.
#[derive(Debug, Clone, Default)]
pub struct AppReleases {
    /// The release that the app should be since its last event. `None`: never applied, deleted since, or unreadable.
    pub last: Option<Arc<Release>>,
    /// Oldest first.
    pub log: Vec<LogEntry>,
    /// The release that the marks of the live app name, where it is another one than the last.
    pub marked: Option<Arc<Release>>,
    /// The last one, if no other manifest has put the app on record at this place since. Looked for where the app itself
    /// does not tell: it is not there, or bears no marks.
    pub claimed: Option<Arc<Release>>,
    /// The release of before that is to be brought back.
    pub restored: Option<Arc<Release>>,
}

/// What an app was at a time, as far as its log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then<'a> {
    Release(&'a LogEntry),
    /// It was deleted before.
    NotThere,
    /// The log does not reach back.
    Unknown,
}

/// Something on record that is ignored, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The object, or the store.
    pub what: String,
    pub why: String,
}

/// What was asked for is not on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchRelease {
    #[error("no release of `{app}` to this target is on record")]
    Nothing { app: AppName },
    #[error("no release of `{app}` to this target is on record but the one that runs")]
    NothingBefore { app: AppName },
    #[error("`{app}` has no version `{version}` on record for this target")]
    Version { app: AppName, version: String, known: Vec<String> },
    #[error("`{version}` is more than one version of `{app}`: {}", .known.join(", "))]
    Ambiguous { app: AppName, version: String, known: Vec<String> },
}

impl ReleaseSet {
    /// What was last applied.
    pub fn last(&self, app: &AppName) -> Option<&Arc<Release>> {
        self.apps.get(app)?.last.as_ref()
    }

    /// A release by the short digest of its version: the last one, or the one that the live app names.
    pub fn version(&self, app: &AppName, digest: &str) -> Option<&Arc<Release>> {
        let of_app = self.apps.get(app)?;
        let mut known = [&of_app.last, &of_app.marked].into_iter().flatten();
        known.find(|release| release.version.digest.short() == digest)
    }

    /// What was last applied, if nobody else has since.
    pub fn claimed(&self, app: &AppName) -> Option<&Arc<Release>> {
        self.apps.get(app)?.claimed.as_ref()
    }

    /// What an app was at a time.
    pub fn at(&self, app: &AppName, time: Timestamp) -> Then<'_> {
        self.apps.get(app).map_or(Then::Unknown, |releases| releases.at(time))
    }

    /// The log of an app, oldest first.
    pub fn log(&self, app: &AppName) -> &[LogEntry] {
        self.apps.get(app).map_or(&[], |app| &app.log)
    }
}

impl AppReleases {
    /// The event since which the app is what it is. `None`: it was never applied, or deleted since.
    pub fn current(&self) -> Option<&LogEntry> {
        let deleted = self.log.iter().rposition(|entry| entry.kind == Kind::Deleted);
        let since = deleted.map_or(0, |at| at + 1);
        self.log[since..].iter().rev().find(|entry| entry.kind.sets_release())
    }

    /// Whether a version is what the app should be since its last event, and its record is there and can be read.
    pub fn has_recorded(&self, version: &str) -> bool {
        let current = self.current().and_then(|entry| entry.version.as_deref());
        current == Some(version) && self.last.is_some()
    }

    /// When the version of an entry was applied last. A rollback of it alone says nothing of what else there was.
    pub fn applied(&self, entry: &LogEntry) -> Timestamp {
        let is_meant =
            |other: &&LogEntry| other.version == entry.version && matches!(other.kind, Kind::Applied | Kind::Recorded);
        self.log.iter().rev().find(is_meant).map_or(entry.at, |applied| applied.at)
    }

    /// The newest event of each version on record, newest first.
    pub fn versions(&self) -> Vec<&LogEntry> {
        let mut seen = BTreeSet::new();
        let set = self.log.iter().rev().filter(|entry| entry.kind.sets_release() && entry.release.is_some());
        set.filter(|entry| seen.insert((entry.version.clone(), entry.label.clone()))).collect()
    }

    /// The release to roll back to: the one before `running` (the digest of the version that runs), or the one asked for
    /// by label or by the first digits of its digest.
    ///
    /// # Errors
    /// See [`NoSuchRelease`].
    pub fn choose(&self, app: &AppName, to: Option<&str>, running: Option<Digest>) -> Result<&LogEntry, NoSuchRelease> {
        let versions = self.versions();
        if versions.is_empty() {
            return Err(NoSuchRelease::Nothing { app: app.clone() });
        }
        match to {
            None => self.before(running).ok_or_else(|| NoSuchRelease::NothingBefore { app: app.clone() }),
            Some(to) => {
                if let Some(labelled) = versions.iter().find(|entry| entry.label.as_deref() == Some(to)) {
                    return Ok(labelled);
                }
                // Names hold no more digits.
                let short = to.get(..12).unwrap_or(to);
                let fits = |entry: &&&LogEntry| {
                    let version = entry.version.as_deref().unwrap_or_default();
                    short.len() >= 4 && version.starts_with(short)
                };
                let mut found: Vec<&LogEntry> = versions.iter().filter(fits).copied().collect();
                found.dedup_by(|a, b| a.version == b.version);
                match found.as_slice() {
                    [one] => Ok(one),
                    [] => Err(self.no_version(app, to)),
                    many => {
                        Err(NoSuchRelease::Ambiguous { app: app.clone(), version: to.to_owned(), known: marks(many) })
                    }
                }
            }
        }
    }

    /// A version that is asked for is not on record.
    pub fn no_version(&self, app: &AppName, version: &str) -> NoSuchRelease {
        NoSuchRelease::Version { app: app.clone(), version: version.to_owned(), known: marks(&self.versions()) }
    }

    /// The last release of another version than the one that runs, before it began to run.
    fn before(&self, running: Option<Digest>) -> Option<&LogEntry> {
        let running = match running {
            Some(digest) => Some(digest.short()),
            None => self.current().and_then(|entry| entry.version.clone()),
        };
        let set: Vec<&LogEntry> =
            self.log.iter().filter(|entry| entry.kind.sets_release() && entry.release.is_some()).collect();
        let is_running = |entry: &&&LogEntry| running.is_some() && entry.version == running;
        // Where what runs is not on record, everything that is was before it.
        let began = set.iter().rposition(|entry| is_running(&entry)).unwrap_or(set.len());
        set[..began].iter().rev().find(|entry| !is_running(entry)).copied()
    }

    pub fn at(&self, time: Timestamp) -> Then<'_> {
        let is_there = |entry: &LogEntry| entry.kind.sets_release() && entry.release.is_some();
        let decides = |entry: &&LogEntry| is_there(entry) || entry.kind == Kind::Deleted;
        match self.log.iter().rev().filter(|entry| entry.at <= time).find(decides) {
            Some(entry) if is_there(entry) => Then::Release(entry),
            Some(_) => Then::NotThere,
            None => Then::Unknown,
        }
    }
}

fn marks(entries: &[&LogEntry]) -> Vec<String> {
    entries.iter().filter_map(|entry| entry.mark()).map(str::to_owned).collect()
}
