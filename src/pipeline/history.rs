//! What is on record, told and cleaned.

use std::collections::{BTreeMap, BTreeSet};

use super::on_record::{records, warnings};
use super::{Error, Request, load, no_such_app, read};
use crate::diagnostic::Diagnostics;
use crate::diff::LiveSet;
use crate::model::{AppName, Digest, LiveApp};
use crate::port::{Access, Ports};
use crate::release::{AppReleases, Event, Folder, LogEntry, Release, ReleaseSet};
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
    pub diagnostics: Diagnostics,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Happened {
    pub app: AppName,
    pub entry: LogEntry,
    /// `None` where only its name can be read.
    pub event: Option<Event>,
}

/// The last `limit` events of an app, or of all.
///
/// # Errors
/// As [`load`]; also a store that does not answer, and an app that is neither declared nor on record.
pub async fn history(ports: &Ports, request: &Request, app: Option<&str>, limit: usize) -> Result<History, Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let released = records.read().await?;
    let apps = asked(&project, &released, &LiveSet::default(), app)?;
    let mut entries: Vec<(AppName, LogEntry)> = Vec::new();
    for app in apps {
        entries.extend(released.log(&app).iter().map(|entry| (app.clone(), entry.clone())));
    }
    entries.sort_by(|a, b| (b.1.at, &b.1.name).cmp(&(a.1.at, &a.1.name)));
    let more = entries.len().saturating_sub(limit);
    entries.truncate(limit);
    let events = records.events(&entries).await?;
    let events = entries.into_iter().zip(events).map(|((app, entry), event)| Happened { app, entry, event }).collect();
    project.diagnostics.list.extend(warnings(&released.warnings));
    Ok(History { place: records.place(), events, more, diagnostics: project.diagnostics })
}

/// The versions of one app.
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
    let entries: Vec<(AppName, LogEntry)> = released
        .apps
        .get(&app)
        .map(AppReleases::versions)
        .unwrap_or_default()
        .into_iter()
        .map(|entry| (app.clone(), entry.clone()))
        .collect();
    let events = records.events(&entries).await?;
    let versions =
        entries.into_iter().zip(events).map(|((app, entry), event)| Happened { app, entry, event }).collect();
    let marks = live.apps.get(&app).and_then(LiveApp::marks).filter(|marks| marks.owner == project.owner);
    let running = marks.map(|marks| (marks.version, marks.digest));
    project.diagnostics.list.extend(warnings(&released.warnings));
    Ok(Versions { app, place: records.place(), running, versions, diagnostics: project.diagnostics })
}

/// The apps meant by a name, or all on record.
fn asked(project: &Project, released: &ReleaseSet, live: &LiveSet, name: Option<&str>) -> Result<Vec<AppName>, Error> {
    let Some(name) = name else { return Ok(released.apps.keys().cloned().collect()) };
    let there = || project.declared.iter().chain(released.apps.keys()).chain(live.apps.keys());
    match there().find(|known| known.as_str() == name) {
        Some(known) => Ok(vec![known.clone()]),
        None => Err(no_such_app(name, there())),
    }
}

/// What cleaning removes.
#[derive(Debug, Default)]
pub struct Cleaning {
    pub place: String,
    /// The versions that can no longer be rolled back to, oldest first.
    pub versions: Vec<(AppName, String)>,
    /// Objects of the store: events, records, lists of files.
    objects: BTreeSet<String>,
    /// Addresses of code that nothing on record and nothing that runs needs any more.
    pub bundles: BTreeSet<String>,
    project: Option<Project>,
}

impl Cleaning {
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub fn objects(&self) -> usize {
        self.objects.len()
    }
}

