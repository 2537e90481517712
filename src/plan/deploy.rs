//! The plan of a deploy: from what differs to ordered steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flyte_schema::flyteidl2::app::spec::DesiredState;

use super::honoured;
use super::step::{Action, After, Gate, Precondition, Step, StepId};
use super::why::{not_packed, of_drift, of_others, reasons, refusal};
use super::{AppPlan, ComparedWith, LiveSummary, Note, Plan, Policy, Reason, Verb};
use crate::canonical::fingerprint;
use crate::diff::{AppChange, ChangeSet, KnownBy, Orphan, Owner, endpoints};
use crate::model::{Activation, App, AppName, BundleRef, Guarantee, Guarantees, LiveApp, State};
use crate::readiness::{self, Evidence, Verdict};
use crate::resolve::Project;

/// How long an app may take to stop or to go.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(120);

/// Orders what differs, and says what is held back.
pub fn plan(project: &Project, changes: ChangeSet, endpoint: &str, policy: Policy, guarantees: &Guarantees) -> Plan {
    let mut planner = Planner::new(guarantees);
    for change in &changes.apps {
        let app = planner.app(change, policy, project, &changes.stored);
        planner.apps.push(app);
    }
    planner.orphans(project, &changes, policy);
    planner.verify(&changes);
    Plan {
        owner: project.owner.clone(),
        mask: project.mask.clone(),
        scope: project.scope.clone(),
        target: project.target.name.clone(),
        endpoint: endpoint.to_owned(),
        compared_with: ComparedWith::Live,
        commit: None,
        apps: planner.apps,
        steps: planner.steps,
        stored: planner.stored,
        diagnostics: project.diagnostics.clone(),
    }
}

/// Where bundles lie.
type Addresses = BTreeMap<BundleRef, String>;

struct Planner<'a> {
    guarantees: &'a Guarantees,
    apps: Vec<AppPlan>,
    steps: Vec<Step>,
    /// The last step of each app.
    last: BTreeMap<AppName, StepId>,
    uploads: BTreeMap<BundleRef, StepId>,
    /// Where code lies that is needed and was sent before.
    stored: Addresses,
    /// Apps that will not run after the plan.
    stopped: BTreeSet<AppName>,
}

impl<'a> Planner<'a> {
    fn new(guarantees: &'a Guarantees) -> Self {
        Self {
            guarantees,
            stored: Addresses::new(),
            apps: Vec::new(),
            steps: Vec::new(),
            last: BTreeMap::new(),
            uploads: BTreeMap::new(),
            stopped: BTreeSet::new(),
        }
    }

    fn push(&mut self, app: &AppName, action: Action, after: Vec<After>, expects: Precondition, gate: Gate) -> StepId {
        let id = StepId(self.steps.len());
        self.steps.push(Step { id, app: app.clone(), action, after, expects, gate });
        id
    }

    fn app(&mut self, change: &AppChange, policy: Policy, project: &Project, stored: &Addresses) -> AppPlan {
        let desired = &change.desired;
        let left_running = change.live.as_ref().is_some_and(|live| is_left_running(live, self.guarantees));
        let runs = change.live.as_ref().is_some_and(|live| !live.is_stopped() && !left_running);
        let wants_active = policy.activate || desired.activation == Activation::Auto;
        let active = wants_active || runs;
        let mut app = AppPlan {
            name: change.name().clone(),
            verb: verb(change, wants_active && !runs, left_running),
            reasons: Vec::new(),
            fields: change.fields.clone(),
            kept: change.kept.clone(),
            code: change.code.clone(),
            notes: Vec::new(),
            drifted: change.drifted && change.owner == Owner::Us,
            activation: Some(desired.activation),
            depends_on: desired.needs(),
            restores: desired.restores,
            bundle: desired.bundle.clone(),
            version: Some(desired.version.clone()),
            live: change.live.as_ref().map(summary),
        };
        if let Some(note) = refusal(change, policy) {
            app.verb = Verb::Refused;
            app.notes.push(note);
            return app;
        }
        if !active {
            self.stopped.insert(app.name.clone());
        }
        app.reasons = reasons(change, app.verb);
        app.notes = of_drift(change);
        app.notes.extend(of_others(change));
        app.notes.extend(self.notes(change, app.verb, active));
        if !active {
            app.notes.extend(self.runs_for_a_moment(change, app.verb, project));
        }
        if project.target.is_local() && matches!(app.verb, Verb::Create | Verb::Update) {
            // Beside `args` it is those that run.
            let is_served = |app: &App| app.python.is_some() && app.args.is_empty();
            let is_object = project.apps.get(&app.name).is_some_and(is_served);
            let note =
                if is_object { Some(Note::ServedBySdk) } else { has_image(change).then_some(Note::ImageNotUsed) };
            app.notes.extend(note);
        }
        app.notes.extend(not_packed(change, app.verb));
        self.write(change, app.verb, active, stored);
        app
    }

