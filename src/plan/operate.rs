//! Plans that change no spec: activate, deactivate, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::deploy::{STOP_WITHIN, summary};
use super::needs::{Needs, READY_WITHIN, Standing, standing, stopped, waits};
use super::step::{Action, After, Gate, Precondition, Step, StepId};
use super::{AppPlan, ComparedWith, Note, Plan, Reason, Verb};
use crate::canonical::fingerprint;
use crate::diff::LiveSet;
use crate::model::AppName;
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

/// Plans an operation on `names`. Apps of others are refused. What depends on what is told by the manifest, and by the
/// endpoints that live apps are given.
pub fn operate(project: &Project, live: &LiveSet, endpoint: &str, operation: Operation, names: &[AppName]) -> Plan {
    let names: BTreeSet<AppName> = names.iter().cloned().collect();
    let needs = Needs::new(project, live, &names);
    let mut planner = Planner { project, live, operation, needs: &needs, steps: Vec::new(), last: BTreeMap::new() };
    let awaited = planner.awaited(&names);
    let mut order = needs.graph.order().to_vec();
    if operation != Operation::Activate {
        order.reverse();
    }
    let mut apps: Vec<AppPlan> = Vec::new();
    for name in &order {
        let is_awaited = awaited.contains(name);
        let app = match names.contains(name) {
            true => Some(planner.named(name, &names, is_awaited)),
            false => is_awaited.then(|| planner.beside(name)),
        };
        planner.step(name, app.as_ref().map_or(Verb::Unchanged, |app| app.verb), is_awaited);
        apps.extend(app);
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
        steps: planner.steps,
        stored: BTreeMap::new(),
        diagnostics: project.diagnostics.clone(),
    }
}

struct Planner<'a> {
    project: &'a Project,
    live: &'a LiveSet,
    operation: Operation,
    needs: &'a Needs,
    steps: Vec<Step>,
    /// The step of each app; of one that has none, those that it would come after.
    last: BTreeMap<AppName, BTreeSet<StepId>>,
}

