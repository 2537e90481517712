//! Plans that change no spec: activate, deactivate, delete.

use std::collections::BTreeMap;

use super::deploy::{STOP_WITHIN, summary};
use super::step::{Action, After, Gate, Precondition, Step, StepId};
use super::{AppPlan, ComparedWith, Note, Plan, Reason, Verb};
use crate::canonical::fingerprint;
use crate::diff::LiveSet;
use crate::model::{AppName, LiveApp};
use crate::resolve::Project;

/// What is asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Dependencies first.
    Activate,
    /// Dependents first.
    Deactivate,
    /// Dependents first.
    Delete,
}

/// Plans an operation on `names`, which are live or declared. Apps of others are refused.
pub fn operate(project: &Project, live: &LiveSet, endpoint: &str, operation: Operation, names: &[AppName]) -> Plan {
    let mut apps = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut last: BTreeMap<AppName, StepId> = BTreeMap::new();
    for name in ordered(project, operation, names) {
        let found = live.apps.get(&name);
        let (verb, notes) = verdict(project, operation, found);
        if let (Some(found), Some((action, gate))) = (found, action(project, &name, verb)) {
            let id = StepId(steps.len());
            let before: Vec<&AppName> = match operation {
                Operation::Activate => project.graph.dependencies(&name).collect(),
                Operation::Deactivate | Operation::Delete => project.graph.dependents(&name).collect(),
            };
            let after =
                before.into_iter().filter_map(|other| last.get(other)).map(|step| After { step: *step, gate: true });
            let (app, expects) = (name.clone(), Precondition::Same(fingerprint(&found.0)));
            steps.push(Step { id, app, action, after: after.collect(), expects, gate });
            last.insert(name.clone(), id);
        }
        apps.push(AppPlan {
            verb,
            reasons: if verb == Verb::Unchanged { Vec::new() } else { vec![Reason::Asked] },
            fields: Vec::new(),
            kept: Vec::new(),
            code: None,
            notes,
            drifted: false,
            activation: None,
            restores: None,
            bundle: None,
            version: None,
            live: found.map(summary),
            name,
        });
    }
    Plan {
        owner: project.owner.clone(),
        mask: project.mask.clone(),
        scope: project.scope.clone(),
        target: project.target.name.clone(),
        endpoint: endpoint.to_owned(),
        compared_with: ComparedWith::Live,
        commit: None,
        apps,
        steps,
        stored: BTreeMap::new(),
        diagnostics: project.diagnostics.clone(),
    }
}

/// Declared apps in the order the operation needs; others before them.
fn ordered(project: &Project, operation: Operation, names: &[AppName]) -> Vec<AppName> {
    let position = |name: &AppName| project.graph.order().iter().position(|other| other == name);
    let mut names = names.to_vec();
    names.sort_by_key(|name| (position(name), name.clone()));
    names.dedup();
    if operation != Operation::Activate {
        names.reverse();
    }
    names
}

fn verdict(project: &Project, operation: Operation, live: Option<&LiveApp>) -> (Verb, Vec<Note>) {
    let Some(live) = live else { return (Verb::Unchanged, vec![Note::NotDeployed]) };
    let owner = live.owner();
    if owner != Some(&project.owner) {
        return (Verb::Refused, vec![Note::NotOurs { owner: owner.map(str::to_owned) }]);
    }
    let verb = match operation {
        Operation::Activate if live.is_stopped() => Verb::Activate,
        Operation::Deactivate if !live.is_stopped() => Verb::Deactivate,
        Operation::Delete => Verb::Delete,
        Operation::Activate | Operation::Deactivate => Verb::Unchanged,
    };
    (verb, Vec::new())
}

fn action(project: &Project, name: &AppName, verb: Verb) -> Option<(Action, Gate)> {
    let ready = project.apps.get(name).map_or(std::time::Duration::from_secs(300), |app| app.ready.within);
    match verb {
        Verb::Activate => Some((Action::Activate, Gate::Ready { within: ready })),
        Verb::Deactivate => Some((Action::Deactivate, Gate::Stopped { within: STOP_WITHIN })),
        Verb::Delete => Some((Action::Delete, Gate::Gone { within: STOP_WITHIN })),
        _ => None,
    }
}