    fn write(&mut self, change: &AppChange, verb: Verb, active: bool, stored: &Addresses) {
        let desired = &change.desired;
        let two_steps = !active && self.keeps_only_what_runs(verb);
        let state = match () {
            () if active => DesiredState::DESIRED_STATE_ACTIVE,
            // Such a server takes it for active; whoever reads it knows that it is to be stopped.
            () if two_steps && verb == Verb::Update => DesiredState::DESIRED_STATE_UNSPECIFIED,
            () => DesiredState::DESIRED_STATE_STOPPED,
        };
        let spec = || Box::new(desired.spec.clone().with_desired_state(state));
        let action = match verb {
            Verb::Create => Action::Create(spec()),
            Verb::Update => Action::Update(spec()),
            Verb::Activate => Action::Activate,
            Verb::Deactivate => Action::Deactivate,
            Verb::Unchanged if change.unrecorded => {
                let expects =
                    change.live.as_ref().map_or(Precondition::None, |live| Precondition::Same(fingerprint(&live.0)));
                self.push(change.name(), Action::Record, Vec::new(), expects, Gate::Open);
                return;
            }
            _ => return,
        };
        let gate = match () {
            () if active => Gate::Ready { within: desired.ready_within },
            () if two_steps => Gate::Open,
            () => Gate::Stopped { within: STOP_WITHIN },
        };
        let expects =
            change.live.as_ref().map_or(Precondition::Absent, |live| Precondition::Same(fingerprint(&live.0)));
        let mut after = self.dependencies(change);
        if matches!(action, Action::Create(_) | Action::Update(_)) {
            after.extend(self.upload(change, stored));
        }
        let mut id = self.push(change.name(), action, after, expects, gate);
        if two_steps {
            let after = vec![After { step: id, gate: false }];
            let gate = Gate::Stopped { within: STOP_WITHIN };
            id = self.push(change.name(), Action::Deactivate, after, Precondition::AsLeft, gate);
        }
        self.last.insert(change.name().clone(), id);
    }

    /// Whether this server is known to start what it is to keep, so that it takes a second step to stop it again.
    fn keeps_only_what_runs(&self, verb: Verb) -> bool {
        asked_of(verb).is_some_and(|guarantee| self.guarantees.holds(guarantee) == Some(false))
    }

    fn runs_for_a_moment(&self, change: &AppChange, verb: Verb, project: &Project) -> Option<Note> {
        let known = self.guarantees.holds(asked_of(verb)?);
        let is_stopped = || change.live.as_ref().is_none_or(LiveApp::is_stopped);
        match known {
            Some(true) => None,
            Some(false) => Some(Note::RunsForAMoment),
            // The embedded one is for trying things out.
            None => (is_stopped() && !project.target.is_local()).then_some(Note::MayRunForAMoment),
        }
    }

    /// Edges to the steps of what the app depends on. A stopped dependency is only written before, never awaited.
    fn dependencies(&self, change: &AppChange) -> Vec<After> {
        let of = |dependency: &crate::model::Dependency| {
            let step = *self.last.get(&dependency.app)?;
            Some(After { step, gate: dependency.wait && !self.stopped.contains(&dependency.app) })
        };
        change.desired.depends_on.iter().filter_map(of).collect()
    }

