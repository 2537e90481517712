//! One declared app against what runs under its name and what was last applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::attribution::{Attribution, Base, ChangedBy, align};
use super::field::{self, Context, Difference, FieldChange, walk};
use super::filled::{Filled, take_filled, without_additions};
use super::hide::mask_of;
use super::{AppChange, ChangeSet, KnownBy, Orphan, Owner};
use crate::canonical::{canonical, version_of};
use crate::desired::{Desired, DesiredSet};
use crate::model::{AppName, Guarantees, LiveApp, Marks};
use crate::release::{Release, ReleaseSet, conceal};
use crate::resolve::Project;

pub(super) fn compare(
    project: &Project,
    desired: &Desired,
    released: &ReleaseSet,
    live: Option<&LiveApp>,
    guarantees: &Guarantees,
) -> AppChange {
    let marks = live.and_then(LiveApp::marks);
    let desired = &under_its_label(project, desired, marks.as_ref());
    let name = &desired.id.name;
    let mut change =
        AppChange { released: released.last(name).cloned(), live: live.cloned(), ..AppChange::new(desired) };
    let new = canonical(&desired.spec.0);
    let context = Context { spans: &desired.spans, pins: &desired.pins, mask: &project.mask };
    let Some(live) = live else {
        let mask = mask_of(&project.mask, [&new]);
        let context = Context { mask: &mask, ..context };
        // The embedded control plane is of one machine, and reset at will; the records may be of another one.
        change.gone = released.claimed(name).is_some() && !project.target.is_local();
        change.drifted = change.gone;
        let by = if change.gone { ChangedBy::Unknown } else { ChangedBy::Us };
        change.fields = field::describe(walk(&Value::Object(Map::new()), &new), context, |_| (by, None));
        return change;
    };
    let mut old = canonical(&live.0);
    (change.owner, change.known_by) = owner(project, released, live);
    let written = on_record(released, live, marks.as_ref());
    let here = written.filter(|release| release.written.target == project.target.name);
    let known = Filled { guarantees, recorded: here.and_then(|release| release.filled.as_ref()) };
    // An owner without marks: somebody replaced the whole spec.
    let as_written = |form: &Value| marks.as_ref().is_some_and(|marks| marks.digest == version_of(form, &marks.kept));
    let mut is_as_written = as_written(&old);
    // Where it is what we wrote to the letter, nothing was filled in: what a server would is our own then.
    if !is_as_written {
        change.filled = take_filled(&mut old, &new, known);
        is_as_written = as_written(&old);
    }
    if !is_as_written && !known.is_whole() {
        let (without, added) = without_additions(&old, &new);
        if as_written(&without) {
            (old, is_as_written) = (without, true);
            change.perhaps_filled = keys(field::describe(added, context, |_| (ChangedBy::Unknown, None)));
        }
    }
    change.drifted = !is_as_written && change.owner == Owner::Us;
    change.marks_differ = marks != Marks::read(desired.spec.spec());
    change.unrecorded = released.is_known && is_unrecorded(released, &change, marks.as_ref());
    if old == new && !change.drifted {
        return change;
    }
    let base = match (is_as_written, &change.owner) {
        (true, Owner::Us) => Base::Live,
        (false, Owner::Us) => written.map_or(Base::Unknown, Base::Release),
        _ => Base::Unknown,
    };
    change.is_attributed = !matches!(base, Base::Unknown);
    let mask = mask_of(&project.mask, [&new, &old]);
    let context = Context { mask: &mask, ..context };
    let attribution = Attribution::new(&base, desired, live, known, &project.mask);
    let attribution = attribution.written(written, live, &project.mask);
    let differences = walk(&old, &new);
    let again = differences.iter().filter(|difference| attribution.is_declared_again(difference)).cloned().collect();
    change.again = keys(field::describe(again, context, |_| (ChangedBy::Us, None)));
    change.fields = field::describe(differences, context, |difference| attribution.of(difference));
    change.drifted &= marks.is_none() || !attribution.is_left();
    change.drifted |= change.fields.iter().any(|field| field.changed_by.is_drift());
    change.alike = keys(field::describe(attribution.alike(), context, |_| (ChangedBy::Both, None)));
    change
}

/// Content of ours that bears a label keeps it unless another is asked for.
fn under_its_label(project: &Project, desired: &Desired, marks: Option<&Marks>) -> Desired {
    let ours = marks.filter(|marks| marks.owner == project.owner);
    desired.clone().keeping_label(&project.owner, ours.map(Marks::named).as_ref())
}

fn keys(fields: Vec<FieldChange>) -> Vec<String> {
    fields.into_iter().map(|field| field.key).collect()
}

