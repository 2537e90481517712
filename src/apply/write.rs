//! One step: check what it was planned on, write, read back, wait at the gate.

use std::collections::BTreeMap;

use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::app::spec::DesiredState;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::gate;
use super::interrupt::Interrupt;
use super::outcome::{ApplyError, GateResult, Recording, Stale, StepOutcome, Write};
use super::put::{as_meant, with_state};
use super::record::Recorder;
use super::send::PATIENCE;
use crate::bundle::{self, Bundle};
use crate::canonical::fingerprint;
use crate::diff::{Flat, LiveSet, differing};
use crate::model::{AppId, AppName, BundleRef, Fingerprint, LiveApp, Mask, Scope};
use crate::plan::{Action, Gate, Plan, Precondition, Step, StepId};
use crate::port::{ControlPlane, Event, Ports};
use crate::readiness::Evidence;

/// Carries out steps against one control plane.
pub(super) struct Writer<'a> {
    pub ports: &'a Ports,
    pub control_plane: &'a dyn ControlPlane,
    pub scope: &'a Scope,
    mask: &'a Mask,
    planned_on: &'a LiveSet,
    pub interrupt: &'a Interrupt,
    recorder: Recorder<'a>,
    /// Where bundles lie that were uploaded, now or before.
    pub addresses: Mutex<BTreeMap<BundleRef, String>>,
    /// What each app was when its last step ended.
    left: Mutex<BTreeMap<AppName, Fingerprint>>,
    /// Told of each write that was taken, before its gate.
    taken: UnboundedSender<StepId>,
}

/// A write that was taken.
pub(super) struct Written {
    /// The message that was sent; of a deleted app, what was read before.
    pub sent: Option<App>,
    /// The app as read back. `None`: nothing was written, or it was deleted.
    pub live: Option<LiveApp>,
    /// What the app was before.
    pub before: Option<LiveApp>,
    pub evidence: Evidence,
}

/// A write that was not taken, and the app where it was read.
struct Unwritten {
    write: Write,
    live: Option<LiveApp>,
}

impl From<Write> for Unwritten {
    fn from(write: Write) -> Self {
        Self { write, live: None }
    }
}

impl<'a> Writer<'a> {
    pub fn new(
        ports: &'a Ports,
        control_plane: &'a dyn ControlPlane,
        plan: &'a Plan,
        planned_on: &'a LiveSet,
        interrupt: &'a Interrupt,
        recorder: Recorder<'a>,
        taken: UnboundedSender<StepId>,
    ) -> Self {
        let (scope, mask, addresses, left) =
            (&plan.scope, &plan.mask, Mutex::new(plan.stored.clone()), Mutex::default());
        Self { ports, control_plane, scope, mask, planned_on, interrupt, recorder, addresses, left, taken }
    }

    pub async fn run(&self, step: &Step) -> StepOutcome {
        let id = self.scope.app(&step.app);
        let mut outcome = StepOutcome::new(step, Write::Done);
        let written = match &step.action {
            Action::Upload(bundle) => {
                if let Err(write) = self.upload(bundle).await {
                    self.tell_failed(&id, &write);
                    outcome.write = write;
                }
                return outcome;
            }
            Action::Record => {
                outcome.recording = self.record_live(step, &id).await;
                return outcome;
            }
            Action::Verify => {
                let alone = step.after.is_empty();
                let evidence = if alone { Evidence::any() } else { Evidence::after_dependencies() };
                Written { sent: None, live: None, before: None, evidence }
            }
            _ => match self.write(step, &id).await {
                Ok(written) => written,
                Err(Unwritten { write, live }) => {
                    self.tell_failed(&id, &write);
                    if matches!(write, Write::Partial { .. }) {
                        self.look_at(step, &id, &mut outcome).await;
                    }
                    outcome.write = write;
                    outcome.live = live.or(outcome.live);
                    return outcome;
                }
            },
        };
        if let Some(live) = &written.live {
            self.left.lock().await.insert(step.app.clone(), fingerprint(&live.0));
        }
        if !matches!(step.action, Action::Verify) {
            let revision = written.live.as_ref().map_or(0, |live| live.revision().0);
            self.ports.events.tell(Event::Written { app: step.app.clone(), action: step.action.verb(), revision });
        }
        // What completes the step before is on record with it.
        if let Some(sent) = written.sent.as_ref().filter(|_| step.expects != Precondition::AsLeft) {
            outcome.recording = self.recorder.record(step, sent, written.live.as_ref()).await;
        }
        // Nobody listens any more when the apply has ended.
        let _ = self.taken.send(step.id);
        if step.gate != Gate::Open {
            let seen = gate::wait(self, &id, step.gate, &written).await;
            outcome.gate = seen.result;
            outcome.live = seen.live;
        }
        outcome.live = outcome.live.or(written.live);
        if step.gate != Gate::Open {
            self.after_gate(&id, step.gate, &mut outcome).await;
        }
        outcome
    }