    /// The upload of the app's bundle, unless it or a live app of ours runs the same one, which is still stored. Apps with equal bundles share it.
    fn upload(&mut self, change: &AppChange, stored: &Addresses) -> Option<After> {
        let bundle = change.desired.bundle.as_ref()?;
        if change.has_its_code() && !change.code_gone {
            return None;
        }
        if let Some(address) = stored.get(&bundle.digest) {
            self.stored.insert(bundle.digest, address.clone());
            return None;
        }
        let step = match self.uploads.get(&bundle.digest) {
            Some(step) => *step,
            None => {
                let action = Action::Upload(bundle.clone());
                let step = self.push(change.name(), action, Vec::new(), Precondition::None, Gate::Open);
                self.uploads.insert(bundle.digest, step);
                step
            }
        };
        Some(After { step, gate: false })
    }

    fn notes(&self, change: &AppChange, verb: Verb, active: bool) -> Vec<Note> {
        let mut notes = Vec::new();
        match verb {
            Verb::Create | Verb::Update if !active => notes.push(Note::StaysStopped),
            Verb::Update if change.live.as_ref().is_some_and(|live| !live.is_stopped()) => {
                notes.push(Note::TakesEffectAtOnce);
            }
            Verb::Unchanged => {
                let verdict = readiness::judge(change.live.as_ref(), &Evidence::any());
                if let Verdict::Failed { reason } = verdict {
                    notes.push(Note::Unhealthy { status: reason.to_string() });
                }
            }
            _ => {}
        }
        if matches!(verb, Verb::Create | Verb::Update) {
            let is_written = |key: &str| change.desired.spans.contains_key(key);
            let keys = honoured::not_acted_on(change.desired.spec.spec(), is_written, self.guarantees);
            notes.extend((!keys.is_empty()).then_some(Note::NotActedOn { keys }));
        }
        let restores = change.desired.restores;
        if active && (matches!(verb, Verb::Create | Verb::Activate) || restores && verb == Verb::Update) {
            let stopped = change.desired.depends_on.iter().filter(|on| self.stopped.contains(&on.app));
            notes.extend(stopped.map(|on| Note::DependsOnStopped { app: on.app.clone() }));
        }
        notes
    }

    /// Orphans are told in any case, and deleted, users first, when pruning; but for those that lost their marks, and those
    /// that are to be deployed elsewhere.
    fn orphans(&mut self, project: &Project, changes: &ChangeSet, policy: Policy) {
        let users = if policy.prune { users(changes) } else { BTreeMap::new() };
        let mut open: Vec<&Orphan> = changes.orphans.iter().collect();
        while !open.is_empty() {
            // A cycle among orphans cannot be ordered; then the first by name goes first.
            let used = |orphan: &&Orphan| !open.iter().any(|other| other.uses.contains(&orphan.name));
            let at = open.iter().position(used).unwrap_or(0);
            let orphan = open.remove(at);
            let is_marked = orphan.known_by == KnownBy::Marks;
            let user = external_to(project, &orphan.name);
            let verb = if policy.prune && is_marked && user.is_none() { Verb::Delete } else { Verb::Orphan };
            if verb == Verb::Delete {
                // Until they are written.
                let users = users.get(&orphan.name).into_iter().flatten();
                let after = users.filter_map(|name| Some(After { step: *self.last.get(name)?, gate: true })).collect();
                let expects = Precondition::Same(fingerprint(&orphan.live.0));
                let id = self.push(&orphan.name, Action::Delete, after, expects, Gate::Gone { within: STOP_WITHIN });
                self.last.insert(orphan.name.clone(), id);
            }
            let notes = match (verb, user) {
                (Verb::Delete, _) => Vec::new(),
                (_, Some(by)) => vec![Note::UsedAsExternal { by }],
                (_, None) if is_marked => vec![Note::NotPruned],
                (_, None) => vec![Note::MarksLost],
            };
            let app = AppPlan::of(orphan.name.clone(), verb, Some(summary(&orphan.live)));
            self.apps.push(AppPlan { reasons: vec![Reason::NotInManifest], notes, ..app });
        }
    }

