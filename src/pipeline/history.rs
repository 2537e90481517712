//! What is on record, told.

use super::on_record::{records, warnings};
use super::{Error, Request, load, no_such_app, read};
use crate::diagnostic::Diagnostics;
use crate::diff::LiveSet;
use crate::model::{AppName, Digest, LiveApp};
use crate::port::{Access, Ports};
use crate::records::Records;
use crate::release::{AppReleases, Event, LogEntry, Logged, Place, ReleaseSet};
use crate::resolve::Project;

/// What happened to the apps of a manifest.
#[derive(Debug)]
pub struct History {
    /// The store.
    pub place: String,
    /// Newest first.
    pub events: Vec<Happened>,
    /// Older ones that are not told.
    pub more: usize,
    /// Those of other places, where only one is told of.
    pub elsewhere: usize,
    pub diagnostics: Diagnostics,
}

/// Of which places a history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// The one that the target is.
    Selected,
    All,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Happened {
    pub app: AppName,
    pub place: Place,
    pub entry: LogEntry,
    /// `None` where only its name can be read.
    pub event: Option<Event>,
}

/// The last `limit` events of an app, or of all.
///
/// # Errors
/// As [`load`]; also a store that does not answer, and an app that is neither declared nor on record.
pub async fn history(
    ports: &Ports,
    request: &Request,
    app: Option<&str>,
    limit: usize,
    places: Places,
) -> Result<History, Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let released = records.read().await?;
    let known = |name: &str| released.elsewhere.iter().find(|logged| logged.app.as_str() == name);
    let apps = match app.and_then(known) {
        Some(logged) => vec![logged.app.clone()],
        None => asked(&project, &released, &LiveSet::default(), app)?,
    };
    let is_asked = |logged: &&Logged| app.is_none_or(|app| logged.app.as_str() == app);
    let elsewhere = released.elsewhere.iter().filter(is_asked).cloned();
    let here = apps.iter().flat_map(|app| logged(&records, app, released.log(app)));
    let (mut entries, elsewhere): (Vec<Logged>, usize) = match places {
        Places::Selected => (here.collect(), elsewhere.count()),
        Places::All => (here.chain(elsewhere).collect(), 0),
    };
    entries.sort_by(|a, b| (b.entry.at, &b.entry.name).cmp(&(a.entry.at, &a.entry.name)));
    let more = entries.len().saturating_sub(limit);
    entries.truncate(limit);
    let events = in_full(&records, entries).await?;
    project.diagnostics.list.extend(warnings(&released.warnings));
    Ok(History { place: records.place(), events, more, elsewhere, diagnostics: project.diagnostics })
}

fn logged<'a>(
    records: &'a Records,
    app: &'a AppName,
    entries: impl IntoIterator<Item = &'a LogEntry>,
) -> impl Iterator<Item = Logged> {
    let of = |entry: &LogEntry| Logged { app: app.clone(), place: records.at().clone(), entry: entry.clone() };
    entries.into_iter().map(of)
}

async fn in_full(records: &Records, entries: Vec<Logged>) -> Result<Vec<Happened>, Error> {
    let events = records.events(&entries).await?;
    let full = entries.into_iter().zip(events);
    Ok(full.map(|(Logged { app, place, entry }, event)| Happened { app, place, entry, event }).collect())
}

/// The versions of one app that were applied to the place that the target is.
#[derive(Debug)]
pub struct Versions {
    pub app: AppName,
    pub place: String,
    /// What runs, where it is ours: its mark and the digest of its version.
    pub running: Option<(String, Digest)>,
    /// Newest first.
    pub versions: Vec<Happened>,
    pub diagnostics: Diagnostics,
}

impl Versions {
    /// Whether what runs is on record.
    pub fn knows_running(&self) -> bool {
        self.running.as_ref().is_none_or(|running| self.versions.iter().any(|version| is(&version.entry, running)))
    }

    /// Whether this one runs.
    pub fn runs(&self, version: &Happened) -> bool {
        self.running.as_ref().is_some_and(|running| is(&version.entry, running))
    }
}

fn is(entry: &LogEntry, (mark, digest): &(String, Digest)) -> bool {
    entry.version == Some(digest.short()) && entry.mark() == Some(mark)
}

/// What is on record of an app, and what runs.
///
/// # Errors
/// As [`history`].
pub async fn versions(ports: &Ports, request: &Request, app: &str) -> Result<Versions, Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let released = records.read().await?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let app = asked(&project, &released, &live, Some(app))?.remove(0);
    let versions = released.apps.get(&app).map(AppReleases::versions).unwrap_or_default();
    let entries = logged(&records, &app, versions).collect();
    let versions = in_full(&records, entries).await?;
    let marks = live.apps.get(&app).and_then(LiveApp::marks).filter(|marks| marks.owner == project.owner);
    let running = marks.map(|marks| (marks.version, marks.digest));
    project.diagnostics.list.extend(warnings(&released.warnings));
    Ok(Versions { app, place: records.place(), running, versions, diagnostics: project.diagnostics })
}

/// The apps meant by a name, or all on record.
pub(super) fn asked(
    project: &Project,
    released: &ReleaseSet,
    live: &LiveSet,
    name: Option<&str>,
) -> Result<Vec<AppName>, Error> {
    let Some(name) = name else { return Ok(released.apps.keys().cloned().collect()) };
    let there = || project.declared.iter().chain(released.apps.keys()).chain(live.apps.keys());
    match there().find(|known| known.as_str() == name) {
        Some(known) => Ok(vec![known.clone()]),
        None => Err(no_such_app(name, there())),
    }
}
