//! What the simulator holds behind its lock: the state, what is due, what has been asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::project::Project;
use jiff::Timestamp;

use super::{Behaviour, Call, Effect, Fault};
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice, TaskVersion};
use crate::model::{AppId, Scope};
use crate::port::{Run, Update};
use crate::server::runtime::{Observation, RuntimeEvent};
use crate::server::state::{Cause, Change, State, Target};

/// How long a status stays as it was after a write, on a server that leaves it.
const STALE: Duration = Duration::from_millis(700);

pub struct World {
    pub state: State,
    pub behaviours: BTreeMap<String, Behaviour>,
    /// What the runtime will report, in order of time, then of being scheduled.
    due: BTreeMap<(Timestamp, u64), RuntimeEvent>,
    scheduled: u64,
    pub changes: Vec<Change>,
    /// Each with how often it could have happened already.
    pub faults: Vec<(Fault, u32)>,
    pub calls: Vec<Call>,
    pub crashed: bool,
    pub uploads: BTreeMap<String, Bytes>,
    pub logs: BTreeMap<String, Vec<String>>,
    /// Oldest first.
    pub runs: Vec<TaskRun>,
    /// Oldest first.
    pub artifacts: Vec<Artifact>,
    /// `None`: every secret is there.
    pub secrets: Option<BTreeSet<(Scope, String)>>,
    /// `None`: every project is there.
    pub projects: Option<Vec<Project>>,
    /// Apps with names that the state does not take.
    pub strangers: Vec<App>,
}

/// A run, and of what.
pub struct TaskRun {
    pub task: String,
    pub version: String,
    pub run: Run,
}

/// What a watch does next.
pub enum Outcome {
    Update(Update),
    /// Until something is due, or for good.
    Wait(Option<Timestamp>),
}

impl World {
    pub fn new(state: State) -> Self {
        Self {
            state,
            behaviours: BTreeMap::new(),
            due: BTreeMap::new(),
            scheduled: 0,
            changes: Vec::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            crashed: false,
            uploads: BTreeMap::new(),
            logs: BTreeMap::new(),
            runs: Vec::new(),
            artifacts: Vec::new(),
            secrets: None,
            projects: None,
            strangers: Vec::new(),
        }
    }

    /// The newest version of a task is that of its last run here.
    pub fn find_run(&self, choice: &RunChoice) -> Option<Run> {
        let found = match choice {
            RunChoice::Run(name) => self.runs.iter().find(|it| it.run.name == *name),
            RunChoice::Task { name, version } => {
                let of_task = || self.runs.iter().rev().filter(|it| it.task == *name);
                let wanted = match version {
                    TaskVersion::Any => None,
                    TaskVersion::Exact(version) => Some(version),
                    TaskVersion::Latest => Some(&of_task().next()?.version),
                };
                let fits = |it: &&TaskRun| wanted.is_none_or(|wanted| it.version == *wanted);
                of_task().filter(fits).find(|it| Run::has_succeeded(it.run.phase))
            }
        };
        found.map(|it| it.run.clone())
    }

    pub fn project(&self, id: &str) -> Option<Project> {
        match &self.projects {
            Some(projects) => projects.iter().find(|project| project.id == id).cloned(),
            None => Some(Project { id: id.to_owned(), ..Default::default() }),
        }
    }

    pub fn strangers_in(&self, scope: &Scope) -> Vec<App> {
        let is_there = |app: &&App| {
            let id = &app.metadata.id;
            (&id.project, &id.domain) == (&scope.project, &scope.domain)
        };
        self.strangers.iter().filter(is_there).cloned().collect()
    }

    /// Those of exactly this scope. Organisations are not kept apart here.
    pub fn find_secrets(&self, scope: &Scope, mut names: BTreeSet<String>) -> BTreeSet<String> {
        let scope = Scope { org: String::new(), ..scope.clone() };
        if let Some(secrets) = &self.secrets {
            names.retain(|name| secrets.contains(&(scope.clone(), name.clone())));
        }
        names
    }

    pub fn find_artifact(&self, scope: &Scope, asked: &ArtifactRef) -> Option<Artifact> {
        let project = asked.project.as_ref().unwrap_or(&scope.project);
        let domain = asked.domain.as_ref().unwrap_or(&scope.domain);
        let fits = |it: &&Artifact| {
            let id = &it.artifact_id;
            id.name.name == asked.name
                && id.name.project == *project
                && id.name.domain == *domain
                && asked.version.as_ref().is_none_or(|version| id.version == *version)
        };
        self.artifacts.iter().rev().find(fits).cloned()
    }