    /// An unchanged app that is to run and is not ready is waited for: before its dependents are written, and also
    /// where there are none, or a second apply would call a failed deploy done. It is looked at when what it depends on
    /// itself is there.
    fn verify(&mut self, changes: &ChangeSet) {
        let by_name: BTreeMap<&AppName, &AppChange> = changes.apps.iter().map(|app| (app.name(), app)).collect();
        for change in &changes.apps {
            let live = change.live.as_ref();
            let is_unready = !self.last.contains_key(change.name())
                && change.owner == Owner::Us
                && live.is_some_and(|live| !live.is_stopped())
                && !matches!(readiness::judge(live, &Evidence::any()), Verdict::Ready);
            if !is_unready {
                continue;
            }
            let needs =
                |other: &&AppChange| other.desired.depends_on.iter().any(|on| on.wait && on.app == *change.name());
            let waits = |step: &Step| {
                !matches!(step.action, Action::Upload(_) | Action::Record) && by_name.get(&step.app).is_some_and(needs)
            };
            let waiting: Vec<StepId> = self.steps.iter().filter(|step| waits(step)).map(|step| step.id).collect();
            let note = if waiting.is_empty() { Note::Awaited } else { Note::AwaitedFirst };
            let gate = Gate::Ready { within: change.desired.ready_within };
            let id = StepId(self.steps.len());
            let app = change.name().clone();
            let after = self.dependencies(change);
            self.last.insert(app.clone(), id);
            self.steps.push(Step { id, app, action: Action::Verify, after, expects: Precondition::None, gate });
            for step in waiting {
                self.steps[step.0].after.push(After { step: id, gate: true });
            }
            if let Some(app) = self.apps.iter_mut().find(|app| app.name == *change.name()) {
                app.notes.push(note);
            }
        }
    }
}

/// The first declared app that is given the endpoint of an app as of one that is deployed elsewhere.
pub(super) fn external_to(project: &Project, name: &AppName) -> Option<AppName> {
    project.apps.values().find(|app| app.is_external(name)).map(|app| app.name.clone())
}

/// Who uses each orphan: declared apps as they run, and other orphans.
fn users(changes: &ChangeSet) -> BTreeMap<AppName, Vec<AppName>> {
    let mut users: BTreeMap<AppName, Vec<AppName>> = BTreeMap::new();
    for app in &changes.apps {
        for used in app.live.iter().flat_map(|live| endpoints(&live.0)) {
            users.entry(used).or_default().push(app.name().clone());
        }
    }
    for orphan in &changes.orphans {
        for used in &orphan.uses {
            users.entry(used.clone()).or_default().push(orphan.name.clone());
        }
    }
    users
}

/// What a server must guarantee for an app to stay stopped through a write.
fn asked_of(verb: Verb) -> Option<Guarantee> {
    match verb {
        Verb::Create => Some(Guarantee::CreatesStopped),
        Verb::Update => Some(Guarantee::KeepsStoppedSpec),
        _ => None,
    }
}

/// Whether an app of ours runs, or is about to, though it was to be stopped.
fn is_left_running(live: &LiveApp, guarantees: &Guarantees) -> bool {
    if live.marks().is_none() {
        return false;
    }
    let asked = live.spec().desired_state;
    if asked == DesiredState::DESIRED_STATE_UNSPECIFIED {
        return true;
    }
    asked == DesiredState::DESIRED_STATE_STOPPED
        && match live.condition().map(|_| live.state()) {
            Some(State::Stopped) => false,
            Some(State::Active | State::ScaledToZero | State::Deploying | State::Pending | State::Failed) => true,
            // It was created a moment ago.
            Some(State::Unknown) | None => guarantees.holds(Guarantee::CreatesStopped) == Some(false),
        }
}

fn verb(change: &AppChange, inactive: bool, left_running: bool) -> Verb {
    match &change.live {
        None => Verb::Create,
        Some(_) if change.spec_differs() || change.code_gone => Verb::Update,
        Some(_) if inactive => Verb::Activate,
        Some(_) if left_running => Verb::Deactivate,
        Some(_) => Verb::Unchanged,
    }
}

fn has_image(change: &AppChange) -> bool {
    crate::model::spec::image(change.desired.spec.spec()).is_some_and(|image| !image.is_empty())
}

pub(super) fn summary(live: &LiveApp) -> LiveSummary {
    LiveSummary {
        version: live.marks().map(|marks| marks.version),
        revision: live.revision(),
        state: live.state(),
        url: live.url().map(str::to_owned),
    }
}