    async fn after_gate(&self, id: &AppId, gate: Gate, outcome: &mut StepOutcome) {
        let app = id.name.clone();
        let reason = match &outcome.gate {
            GateResult::Passed { waited } => {
                self.ports.events.tell(Event::Passed { app, goal: gate.goal(), waited: *waited });
                return;
            }
            GateResult::NotReached | GateResult::Interrupted { .. } => return,
            GateResult::TimedOut { last } => format!("not {} in time; last seen: {last}", gate.goal()),
            GateResult::Failed { last } => last.to_string(),
            GateResult::Overtaken { state } => format!("{state} meanwhile, by somebody else"),
            GateResult::Unreachable { error } => {
                let reason = format!("the control plane no longer answers: {error}");
                self.ports.events.tell(Event::Failed { app, reason });
                return;
            }
        };
        self.ports.events.tell(Event::Failed { app, reason });
        outcome.logs = gate::last_lines(self, id).await;
    }

    fn tell_failed(&self, id: &AppId, write: &Write) {
        let reason = match write {
            Write::Failed { error } => error.to_string(),
            Write::Partial { error } => format!("written, and not as it should be: {error}"),
            Write::Unknown { error } => {
                let reason = format!("whether it was written: {error}");
                self.ports.events.tell(Event::Unknown { app: id.name.clone(), reason });
                return;
            }
            Write::Done | Write::Skipped(_) => return,
        };
        self.ports.events.tell(Event::Failed { app: id.name.clone(), reason });
    }

    async fn upload(&self, bundle: &Bundle) -> Result<(), Write> {
        let failed = |message: String| Write::Failed { error: ApplyError::Bundle { message } };
        let files = self.ports.files.clone();
        let owned = bundle.clone();
        let packed = tokio::task::spawn_blocking(move || bundle::archive(files.as_ref(), &owned)).await;
        let parcel = match packed {
            Ok(Ok(parcel)) => parcel,
            Ok(Err(error)) => return Err(failed(with_causes(&error))),
            Err(error) => return Err(failed(error.to_string())),
        };
        let sent = self.control_plane.upload(self.scope, &parcel).await;
        // An upload is repeatable and nothing refers to it yet, so no answer is the same as a refusal.
        let address = sent.map_err(|rpc| Write::Failed { error: ApplyError::Rpc { rpc } })?;
        self.addresses.lock().await.insert(bundle.digest, address);
        Ok(())
    }

    async fn write(&self, step: &Step, id: &AppId) -> Result<Written, Unwritten> {
        let before = self.expected(step, id).await?;
        let written = match (&step.action, before) {
            (Action::Delete, before) => self.delete(id, before).await,
            (Action::Create(spec), before) => self.put(step, id, spec, before).await,
            (Action::Update(spec), Some(before)) => self.put(step, id, spec, Some(before)).await,
            (Action::Activate, Some(before)) => self.switch(id, before, DesiredState::DESIRED_STATE_ACTIVE).await,
            (Action::Deactivate, Some(before)) => self.switch(id, before, DesiredState::DESIRED_STATE_STOPPED).await,
            // `check` has refused these: the steps expect a live app.
            _ => Err(Write::Failed { error: ApplyError::Stale(Stale::Vanished) }),
        };
        Ok(written?)
    }