/// What to remove so that `keep` versions of each app stay, and what runs.
///
/// # Errors
/// As [`versions`].
pub async fn clean(ports: &Ports, request: &Request, app: Option<&str>, keep: usize) -> Result<Cleaning, Error> {
    let project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let released = records.read().await?;
    // What runs is never removed, so nothing is where that is not known.
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let apps: BTreeSet<AppName> = asked(&project, &released, &live, app)?.into_iter().collect();
    let folder = Folder::new(&project.scope, &project.owner);
    let mut cleaning = Cleaning { place: records.place(), ..Cleaning::default() };
    let (mut kept, mut removed) = (BTreeMap::new(), BTreeMap::new());
    for (app, releases) in &released.apps {
        let running = live.apps.get(app).and_then(LiveApp::marks).map(|marks| marks.digest.short());
        let split = match apps.contains(app) {
            true => split(releases, keep, running.as_deref()),
            false => Split { kept: releases.log.iter().collect(), ..Split::default() },
        };
        cleaning.versions.extend(split.versions.iter().map(|mark| (app.clone(), mark.clone())));
        cleaning.objects.extend(split.removed.iter().map(|entry| folder.event(app, &entry.name)));
        kept.extend(split.kept.iter().filter_map(|entry| Some((entry.release?, app.clone()))));
        removed.extend(split.removed.iter().filter_map(|entry| Some((entry.release?, app.clone()))));
    }
    removed.retain(|release, _| !kept.contains_key(release));
    let (needed, unneeded) = (all(&records, &kept).await?, all(&records, &removed).await?);
    cleaning.objects.extend(removed.iter().map(|(release, app)| folder.release(app, *release)));

    let codes: BTreeSet<_> = needed.iter().filter_map(|release| Some(release.code.as_ref()?.digest)).collect();
    let unneeded_codes = unneeded.iter().filter_map(|release| Some(release.code.as_ref()?.digest));
    cleaning.objects.extend(unneeded_codes.filter(|code| !codes.contains(code)).map(|code| folder.code(code)));
    let address = |release: &Release| release.code.as_ref().and_then(|code| code.address.clone());
    let mut in_use: BTreeSet<String> = needed.iter().filter_map(address).collect();
    in_use.extend(live.apps.values().filter_map(LiveApp::bundle_address).map(str::to_owned));
    for address in unneeded.iter().filter_map(address).filter(|address| !in_use.contains(address)) {
        if ports.targets.has_bundle(&project.target, &address).await == Some(true) {
            cleaning.bundles.insert(address);
        }
    }
    cleaning.project = Some(project);
    Ok(cleaning)
}

async fn all(records: &crate::records::Records, wanted: &BTreeMap<Digest, AppName>) -> Result<Vec<Release>, Error> {
    let mut found = Vec::new();
    for (release, app) in wanted {
        found.extend(records.release(app, *release).await?.ok());
    }
    Ok(found)
}

/// The log of one app, in what stays and what goes.
#[derive(Default)]
struct Split<'a> {
    kept: Vec<&'a LogEntry>,
    removed: Vec<&'a LogEntry>,
    /// The marks that go.
    versions: Vec<String>,
}

fn split<'a>(releases: &'a AppReleases, keep: usize, running: Option<&str>) -> Split<'a> {
    let versions = releases.versions();
    let current = releases.current();
    let stays = |at: usize, entry: &LogEntry| {
        at < keep || running.is_some() && entry.version.as_deref() == running || Some(entry) == current
    };
    let (mut newest, mut gone) = (Vec::new(), Vec::new());
    for (at, entry) in versions.into_iter().enumerate() {
        if stays(at, entry) { newest.push(entry) } else { gone.push(entry) }
    }
    // Without any version that stays, the whole log goes but for what is after the last that went.
    let begin = newest.iter().map(|entry| entry.at).min();
    let goes = |entry: &LogEntry| {
        let version_goes = gone.iter().any(|gone| gone.version == entry.version && gone.label == entry.label);
        version_goes && entry.kind.sets_release() || begin.is_some_and(|begin| entry.at < begin)
    };
    let (removed, kept) = releases.log.iter().partition(|entry| goes(entry));
    let mut versions: Vec<String> = gone.iter().filter_map(|entry| entry.mark()).map(str::to_owned).collect();
    versions.reverse();
    Split { kept, removed, versions }
}

/// Removes it: events before the records that they name, code last.
///
/// # Errors
/// The store refuses; what was not removed yet stays whole.
pub async fn remove(ports: &Ports, cleaning: &Cleaning) -> Result<(), Error> {
    let Some(project) = &cleaning.project else { return Ok(()) };
    let store = ports.releases.open(&project.releases).await?;
    let is_event = |name: &&String| name.contains("/log/");
    let events = cleaning.objects.iter().filter(is_event);
    for name in events.chain(cleaning.objects.iter().filter(|name| !is_event(name))) {
        store.remove(name).await?;
    }
    for address in &cleaning.bundles {
        ports.targets.remove_bundle(&project.target, address).await;
    }
    Ok(())
}
