//! What an app depended on when a release of it was applied.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Error;
use crate::diff::endpoints;
use crate::model::{AppName, Digest};
use crate::records::Records;
use crate::release::{LogEntry, Release, ReleaseSet, Then};
use crate::resolve::Project;

/// What an app depended on at a time: what was declared then, by endpoints too; not what was deployed elsewhere. Where
/// the record does not tell that: the endpoints in its message, and of what is declared now whatever was there then.
pub(super) fn needed(
    project: &Project,
    released: &ReleaseSet,
    app: &AppName,
    release: Option<&Release>,
    then: Timestamp,
) -> BTreeSet<AppName> {
    let mut needed = match release.and_then(|release| release.depends_on.clone()) {
        Some(declared) => declared,
        None => {
            let was_there = |other: &&AppName| matches!(released.at(other, then), Then::Release(_));
            let declared = project.graph.dependencies(app).filter(was_there).cloned();
            release.map(|release| endpoints(&release.message)).into_iter().flatten().chain(declared).collect()
        }
    };
    needed.remove(app);
    needed
}

/// The entries of logs that stay, by app.
pub(super) type Kept<'a> = BTreeMap<AppName, BTreeSet<&'a LogEntry>>;

/// Adds to what stays what it depended on when it was applied, so that each of it can be brought back with that.
///
/// # Errors
/// The store does not answer.
pub(super) async fn with_needed<'a>(
    records: &Records,
    project: &Project,
    released: &'a ReleaseSet,
    mut kept: Kept<'a>,
) -> Result<Kept<'a>, Error> {
    let mut open: Vec<(AppName, &LogEntry, Timestamp)> = Vec::new();
    for (app, releases) in &released.apps {
        let entries = kept.get(app).into_iter().flatten();
        open.extend(entries.map(|entry| (app.clone(), *entry, releases.applied(entry))));
    }
    let mut read: BTreeMap<Digest, Option<Release>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some((app, entry, then)) = open.pop() {
        let Some(digest) = entry.release.filter(|digest| seen.insert((app.clone(), *digest, then))) else { continue };
        let release = match read.entry(digest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(open) => open.insert(records.release(&app, digest).await?.ok()),
        };
        for other in needed(project, released, &app, release.as_ref(), then) {
            let Some(releases) = released.apps.get(&other) else { continue };
            let Then::Release(entry) = releases.at(then) else { continue };
            kept.entry(other.clone()).or_default().insert(entry);
            // It may be brought back as a part of this, or for itself.
            open.extend([then, releases.applied(entry)].map(|then| (other.clone(), entry, then)));
        }
    }
    Ok(kept)
}
