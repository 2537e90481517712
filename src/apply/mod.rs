//! Runs an approved plan in order and waits at gates.
//!
//! The loop starts what is unblocked, waits for any to end, and unblocks what follows. It owns all progress; writing
//! and becoming ready are two questions with two answers.

mod gate;
mod interrupt;
mod outcome;
mod put;
mod record;
mod send;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

pub use interrupt::Interrupt;
pub use outcome::{ApplyError, GateResult, Outcome, Recording, SkipReason, Stale, StepOutcome, Write, is_as_marked};

use crate::diff::LiveSet;
use crate::model::AppName;
use crate::plan::{Action, After, ApprovedPlan, Plan, Precondition, Step, StepId};
use crate::port::{ControlPlane, Event, Ports, StoreError};
use crate::records::Records;
use crate::release::ReleaseSet;
use record::Recorder;
use write::Writer;

/// How to apply.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many apps are written or waited for at once. 1 or more, default 10.
    pub parallelism: usize,
    pub interrupt: Interrupt,
    /// Who does it, for the record.
    pub by: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallelism: 10, interrupt: Interrupt::default(), by: "unknown".to_owned() }
    }
}

/// Where writes are put on record.
#[derive(Clone, Copy)]
pub struct OnRecord<'a> {
    /// Or why there is no such place.
    pub records: &'a Result<Records, StoreError>,
    /// What was there when the plan was made.
    pub released: &'a ReleaseSet,
}

/// Runs the plan, and puts every write on record. Failures are inside the outcome: every step has exactly one.
/// `planned_on` is what ran when the plan was made.
pub async fn apply(
    approved: &ApprovedPlan,
    planned_on: &LiveSet,
    ports: &Ports,
    control_plane: Arc<dyn ControlPlane>,
    on_record: OnRecord<'_>,
    options: &Options,
) -> Outcome {
    let plan = approved.plan();
    let endpoint = control_plane.endpoint();
    let OnRecord { records, released } = on_record;
    let recorder = Recorder { plan, records, released, clock: ports.clock.as_ref(), endpoint, by: &options.by };
    let (taken, mut writes) = mpsc::unbounded_channel();
    let writer = Writer::new(ports, control_plane.as_ref(), plan, planned_on, &options.interrupt, recorder, taken);
    let mut board = Board::new(plan);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < options.parallelism.max(1) {
            let Some(id) = board.next(options.interrupt.is_set()) else { break };
            let step = &plan.steps[id.0];
            if !matches!(step.action, Action::Upload(_) | Action::Record) {
                ports.events.tell(Event::Started { app: step.app.clone(), action: step.action.verb() });
            }
            let writer = &writer;
            running.push(async move { writer.run(step).await });
        }
        let outcome = tokio::select! {
            biased;
            Some(written) = writes.recv() => {
                board.written.insert(written);
                continue;
            }
            outcome = running.next() => outcome,
        };
        let Some(outcome) = outcome else { break };
        for (app, reason) in board.finish(outcome) {
            ports.events.tell(Event::Skipped { app, reason: reason.to_string() });
        }
    }
    board.into_outcome()
}

/// Which steps wait, run, and are done.
struct Board<'a> {
    plan: &'a Plan,
    started: Vec<bool>,
    /// Steps whose write was taken, at their gates or past them.
    written: BTreeSet<StepId>,
    done: BTreeMap<StepId, StepOutcome>,
}

impl<'a> Board<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self { plan, started: vec![false; plan.steps.len()], written: BTreeSet::new(), done: BTreeMap::new() }
    }

    /// The first step that nothing holds back. After an interrupt only what completes a write that was begun.
    fn next(&mut self, is_interrupted: bool) -> Option<StepId> {
        let past =
            |after: &After| self.done.contains_key(&after.step) || !after.gate && self.written.contains(&after.step);
        let free = |step: &&Step| {
            !self.started[step.id.0]
                && (!is_interrupted || step.expects == Precondition::AsLeft)
                && step.after.iter().all(past)
        };
        let id = self.plan.steps.iter().find(free)?.id;
        self.started[id.0] = true;
        Some(id)
    }

    /// Records an outcome and skips whatever can no longer run; answers the apps newly skipped, each once, but for one
    /// of which another step tells what went wrong.
    fn finish(&mut self, outcome: StepOutcome) -> Vec<(AppName, SkipReason)> {
        self.done.insert(outcome.step, outcome);
        let mut skipped = Vec::new();
        loop {
            let blocked = self.plan.steps.iter().find_map(|step| Some((step, self.blocker(step)?)));
            let Some((step, reason)) = blocked else { return skipped };
            self.started[step.id.0] = true;
            self.done.insert(step.id, StepOutcome::skipped(step, reason.clone()));
            let is_told = matches!(&reason, SkipReason::Dependency { app } if *app == step.app)
                || skipped.iter().any(|(app, _)| *app == step.app);
            if !is_told {
                skipped.push((step.app.clone(), reason));
            }
        }
    }

    /// Why a step that has not started never will.
    fn blocker(&self, step: &Step) -> Option<SkipReason> {
        if self.started[step.id.0] {
            return None;
        }
        let failed = step.after.iter().find_map(|after| {
            let before = self.done.get(&after.step)?;
            (!before.lets_pass(after.gate)).then_some(before)
        })?;
        Some(match (&failed.write, &failed.gate) {
            (Write::Skipped(SkipReason::Interrupted), _) | (_, GateResult::Interrupted { .. }) => {
                SkipReason::Interrupted
            }
            _ => SkipReason::Dependency { app: self.root_of(failed) },
        })
    }

    /// The app at the bottom of a chain of skipped steps.
    fn root_of(&self, outcome: &StepOutcome) -> AppName {
        match &outcome.write {
            Write::Skipped(SkipReason::Dependency { app }) => app.clone(),
            _ => outcome.app.clone(),
        }
    }

    fn into_outcome(mut self) -> Outcome {
        for step in &self.plan.steps {
            self.done.entry(step.id).or_insert_with(|| StepOutcome::skipped(step, SkipReason::Interrupted));
        }
        Outcome { steps: self.done.into_values().collect() }
    }
}