    /// The app right before the write, if it is what the step was planned on.
    async fn expected(&self, step: &Step, id: &AppId) -> Result<Option<LiveApp>, Unwritten> {
        let left = match step.expects {
            Precondition::AsLeft => self.left.lock().await.get(&step.app).copied(),
            _ => None,
        };
        let expects = left.map_or(step.expects, Precondition::Same);
        let mut pauses = PATIENCE.into_iter();
        loop {
            let read = self.control_plane.get(id).await;
            let before = read.map_err(|rpc| Write::Failed { error: ApplyError::Rpc { rpc } })?.map(LiveApp);
            match check(expects, before.as_ref()) {
                Ok(()) => return Ok(before),
                // We have just written it: another answer may be an old one.
                Err(stale) => match pauses.next().filter(|_| left.is_some()) {
                    Some(pause) => self.ports.clock.sleep(pause).await,
                    None => {
                        let stale = if left.is_none() { self.named(&step.app, stale, before.as_ref()) } else { stale };
                        let write = Write::Failed { error: ApplyError::Stale(stale) };
                        return Err(Unwritten { write, live: before });
                    }
                },
            }
        }
    }

    /// The same with the fields that somebody changed.
    fn named(&self, app: &AppName, stale: Stale, now: Option<&LiveApp>) -> Stale {
        match (stale, self.planned_on.apps.get(app), now) {
            (Stale::Changed { .. }, Some(planned), Some(now)) => {
                let flat = |app: &LiveApp| Flat::of(&app.0, self.mask);
                Stale::Changed { fields: differing(&flat(planned), &flat(now)) }
            }
            (stale, ..) => stale,
        }
    }

    /// Puts on record what runs already. It was not planned on anything else.
    async fn record_live(&self, step: &Step, id: &AppId) -> Recording {
        let failed = |error: String| Recording::Failed { error, help: None };
        match self.control_plane.get(id).await {
            Ok(live) => match (check(step.expects, live.clone().map(LiveApp).as_ref()), live) {
                (Ok(()), Some(live)) => self.recorder.record(step, &live, None).await,
                (Err(stale), _) => failed(stale.to_string()),
                (Ok(()), None) => failed(Stale::Vanished.to_string()),
            },
            Err(error) => failed(error.to_string()),
        }
    }

    /// What a write has left that was not completed. Where that is what was to be written, it is on record.
    async fn look_at(&self, step: &Step, id: &AppId, outcome: &mut StepOutcome) {
        let Ok(Some(live)) = self.control_plane.get(id).await else { return };
        let live = LiveApp(live);
        if let Action::Create(spec) | Action::Update(spec) = &step.action
            && self.differing(&spec.0, &live).is_none()
            && LiveApp(spec.0.clone()).marks() == live.marks()
        {
            let meant = match step.gate {
                Gate::Stopped { .. } => with_state(&live.0, &live, DesiredState::DESIRED_STATE_STOPPED),
                _ => as_meant(live.0.clone()),
            };
            outcome.recording = self.recorder.record(step, &meant, None).await;
        }
        outcome.live = Some(live);
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

fn check(expects: Precondition, live: Option<&LiveApp>) -> Result<(), Stale> {
    match (expects, live) {
        // Nothing of ours was left to compare with.
        (Precondition::AsLeft, _) => Err(Stale::changed()),
        (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
        (Precondition::Absent, Some(_)) => Err(Stale::Appeared),
        (Precondition::Same(_), None) => Err(Stale::Vanished),
        (Precondition::Same(expected), Some(live)) if fingerprint(&live.0) == expected => Ok(()),
        (Precondition::Same(_), Some(_)) => Err(Stale::changed()),
    }
}
