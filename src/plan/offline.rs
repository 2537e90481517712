//! What a plan can tell without asking anybody: what changed since the last apply on record.

use std::collections::BTreeMap;

use super::deploy::external_to;
use super::why::{changed, choice};
use super::{AppPlan, ComparedWith, Note, Plan, Reason, Verb};
use crate::diff::{AppChange, ChangeSet, Orphan};
use crate::model::Marks;
use crate::resolve::Project;

/// Tells the changes since the last apply on record. There are no steps: nothing of it can be applied.
pub fn offline(project: &Project, changes: &ChangeSet) -> Plan {
    let declared = changes.apps.iter().map(declared);
    Plan {
        owner: project.owner.clone(),
        mask: project.mask.clone(),
        scope: project.scope.clone(),
        target: project.target.name.clone(),
        endpoint: String::new(),
        compared_with: ComparedWith::Records,
        commit: None,
        apps: declared.chain(changes.orphans.iter().map(|one| orphan(project, one))).collect(),
        steps: Vec::new(),
        stored: BTreeMap::new(),
        diagnostics: project.diagnostics.clone(),
    }
}

fn declared(change: &AppChange) -> AppPlan {
    let verb = match &change.released {
        None => Verb::Create,
        Some(_) if change.spec_differs() => Verb::Update,
        Some(_) => Verb::Unchanged,
    };
    let reasons = match verb {
        Verb::Create => vec![Reason::NotOnRecord],
        Verb::Update => why(change),
        _ => Vec::new(),
    };
    let applied = change.released.as_ref().filter(|_| verb == Verb::Update).map(|release| Note::LastApplied {
        version: release.version.mark(),
        at: release.written.at,
        by: release.written.by.clone(),
    });
    let pins: Vec<String> = change.desired.pins.keys().cloned().collect();
    let not_looked_up = (!pins.is_empty()).then_some(Note::NotLookedUp { parameters: pins });
    let is_whole = not_looked_up.is_none();
    AppPlan {
        name: change.name().clone(),
        verb,
        reasons,
        fields: change.fields.clone(),
        kept: change.kept.clone(),
        code: change.code.clone(),
        notes: applied.into_iter().chain(not_looked_up).collect(),
        drifted: false,
        activation: Some(change.desired.activation),
        depends_on: change.desired.needs(),
        restores: false,
        bundle: change.desired.bundle.clone(),
        // What was not looked up is part of what names it.
        version: is_whole.then(|| change.desired.version.clone()),
        live: None,
    }
}

fn why(change: &AppChange) -> Vec<Reason> {
    let reasons = changed(change);
    match &change.released {
        Some(release) if reasons.is_empty() => {
            let kept = Marks::kept(&release.message.spec);
            vec![choice(&kept, &release.version.mark(), change)]
        }
        _ => reasons,
    }
}

fn orphan(project: &Project, orphan: &Orphan) -> AppPlan {
    let note = match external_to(project, &orphan.name) {
        Some(by) => Note::UsedAsExternal { by },
        None => Note::NotPruned,
    };
    let (reasons, notes) = (vec![Reason::NotInManifest], vec![note]);
    AppPlan { reasons, notes, ..AppPlan::of(orphan.name.clone(), Verb::Orphan, None) }
}
