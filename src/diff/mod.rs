//! Desired against released and live, field by field, as canonical wire messages.

mod attribution;
mod code;
mod compare;
mod field;
mod filled;
mod flat;
mod hide;
mod keep;
mod take;
mod unknown;
mod uses;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use attribution::ChangedBy;
pub use code::{Budget, ChangedFile, CodeChange, Content, MAX_FILE, Patch, compare_contents};
pub use compare::since_release;
pub use field::{Difference, FieldChange, walk};
pub use filled::filled_in;
pub use flat::{Flat, differing};
pub use hide::conceal;
pub use keep::{KeepError, Kept, keep};
pub use unknown::carry_unknown;
pub use uses::endpoints;

use crate::desired::{Desired, DesiredSet};
use crate::model::{AppName, BundleRef, Guarantees, LiveApp};
use crate::release::{Release, ReleaseSet};
use crate::resolve::Project;

/// What runs in a scope now, by name. Names that are no app names of ours are kept apart.
#[derive(Debug, Clone, Default)]
pub struct LiveSet {
    pub apps: BTreeMap<AppName, LiveApp>,
    /// Names that are no app names of ours.
    pub strangers: Vec<String>,
}

impl LiveSet {
    pub fn new(apps: impl IntoIterator<Item = LiveApp>) -> Self {
        let mut set = Self::default();
        for app in apps {
            match AppName::new(app.name()) {
                Ok(name) => drop(set.apps.insert(name, app)),
                Err(_) => set.strangers.push(app.name().to_owned()),
            }
        }
        set
    }
}

/// Whom a live app belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Us,
    /// Another manifest, by its name.
    Other(String),
    Nobody,
}

/// What tells that an app is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The marks in its spec.
    Marks,
    /// The marks are gone; its label tells.
    Label,
    /// The marks are gone and labels are not kept; by our records we wrote it last, and nobody else since.
    Record,
}

/// Everything that differs, apps in dependency order and then the orphans by name.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    pub apps: Vec<AppChange>,
    pub orphans: Vec<Orphan>,
    /// Where the code of live apps of ours lies: it need not be sent again.
    pub stored: BTreeMap<BundleRef, String>,
}

/// One declared app against what runs under its name.
#[derive(Debug, Clone)]
pub struct AppChange {
    pub desired: Desired,
    /// What was last applied, where it is on record.
    pub released: Option<Arc<Release>>,
    pub live: Option<LiveApp>,
    pub owner: Owner,
    /// Where it is ours.
    pub known_by: KnownBy,
    /// By wire path, in the order of the manifest's keys.
    pub fields: Vec<FieldChange>,
    /// The keys of what was changed outside to just what is declared.
    pub alike: Vec<String>,
    /// The keys of what was left to others, was not changed since, and is declared again.
    pub again: Vec<String>,
    /// What is left to others, as it runs and as it is declared.
    pub kept: Vec<FieldChange>,
    /// The marks alone: another label, or an adoption.
    pub marks_differ: bool,
    /// The live spec is not what we last wrote: by its own mark, by a field that was left to others, or because there is
    /// none any more.
    pub drifted: bool,
    /// By our records it was written to this target and not deleted since, and it is not there.
    pub gone: bool,
    /// What we last wrote is known, so that each change has an author.
    pub is_attributed: bool,
    /// Wire paths that the server has filled in: no change.
    pub filled: Vec<String>,
    /// The keys of what is not ours and may have been filled in: nobody has seen whether this server does so.
    pub perhaps_filled: Vec<String>,
    /// It is ours and as we wrote it, and what was last applied is another version, or not on record at all.
    pub unrecorded: bool,
    /// The release on record that has the same label and is another version; then `fields` tells how it differs.
    pub taken: Option<Arc<Release>>,
    /// It is to start, by the code that it runs by already, and that is no longer stored.
    pub code_gone: bool,
    /// Which files changed, where the old list is known.
    pub code: Option<CodeChange>,
}

/// A live app of ours that is no longer declared.
#[derive(Debug, Clone)]
pub struct Orphan {
    pub name: AppName,
    pub live: LiveApp,
    pub known_by: KnownBy,
    /// Orphans whose endpoints it uses.
    pub uses: BTreeSet<AppName>,
}

impl AppChange {
    pub fn name(&self) -> &AppName {
        &self.desired.id.name
    }

    /// Whether anything has to be written into the spec of an app that is there.
    pub fn spec_differs(&self) -> bool {
        !self.fields.is_empty() || self.marks_differ
    }

    /// Whether it is to run the code that runs already.
    pub fn has_its_code(&self) -> bool {
        let bundle = self.desired.bundle.as_ref().map(|bundle| bundle.digest);
        bundle.is_some() && bundle == self.live.as_ref().and_then(LiveApp::bundle)
    }
}

/// Compares every declared app with what runs, and finds what runs without being declared any more, unless only some apps
/// were asked for. What the server is known to fill in counts as nothing where it was not asked for.
pub fn diff(
    project: &Project,
    desired: &DesiredSet,
    released: &ReleaseSet,
    live: &LiveSet,
    guarantees: &Guarantees,
) -> ChangeSet {
    let order = project.graph.order().iter();
    let apps = order
        .filter_map(|name| {
            let change = compare::compare(project, desired.apps.get(name)?, released, live.apps.get(name), guarantees);
            Some(match released.labelled.get(name) {
                Some(taken) if change.owner == Owner::Us => compare::against(project, change, taken),
                _ => change,
            })
        })
        .collect();
    let declared: BTreeSet<&AppName> = project.declared.iter().collect();
    let orphan = |(name, app): (&AppName, &LiveApp)| match compare::owner(project, released, app) {
        (Owner::Us, known_by) => {
            Some(Orphan { name: name.clone(), live: app.clone(), known_by, uses: BTreeSet::new() })
        }
        _ => None,
    };
    let others = live.apps.iter().filter(|(name, _)| !project.is_narrowed && !declared.contains(name));
    let mut orphans: Vec<Orphan> = others.filter_map(orphan).collect();
    let names: BTreeSet<AppName> = orphans.iter().map(|orphan| orphan.name.clone()).collect();
    for orphan in &mut orphans {
        let used = endpoints(&orphan.live.0).into_iter();
        orphan.uses = used.filter(|name| names.contains(name) && *name != orphan.name).collect();
    }
    let stored = live.apps.values().filter(|app| app.owner() == Some(&project.owner));
    let stored = stored.filter_map(|app| Some((app.bundle()?, app.bundle_address()?.to_owned()))).collect();
    ChangeSet { apps, orphans, stored }
}
