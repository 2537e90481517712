//! Desired against released and live, field by field, as canonical wire messages.

mod code;
mod field;
mod flat;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use code::{Budget, ChangedFile, CodeChange, Content, MAX_FILE, Patch, compare_contents};
pub use field::{FieldChange, conceal, endpoint_name, walk};
pub use flat::{Flat, differing};
pub use unknown::carry_unknown;

use serde_json::{Map, Value};

use crate::canonical::{self, canonical};
use crate::desired::{Desired, DesiredSet};
use crate::model::{AppName, BundleRef, Guarantees, LiveApp, Marks};
use crate::release::{self, AppReleases, Release, ReleaseSet};
use crate::resolve::Project;
use crate::schema::Schema;

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
    /// By wire path, in the order of the manifest's keys.
    pub fields: Vec<FieldChange>,
    /// The marks alone: another label, or an adoption.
    pub marks_differ: bool,
    /// The live spec is not what its own mark says was written.
    pub drifted: bool,
    /// Wire paths that the server has filled in: no change.
    pub filled: Vec<String>,
    /// It is ours and as we wrote it, and what was last applied is another version, or not on record at all.
    pub unrecorded: bool,
    /// The release on record that has the same label and is another version; then `fields` tells how it differs.
    pub taken: Option<Arc<Release>>,
    /// Which files changed, where the old list is known.
    pub code: Option<CodeChange>,
}

/// A live app of ours that is no longer declared.
#[derive(Debug, Clone)]
pub struct Orphan {
    pub name: AppName,
    pub live: LiveApp,
    /// Orphans whose endpoints it uses.
    pub uses: BTreeSet<AppName>,
}

impl AppChange {
    pub fn name(&self) -> &AppName {
        &self.desired.id.name
    }

    /// Whether anything has to be written into the spec.
    pub fn spec_differs(&self) -> bool {
        self.live.is_none() || !self.fields.is_empty() || self.marks_differ
    }
}

/// Compares every declared app with what runs, and finds what runs without being declared any more. What the server is
/// known to fill in counts as nothing where it was not asked for.
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
            let change = compare(project, desired.apps.get(name)?, live.apps.get(name), guarantees);
            let unrecorded = released.is_known && is_unrecorded(released, &change);
            let change = AppChange { released: released.last(name).cloned(), unrecorded, ..change };
            Some(match released.labelled.get(name) {
                Some(taken) if change.owner == Owner::Us => against(project, change, taken),
                _ => change,
            })
        })
        .collect();
    let declared: BTreeSet<&AppName> = project.declared.iter().collect();
    let ours = |app: &LiveApp| app.marks().is_some_and(|marks| marks.owner == project.owner);
    let mut orphans: Vec<Orphan> = live
        .apps
        .iter()
        .filter(|(name, app)| !declared.contains(name) && ours(app))
        .map(|(name, app)| Orphan { name: name.clone(), live: app.clone(), uses: BTreeSet::new() })
        .collect();
    let names: BTreeSet<AppName> = orphans.iter().map(|orphan| orphan.name.clone()).collect();
    for orphan in &mut orphans {
        let inputs = orphan.live.spec().inputs.items.iter().filter_map(field::endpoint_name);
        orphan.uses = inputs.filter(|name| names.contains(name) && *name != orphan.name).collect();
    }
    let stored = live.apps.values().filter(|app| app.owner().as_ref() == Some(&project.owner));
    let stored = stored.filter_map(|app| Some((app.bundle()?, app.bundle_address()?.to_owned()))).collect();
    ChangeSet { apps, orphans, stored }
}

/// Whether what runs is ours, is what its marks say, and is not what was last applied.
fn is_unrecorded(released: &ReleaseSet, change: &AppChange) -> bool {
    let Some(marks) = change.live.as_ref().and_then(LiveApp::marks) else { return false };
    let last = released.apps.get(change.name()).and_then(AppReleases::current);
    let recorded = last.and_then(|entry| entry.version.as_deref()) == Some(&marks.digest.short());
    change.owner == Owner::Us && !change.drifted && !recorded
}

/// How what is declared differs from the release that has its label. Both without what may be a credential.
fn against(project: &Project, change: AppChange, taken: &Arc<Release>) -> AppChange {
    let (declared, _) = release::conceal(&change.desired.spec.0, &taken.owner);
    let differences = walk(&canonical(&taken.message), &canonical(&declared));
    let desired = &change.desired;
    let fields = field::describe(differences, &desired.spans, &desired.pins, Schema::load(), &project.owner);
    AppChange { fields, taken: Some(taken.clone()), ..change }
}

fn compare(project: &Project, desired: &Desired, live: Option<&LiveApp>, guarantees: &Guarantees) -> AppChange {
    let mut change = AppChange {
        desired: desired.clone(),
        released: None,
        live: live.cloned(),
        owner: Owner::Us,
        fields: Vec::new(),
        marks_differ: false,
        drifted: false,
        filled: Vec::new(),
        unrecorded: false,
        taken: None,
        code: None,
    };
    let describe = |old: &Value, new: &Value| {
        field::describe(walk(old, new), &desired.spans, &desired.pins, Schema::load(), &project.owner)
    };
    let Some(live) = live else {
        change.fields = describe(&Value::Object(Map::new()), &canonical(&desired.spec.0));
        return change;
    };
    let marks = live.marks();
    change.owner = match live.owner() {
        Some(owner) if owner == project.owner => Owner::Us,
        Some(owner) => Owner::Other(owner),
        None => Owner::Nobody,
    };
    let (mut old, new) = (canonical(&live.0), canonical(&desired.spec.0));
    change.filled = field::take_filled(&mut old, &new, guarantees);
    // An owner without marks: somebody replaced the whole spec.
    change.drifted = match &marks {
        Some(marks) => marks.digest != canonical::digest(&old),
        None => change.owner != Owner::Nobody,
    };
    change.marks_differ = marks != Marks::read(desired.spec.spec());
    if old != new {
        change.fields = describe(&old, &new);
    }
    change
}