impl Planner<'_> {
    /// The apps that are to run, are not ready, and are waited for: those that are named, and those that what is started
    /// depends on.
    fn awaited(&self, names: &BTreeSet<AppName>) -> BTreeSet<AppName> {
        let mut awaited = BTreeSet::new();
        if self.operation != Operation::Activate {
            return awaited;
        }
        let is_awaited = |name: &AppName| standing(self.live.apps.get(name)) == Standing::Awaited;
        // Dependents first: what waits is known before what it waits for.
        for name in self.needs.graph.order().iter().rev() {
            let is_ours = || self.verdict(name).0 != Verb::Refused;
            if names.contains(name) && is_awaited(name) && is_ours() {
                awaited.insert(name.clone());
            }
            let starts = names.contains(name) && self.verdict(name).0 == Verb::Activate;
            if starts || awaited.contains(name) {
                let needed = self.needs.graph.dependencies(name);
                let waited = needed.filter(|other| waits(self.project, name, other) && is_awaited(other));
                awaited.extend(waited.cloned());
            }
        }
        awaited
    }

    fn named(&self, name: &AppName, names: &BTreeSet<AppName>, is_awaited: bool) -> AppPlan {
        let (verb, mut notes) = self.verdict(name);
        if is_awaited {
            notes.push(self.note_of_awaited(name));
        }
        if verb == Verb::Activate {
            notes.extend(self.lacking(name, names));
        }
        if matches!(verb, Verb::Deactivate | Verb::Delete) {
            notes.extend(self.left_running(name, names));
        }
        let reasons = if verb == Verb::Unchanged { Vec::new() } else { vec![Reason::Asked] };
        AppPlan { reasons, notes, ..self.bare(name, verb) }
    }

    /// One that is waited for and not named.
    fn beside(&self, name: &AppName) -> AppPlan {
        AppPlan { notes: vec![self.note_of_awaited(name)], ..self.bare(name, Verb::Unchanged) }
    }

    fn bare(&self, name: &AppName, verb: Verb) -> AppPlan {
        AppPlan::of(name.clone(), verb, self.live.apps.get(name).map(summary))
    }

    fn note_of_awaited(&self, name: &AppName) -> Note {
        let starts = |other: &AppName| self.verdict(other).0 == Verb::Activate;
        match self.needs.graph.dependents(name).any(starts) {
            true => Note::AwaitedFirst,
            false => Note::Awaited,
        }
    }

    fn verdict(&self, name: &AppName) -> (Verb, Vec<Note>) {
        let Some(live) = self.live.apps.get(name) else {
            let note = if self.operation == Operation::Delete { Note::AlreadyGone } else { Note::NotDeployed };
            return (Verb::Unchanged, vec![note]);
        };
        let owner = live.owner();
        if owner != Some(&self.project.owner) {
            return (Verb::Refused, vec![Note::NotOurs { owner: owner.map(str::to_owned) }]);
        }
        let verb = match self.operation {
            Operation::Activate if live.is_stopped() => Verb::Activate,
            Operation::Deactivate if !live.is_stopped() => Verb::Deactivate,
            Operation::Delete => Verb::Delete,
            Operation::Activate | Operation::Deactivate => Verb::Unchanged,
        };
        (verb, Vec::new())
    }

    /// What an app that is started depends on and will not find.
    fn lacking(&self, name: &AppName, names: &BTreeSet<AppName>) -> Vec<Note> {
        let lacking = |other: &AppName| match standing(self.live.apps.get(other)) {
            Standing::Missing => Some(Note::DependsOnMissing { app: other.clone() }),
            Standing::Stopped if !names.contains(other) => Some(stopped(self.project, self.live, other)),
            _ => None,
        };
        self.needs.of(name).filter_map(lacking).collect()
    }

    /// What depends on an app that goes, runs, and is left as it is.
    fn left_running(&self, name: &AppName, names: &BTreeSet<AppName>) -> Vec<Note> {
        let runs = |other: &&AppName| self.live.apps.get(*other).is_some_and(|live| !live.is_stopped());
        let users = self.needs.graph.dependents(name).filter(|other| !names.contains(*other)).filter(runs);
        users.map(|app| Note::LeftRunning { app: app.clone() }).collect()
    }

    /// Adds the step of an app, after those of the apps that go before it. An app without one hands on what it would come
    /// after, so that the order holds across it.
    fn step(&mut self, name: &AppName, verb: Verb, is_awaited: bool) {
        let before: Vec<&AppName> = match self.operation {
            Operation::Activate => self.needs.graph.dependencies(name).collect(),
            Operation::Deactivate | Operation::Delete => self.needs.graph.dependents(name).collect(),
        };
        let mut after: BTreeMap<StepId, bool> = BTreeMap::new();
        for other in before {
            let gate = self.operation != Operation::Activate || waits(self.project, name, other);
            for step in self.last.get(other).into_iter().flatten() {
                *after.entry(*step).or_default() |= gate;
            }
        }
        let action = action(self.ready_within(name), verb, is_awaited);
        let (Some(found), Some((action, gate))) = (self.live.apps.get(name), action) else {
            if !after.is_empty() {
                self.last.insert(name.clone(), after.into_keys().collect());
            }
            return;
        };
        let expects = match action {
            Action::Verify => Precondition::None,
            _ => Precondition::Same(fingerprint(&found.0)),
        };
        let id = StepId(self.steps.len());
        let after = after.into_iter().map(|(step, gate)| After { step, gate }).collect();
        self.steps.push(Step { id, app: name.clone(), action, after, expects, gate });
        self.last.insert(name.clone(), BTreeSet::from([id]));
    }

    fn ready_within(&self, name: &AppName) -> Duration {
        self.project.apps.get(name).map_or(READY_WITHIN, |app| app.ready.within)
    }
}

fn action(ready_within: Duration, verb: Verb, is_awaited: bool) -> Option<(Action, Gate)> {
    match verb {
        Verb::Activate => Some((Action::Activate, Gate::Ready { within: ready_within })),
        Verb::Deactivate => Some((Action::Deactivate, Gate::Stopped { within: STOP_WITHIN })),
        Verb::Delete => Some((Action::Delete, Gate::Gone { within: STOP_WITHIN })),
        _ => is_awaited.then_some((Action::Verify, Gate::Ready { within: ready_within })),
    }
}