    /// Gives an app its address.
    pub fn locate(&mut self, id: &AppId) {
        let url = format!("https://{}-{}-{}.apps.test", id.name, id.scope.project, id.scope.domain);
        self.state.set_url(id, url);
    }

    /// Lets everything happen that is due by now.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.due.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return;
            }
            let event = entry.remove();
            if let Some(change) = self.state.observe(&event, at) {
                self.state.commit(&change);
                self.changes.push(change);
            }
        }
    }

    /// A write, and what it displaces.
    pub fn take(&mut self, displaced: Option<Change>, change: Option<Change>, now: Timestamp) {
        self.commit(displaced, now);
        self.commit(change, now);
    }

    pub fn commit(&mut self, change: Option<Change>, now: Timestamp) {
        let Some(change) = change else { return };
        self.state.commit(&change);
        self.schedule(&change, now);
        self.changes.push(change);
        self.advance(now);
    }

    /// The state as it was before the last write is put in; the current one is handed out.
    pub fn look_back(&mut self) -> State {
        let current = self.state.clone();
        if let Some(last) = self.changes.iter().rev().find(|change| change.cause == Cause::Write) {
            let back = Change { old: None, new: last.old.clone(), ..last.clone() };
            self.state.commit(&back);
        }
        current
    }

    /// What happens to this request. A fault happens once.
    pub fn fault(&mut self, method: &str, app: Option<&AppId>) -> Option<Effect> {
        let rpc = method.rsplit('/').next().unwrap_or(method);
        let mut hit = None;
        for (at, (fault, seen)) in self.faults.iter_mut().enumerate() {
            let fits = fault.rpc.as_deref().is_none_or(|wanted| wanted == rpc || wanted == method)
                && fault.app.as_deref().is_none_or(|wanted| app.is_some_and(|app| app.name.as_str() == wanted));
            if fits {
                *seen += 1;
                if *seen == fault.occurrence && hit.is_none() {
                    hit = Some(at);
                }
            }
        }
        hit.map(|at| self.faults.remove(at).0.effect)
    }

    pub fn next_update(&mut self, target: &Target, position: &mut usize, now: Timestamp) -> Outcome {
        self.advance(now);
        while let Some(change) = self.changes.get(*position) {
            *position += 1;
            // The client leaves out what leaks from other projects.
            if *target != Target::App(change.id.clone()) {
                continue;
            }
            if self.state.quirks().watch_drops_events && position.is_multiple_of(2) {
                continue;
            }
            return Outcome::Update(match &change.new {
                Some(record) => Update::Is(Box::new(self.state.view(&change.id, record))),
                None => Update::Gone,
            });
        }
        Outcome::Wait(self.due.keys().next().map(|(at, _)| *at))
    }

    fn schedule(&mut self, change: &Change, now: Timestamp) {
        let deployed = |record: &Option<crate::server::state::Record>| {
            record.as_ref().filter(|record| record.running).map(|record| record.deployed)
        };
        let (before, after) = (deployed(&change.old), deployed(&change.new));
        if before == after && change.new.is_some() {
            return;
        }
        self.due.retain(|_, event| event.app != change.id);
        let behaviour = self.behaviours.get(change.id.name.as_str()).cloned().unwrap_or_default();
        let steps = match (&change.new, after) {
            (_, Some(revision)) => behaviour.steps.into_iter().map(|(delay, it)| (delay, revision, it)).collect(),
            (Some(record), None) => vec![(behaviour.stops_after, record.deployed, Observation::Stopped)],
            (None, None) => Vec::new(),
        };
        // The runtime reports later: until then the status is that of before.
        let late = if self.state.quirks().stale_active_after_write { STALE } else { Duration::ZERO };
        for (delay, revision, observation) in steps {
            let delay = delay.max(late);
            let delay = jiff::SignedDuration::try_from(delay).unwrap_or(jiff::SignedDuration::MAX);
            let at = now.checked_add(delay).unwrap_or(Timestamp::MAX);
            self.scheduled += 1;
            self.due.insert((at, self.scheduled), RuntimeEvent { app: change.id.clone(), revision, observation });
        }
    }
}
