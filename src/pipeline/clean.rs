//! Old versions removed from the record of one place. What any place runs or needs stays, and what cannot be judged.

use std::collections::{BTreeMap, BTreeSet};

use super::history::asked;
use super::needed::{Kept, with_needed};
use super::on_record::{records, warnings};
use super::{Error, Request, load, read};
use crate::diagnostic::Diagnostics;
use crate::model::{AppName, Digest, LiveApp};
use crate::port::{Access, Ports};
use crate::records::Records;
use crate::release::{AppReleases, Folder, LogEntry, Release, Warning};
use crate::resolve::Project;

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
    pub diagnostics: Diagnostics,
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

/// What to remove so that `keep` versions of each app stay that were applied to the place that the target is, what runs,
/// and what either depended on when it was applied. The logs of other places stay whole, and so do the records that they name.
///
/// # Errors
/// As [`super::versions`].
pub async fn clean(ports: &Ports, request: &Request, app: Option<&str>, keep: usize) -> Result<Cleaning, Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let released = records.read_all().await?;
    // What runs is never removed, so nothing is where that is not known.
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let apps: BTreeSet<AppName> = asked(&project, &released, &live, app)?.into_iter().collect();
    let folder = Folder::new(&project.scope, &project.owner);
    let mut cleaning = Cleaning { place: records.place(), ..Cleaning::default() };
    let (mut kept, mut removed) = (BTreeMap::new(), BTreeMap::new());
    let mut stay = Kept::new();
    for (app, releases) in &released.apps {
        let running = live.apps.get(app).and_then(LiveApp::marks).map(|marks| marks.digest.short());
        let keep = if apps.contains(app) { keep } else { usize::MAX };
        stay.insert(app.clone(), stays(releases, keep, running.as_deref()));
    }
    let stay = with_needed(&records, &project, &released, stay).await?;
    for (app, releases) in &released.apps {
        let split = match stay.get(app).filter(|_| apps.contains(app)) {
            Some(stay) => split(releases, stay),
            None => Split { kept: releases.log.iter().collect(), ..Split::default() },
        };
        cleaning.versions.extend(split.versions.iter().map(|mark| (app.clone(), mark.clone())));
        cleaning.objects.extend(split.removed.iter().map(|entry| folder.event(app, records.at(), &entry.name)));
        kept.extend(split.kept.iter().filter_map(|entry| Some((entry.release?, app.clone()))));
        removed.extend(split.removed.iter().filter_map(|entry| Some((entry.release?, app.clone()))));
    }
    kept.extend(released.elsewhere.iter().filter_map(|logged| Some((logged.entry.release?, logged.app.clone()))));
    // An event that a newer program wrote may be all that names a record.
    let is_named = |release: &Digest| released.strange.iter().any(|name| name.contains(&release.to_string()));
    removed.retain(|release, _| !kept.contains_key(release) && !is_named(release));
    cleaning.objects.extend(removed.iter().map(|(release, app)| folder.release(app, *release)));

    let mut unjudged = released.warnings.clone();
    let (needed, unread) = all(&records, &folder, &kept).await?;
    let (unneeded, _) = all(&records, &folder, &removed).await?;
    // A record that cannot be read may need any code.
    if unread.is_empty() && released.strange.is_empty() {
        let digest = |release: &Release| Some(release.code.as_ref()?.digest);
        let needed_codes: BTreeSet<_> = needed.iter().filter_map(digest).collect();
        let unneeded_codes = unneeded.iter().filter_map(digest).filter(|code| !needed_codes.contains(code));
        cleaning.objects.extend(unneeded_codes.map(|code| folder.code(code)));
        let mut in_use: BTreeSet<String> = needed.iter().filter_map(address).collect();
        in_use.extend(live.apps.values().filter_map(LiveApp::bundle_address).map(str::to_owned));
        let unneeded = unneeded.iter().filter_map(address).filter(|address| !in_use.contains(address));
        cleaning.bundles = removable(ports, &project, &records, unneeded, &mut unjudged).await?;
    }
    unjudged.extend(unread);
    unjudged.sort();
    unjudged.dedup();
    project.diagnostics.list.extend(warnings(&unjudged));
    cleaning.diagnostics = project.diagnostics.clone();
    cleaning.project = Some(project);
    Ok(cleaning)
}

fn address(release: &Release) -> Option<String> {
    release.code.as_ref().and_then(|code| code.address.clone())
}

/// Of these addresses, those where code is stored that this program may remove. Manifests of one project and domain share
/// what is stored there.
async fn removable(
    ports: &Ports,
    project: &Project,
    records: &Records,
    addresses: impl Iterator<Item = String>,
    unjudged: &mut Vec<Warning>,
) -> Result<BTreeSet<String>, Error> {
    let mut bundles = BTreeSet::new();
    for address in addresses {
        if ports.targets.has_bundle(&project.target, &address).await == Some(true) {
            bundles.insert(address);
        }
    }
    if bundles.is_empty() {
        return Ok(bundles);
    }
    match records.code_of_others().await? {
        Ok(others) => bundles.retain(|address| !others.contains(address)),
        Err(unread) => {
            unjudged.push(unread);
            bundles.clear();
        }
    }
    Ok(bundles)
}

/// The records that can be read, and those that cannot.
async fn all(
    records: &Records,
    folder: &Folder,
    wanted: &BTreeMap<Digest, AppName>,
) -> Result<(Vec<Release>, Vec<Warning>), Error> {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for (name, app) in wanted {
        match records.release(app, *name).await? {
            Ok(release) => found.push(release),
            Err(why) => unread.push(Warning { what: folder.release(app, *name), why: why.to_string() }),
        }
    }
    Ok((found, unread))
}

/// The log of one app, in what stays and what goes.
#[derive(Default)]
struct Split<'a> {
    kept: Vec<&'a LogEntry>,
    removed: Vec<&'a LogEntry>,
    /// The marks that go.
    versions: Vec<String>,
}

/// The versions that stay for themselves.
fn stays<'a>(releases: &'a AppReleases, keep: usize, running: Option<&str>) -> BTreeSet<&'a LogEntry> {
    let current = releases.current();
    let stays = |(at, entry): &(usize, &LogEntry)| {
        *at < keep || running.is_some() && entry.version.as_deref() == running || Some(*entry) == current
    };
    releases.versions().into_iter().enumerate().filter(stays).map(|(_, entry)| entry).collect()
}

fn split<'a>(releases: &'a AppReleases, stay: &BTreeSet<&LogEntry>) -> Split<'a> {
    let stays = |entry: &&LogEntry| stay.iter().any(|kept| kept.version == entry.version && kept.label == entry.label);
    let (_, gone): (Vec<&LogEntry>, Vec<_>) = releases.versions().into_iter().partition(stays);
    // Without any version that stays, the whole log goes but for what is after the last that went.
    let begin = stay.iter().map(|entry| entry.at).min();
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