impl AppChange {
    /// Nothing differs yet.
    fn new(desired: &Desired) -> Self {
        Self {
            desired: desired.clone(),
            released: None,
            live: None,
            owner: Owner::Us,
            known_by: KnownBy::Marks,
            fields: Vec::new(),
            alike: Vec::new(),
            again: Vec::new(),
            kept: Vec::new(),
            marks_differ: false,
            drifted: false,
            gone: false,
            is_attributed: true,
            filled: Vec::new(),
            perhaps_filled: Vec::new(),
            unrecorded: false,
            taken: None,
            code_gone: false,
            code: None,
        }
    }
}

/// How what is declared differs from the release that has its label. Both without what may be a credential.
pub(super) fn against(project: &Project, change: AppChange, taken: &Arc<Release>) -> AppChange {
    let (declared, _) = conceal(&change.desired.spec.0, &project.mask);
    let released = canonical(&taken.message);
    let mut declared = canonical(&declared);
    align(&released, &mut declared, &project.mask);
    let differences = walk(&released, &declared);
    let desired = &change.desired;
    let context = Context { spans: &desired.spans, pins: &desired.pins, mask: &project.mask };
    let fields = field::describe(differences, context, |_| (ChangedBy::Us, None));
    AppChange { fields, taken: Some(taken.clone()), ..change }
}

/// Whose a live app is, and how that is known. The marks of another manifest count for more than anything that we know.
pub(super) fn owner(project: &Project, released: &ReleaseSet, live: &LiveApp) -> (Owner, KnownBy) {
    match (live.owner(), live.name().parse().ok()) {
        (Some(owner), _) if owner != project.owner => (Owner::Other(owner.to_owned()), KnownBy::Marks),
        (Some(_), _) if live.marks().is_some() => (Owner::Us, KnownBy::Marks),
        (Some(_), _) => (Owner::Us, KnownBy::Label),
        (None, Some(name)) if released.claimed(&name).is_some() => (Owner::Us, KnownBy::Record),
        (None, _) => (Owner::Nobody, KnownBy::Marks),
    }
}

/// What an app was when we wrote it. What it says itself counts for more than what was recorded last: that is older where a
/// record was lost, and all there is where marks and labels are gone.
fn on_record<'a>(released: &'a ReleaseSet, live: &LiveApp, marks: Option<&Marks>) -> Option<&'a Release> {
    let name = live.name().parse().ok()?;
    let found = match (marks, live.label(Marks::DIGEST_LABEL)) {
        (Some(marks), _) => released.version(&name, &marks.digest.short()),
        (None, Some(digest)) => released.version(&name, digest),
        (None, None) => released.claimed(&name),
    };
    // A message that could not be recorded is empty.
    found.map(Arc::as_ref).filter(|release| release.message.spec.is_set())
}

/// Whether what runs is ours, is what its marks say, and is not what was last applied, or no record of that can be read.
fn is_unrecorded(released: &ReleaseSet, change: &AppChange, marks: Option<&Marks>) -> bool {
    let Some(marks) = marks else { return false };
    let recorded = released.apps.get(change.name()).is_some_and(|of_app| of_app.has_recorded(&marks.digest.short()));
    change.owner == Owner::Us && !change.drifted && !recorded
}

/// Compares every declared app with what was last applied, whatever runs. Parameters that would be looked up are left
/// aside.
pub fn since_release(project: &Project, desired: &DesiredSet, released: &BTreeMap<AppName, Arc<Release>>) -> ChangeSet {
    let order = project.graph.order().iter();
    let apps = order.filter_map(|name| Some(since(project, desired.apps.get(name)?, released.get(name)))).collect();
    let orphan = |(name, release): (&AppName, &Arc<Release>)| Orphan {
        name: name.clone(),
        live: LiveApp(release.message.clone()),
        known_by: KnownBy::Marks,
        uses: BTreeSet::new(),
    };
    let is_orphan = |name: &AppName| !project.is_narrowed && !project.declared.contains(name);
    let orphans = released.iter().filter(|(name, _)| is_orphan(name)).map(orphan).collect();
    ChangeSet { apps, orphans, stored: BTreeMap::new() }
}

fn since(project: &Project, desired: &Desired, released: Option<&Arc<Release>>) -> AppChange {
    let marks = released.and_then(|release| Marks::read(&release.message.spec));
    let desired = &under_its_label(project, desired, marks.as_ref());
    let mut change = AppChange::new(desired);
    let context = Context { spans: &desired.spans, pins: &BTreeMap::new(), mask: &project.mask };
    // Values that may be credentials are placeholders on record.
    let mut new = canonical(&conceal(&desired.spec.0, &project.mask).0);
    let old = released.map_or_else(|| Value::Object(Map::new()), |release| canonical(&release.message));
    align(&old, &mut new, &project.mask);
    let is_known = |difference: &Difference| {
        field::parameter(&difference.path).is_none_or(|name| !desired.pins.contains_key(&name))
    };
    let differences = walk(&old, &new).into_iter().filter(is_known).collect();
    change.fields = field::describe(differences, context, |_| (ChangedBy::Us, None));
    change.released = released.cloned();
    change.marks_differ = desired.pins.is_empty() && marks != Marks::read(desired.spec.spec());
    change
}
