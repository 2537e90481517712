//! What apps depend on: as they are declared, and as they run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::deploy::summary;
use super::step::{Action, After, Gate, Precondition, Step, StepId};
use super::{AppPlan, Note, Plan, Policy, Verb};
use crate::diff::{AppChange, LiveSet, Owner, endpoints};
use crate::model::{Activation, AppName, LiveApp};
use crate::readiness::{Evidence, Verdict, judge};
use crate::resolve::{Graph, Project};

/// How long an app may take to become ready that is no longer declared.
pub const READY_WITHIN: Duration = Duration::from_secs(300);

/// How an app stands that others depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Ready,
    /// It is to run, and is not ready.
    Awaited,
    Stopped,
    Missing,
}

pub(super) fn standing(live: Option<&LiveApp>) -> Standing {
    match live {
        None => Standing::Missing,
        Some(live) if live.is_stopped() => Standing::Stopped,
        Some(_) => match judge(live, &Evidence::any()) {
            Verdict::Ready => Standing::Ready,
            _ => Standing::Awaited,
        },
    }
}

/// Who depends on whom among everything that is declared or runs.
pub(super) struct Needs {
    /// Without circles.
    pub graph: Graph,
    /// Also what is neither declared nor there.
    of: BTreeMap<AppName, BTreeSet<AppName>>,
}

impl Needs {
    pub fn new(project: &Project, live: &LiveSet, names: &BTreeSet<AppName>) -> Self {
        let all: BTreeSet<&AppName> = project.graph.order().iter().chain(live.apps.keys()).chain(names).collect();
        let declared = |name: &AppName| project.graph.dependencies(name).cloned().collect::<BTreeSet<_>>();
        let used = |name: &AppName| {
            let mut used = live.apps.get(name).map(|app| endpoints(&app.0)).unwrap_or_default();
            used.remove(name);
            used
        };
        let both = |name: &AppName| declared(name).into_iter().chain(used(name)).collect();
        let edges = |of: &dyn Fn(&AppName) -> BTreeSet<AppName>| -> BTreeMap<AppName, BTreeSet<AppName>> {
            all.iter().map(|name| ((*name).clone(), of(name))).collect()
        };
        let of = edges(&both);
        // What runs may depend on each other the other way round than what is declared by now: then that counts.
        let graph = Graph::new(of.clone()).or_else(|_| Graph::new(edges(&declared))).unwrap_or_default();
        Self { graph, of }
    }

    /// Everything that an app depends on.
    pub fn of(&self, name: &AppName) -> impl Iterator<Item = &AppName> {
        self.of.get(name).into_iter().flatten()
    }
}

/// Whether an app is started only when `other`, which it depends on, is ready: unless it is declared otherwise, or
/// the URL of `other` alone is wanted.
pub(super) fn waits(project: &Project, name: &AppName, other: &AppName) -> bool {
    let Some(app) = project.apps.get(name) else { return true };
    let declared = app.depends_on.iter().find(|on| on.app == *other);
    declared.map_or(!app.asks_only(other), |on| on.wait)
}

/// What is told of a stopped app that one that is started depends on. An app of others is not ours to start.
pub(super) fn stopped(project: &Project, live: &LiveSet, app: &AppName) -> Note {
    let is_ours = live.apps.get(app).and_then(LiveApp::owner) == Some(&project.owner);
    match is_ours || project.declared.contains(app) {
        true => Note::DependsOnStopped { app: app.clone() },
        false => Note::UsesStopped { app: app.clone() },
    }
}

/// Tells of the apps that a plan starts and that are given the endpoint of a stopped app of others.
pub fn tell_stopped(plan: &mut Plan, project: &Project, live: &LiveSet) {
    let starts = |step: &Step| matches!(step.gate, Gate::Ready { .. }) && !matches!(step.action, Action::Verify);
    let started: BTreeSet<AppName> =
        plan.steps.iter().filter(|step| starts(step)).map(|step| step.app.clone()).collect();
    for app in plan.apps.iter_mut().filter(|app| started.contains(&app.name)) {
        let external = project.apps.get(&app.name).into_iter().flat_map(|declared| &declared.external);
        let stopped = external.filter(|other| standing(live.apps.get(&other.app)) == Standing::Stopped);
        app.notes.extend(stopped.map(|other| self::stopped(project, live, &other.app)));
    }
}

/// Has a plan wait for what its apps depend on (`needs`) and it does not touch, before they are written, and tells what
/// of it is stopped or not there.
pub fn await_others(plan: &mut Plan, project: &Project, live: &LiveSet, needs: &BTreeMap<AppName, BTreeSet<AppName>>) {
    let mut awaited: BTreeMap<AppName, StepId> = BTreeMap::new();
    for (name, needed) in needs {
        let writes = |step: &Step| step.app == *name && !matches!(step.action, Action::Upload(_) | Action::Record);
        let written: Vec<usize> = (0..plan.steps.len()).filter(|at| writes(&plan.steps[*at])).collect();
        let runs = written.iter().any(|at| matches!(plan.steps[*at].gate, Gate::Ready { .. }));
        for other in needed.iter().filter(|other| !needs.contains_key(*other)) {
            let note = match standing(live.apps.get(other)) {
                Standing::Missing => Some(Note::DependsOnMissing { app: other.clone() }),
                Standing::Stopped => Some(stopped(project, live, other)),
                Standing::Awaited if !written.is_empty() && waits(project, name, other) => {
                    let step = *awaited.entry(other.clone()).or_insert_with(|| verify(plan, project, other));
                    for at in &written {
                        plan.steps[*at].after.push(After { step, gate: true });
                    }
                    None
                }
                Standing::Awaited | Standing::Ready => None,
            };
            let app = plan.apps.iter_mut().find(|app| app.name == *name);
            if let (Some(app), Some(note), true) = (app, note, runs) {
                app.notes.push(note);
            }
        }
    }
    let of = |name: &AppName| {
        let app = AppPlan::of(name.clone(), Verb::Unchanged, live.apps.get(name).map(summary));
        AppPlan { notes: vec![Note::AwaitedFirst], ..app }
    };
    plan.apps.splice(0..0, awaited.keys().map(of));
}

fn verify(plan: &mut Plan, project: &Project, app: &AppName) -> StepId {
    let id = StepId(plan.steps.len());
    let within = project.apps.get(app).map_or(READY_WITHIN, |app| app.ready.within);
    plan.steps.push(Step {
        id,
        app: app.clone(),
        action: Action::Verify,
        after: Vec::new(),
        expects: Precondition::None,
        gate: Gate::Ready { within },
    });
    id
}

/// Whether the plan counts on the app's code: not where it is left as it is and runs, or stays stopped.
pub fn counts_on_code(change: &AppChange, policy: Policy) -> bool {
    let Some(live) = change.live.as_ref().filter(|_| !change.spec_differs()) else { return true };
    let wants_active = policy.activate || change.desired.activation == Activation::Auto;
    let starts = match live.is_stopped() {
        true => wants_active,
        false => !matches!(judge(Some(live), &Evidence::any()), Verdict::Ready),
    };
    starts && change.owner == Owner::Us
}
