//! One step: check what it was planned on, write, read back, wait at the gate.

use std::collections::BTreeMap;
use std::time::Duration;

use flyte_schema::flyteidl2::app::spec::DesiredState;
use flyte_schema::flyteidl2::app::{App, Meta};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::gate;
use super::interrupt::Interrupt;
use super::outcome::{ApplyError, GateResult, Recording, Stale, StepOutcome, Write};
use super::record::Recorder;
use crate::bundle::{self, Bundle};
use crate::canonical::{canonical, fingerprint};
use crate::diff::{carry_unknown, walk};
use crate::model::spec::identifier;
use crate::model::{AppId, AppName, AppSpec, BundleRef, Fingerprint, LiveApp, Scope, State};
use crate::plan::{Action, Gate, Plan, Precondition, Step, StepId};
use crate::port::{ControlPlane, Event, Ports, RpcCode, RpcError};
use crate::readiness::Evidence;

/// What the control plane notes as the reason of an update. At most 100 characters.
const REASON: &str = "applied by flyte";

/// How long after a lost answer a write is looked for.
const LOOK_AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2)];

/// Waits between reads that do not show a write yet. Together longer than answers are kept in caches.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
    Duration::from_secs(10),
];

/// Carries out steps against one control plane.
pub(super) struct Writer<'a> {
    pub ports: &'a Ports,
    pub control_plane: &'a dyn ControlPlane,
    pub scope: &'a Scope,
    pub interrupt: &'a Interrupt,
    recorder: Recorder<'a>,
    /// Where bundles lie that were uploaded, now or before.
    addresses: Mutex<BTreeMap<BundleRef, String>>,
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
        interrupt: &'a Interrupt,
        recorder: Recorder<'a>,
        taken: UnboundedSender<StepId>,
    ) -> Self {
        let (scope, addresses, left) = (&plan.scope, Mutex::new(plan.stored.clone()), Mutex::default());
        Self { ports, control_plane, scope, interrupt, recorder, addresses, left, taken }
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
            Write::Unknown { error } => format!("no answer, and the outcome is unknown: {error}"),
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
                        let write = Write::Failed { error: ApplyError::Stale(stale) };
                        return Err(Unwritten { write, live: before });
                    }
                },
            }
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

    async fn delete(&self, id: &AppId, before: Option<LiveApp>) -> Result<Written, Write> {
        let sent = before.map(|before| before.0);
        let written = Written { sent, live: None, before: None, evidence: Evidence::default() };
        match self.control_plane.delete(id).await {
            Ok(()) => Ok(written),
            Err(error) if error.code == RpcCode::NotFound => Ok(written),
            Err(error) if error.is_outcome_unknown() => {
                for pause in LOOK_AGAIN {
                    self.ports.clock.sleep(pause).await;
                    if matches!(self.control_plane.get(id).await, Ok(None)) {
                        return Ok(written);
                    }
                }
                Err(Write::Unknown { error })
            }
            Err(rpc) => Err(Write::Failed { error: ApplyError::Rpc { rpc } }),
        }
    }

    /// Brings a whole spec to the control plane, in as many writes as it takes there.
    async fn put(&self, step: &Step, id: &AppId, spec: &AppSpec, before: Option<LiveApp>) -> Result<Written, Write> {
        let app = self.message(id, spec, before.as_ref()).await;
        let written = self.send(&app, before.as_ref()).await?;
        self.complete(step, id, app, written, before).await.map_err(in_part)
    }

    /// What has to follow the first write.
    async fn complete(
        &self,
        step: &Step,
        id: &AppId,
        app: App,
        mut written: App,
        before: Option<LiveApp>,
    ) -> Result<Written, Write> {
        let stopped = matches!(step.gate, Gate::Stopped { .. });
        let mut now = self.read_back(id, &written, before.as_ref()).await?;
        let mut evidence = Evidence::of(before.as_ref(), &written, &now);
        if stopped && self.differing(&app, &now).is_some() && was_ignored(&written, before.as_ref(), &now) {
            // Such a server keeps a new spec only when it runs it: write it running, then stop it. Should we end in
            // between, the state that says nothing tells the next one.
            let running = with_state(&app, &now, DesiredState::DESIRED_STATE_UNSPECIFIED);
            let started = self.send(&running, Some(&now)).await?;
            now = self.read_back(id, &started, Some(&now)).await?;
        }
        if stopped && before.is_none() {
            now = gate::first_status(self, id, now).await;
        }
        if stopped && (!now.is_stopped() || was_started(&now)) {
            let stop = with_state(&app, &now, DesiredState::DESIRED_STATE_STOPPED);
            written = self.send(&stop, Some(&now)).await?;
            let running = now;
            now = self.read_back(id, &written, Some(&running)).await?;
            evidence = Evidence::of(Some(&running), &written, &now);
        }
        match self.differing(&app, &now) {
            Some(fields) => Err(Write::Failed { error: ApplyError::NotKept { fields } }),
            None => Ok(Written { sent: Some(as_meant(app)), live: Some(now), before, evidence }),
        }
    }

    /// Asks a live spec to run or to stop; nothing else of it changes.
    async fn switch(&self, id: &AppId, before: LiveApp, state: DesiredState) -> Result<Written, Write> {
        let app = with_state(&before.0, &before, state);
        let written = self.send(&app, Some(&before)).await?;
        let now = self.read_back(id, &written, Some(&before)).await.map_err(in_part)?;
        let evidence = Evidence::of(Some(&before), &written, &now);
        Ok(Written { sent: Some(app), live: Some(now), before: Some(before), evidence })
    }

    /// The message of a write: what we ask for, over whatever of the live spec is not ours to set.
    async fn message(&self, id: &AppId, spec: &AppSpec, before: Option<&LiveApp>) -> App {
        let mut spec = spec.clone();
        if let Some(bundle) = spec.bundle() {
            let stored = self.addresses.lock().await.get(&bundle).cloned();
            let live = before.filter(|live| live.bundle() == Some(bundle)).and_then(LiveApp::bundle_address);
            if let Some(address) = stored.as_deref().or(live) {
                spec = spec.with_bundle_address(address);
            }
        }
        let mut app = spec.0;
        app.metadata.get_or_insert_default().id = identifier(id).into();
        if let Some(before) = before {
            app.metadata.get_or_insert_default().revision = before.0.metadata.revision;
            app = carry_unknown(app, &before.0);
        }
        app
    }

    /// One write. An answer that did not come is looked for on the control plane.
    async fn send(&self, app: &App, before: Option<&LiveApp>) -> Result<App, Write> {
        let answer = match before {
            None => self.control_plane.create(app.clone()).await,
            Some(_) => self.control_plane.update(app.clone(), REASON).await,
        };
        match answer {
            Ok(written) => Ok(written),
            Err(error) if error.code == RpcCode::AlreadyExists && before.is_none() => {
                Err(Write::Failed { error: ApplyError::Stale(Stale::Appeared) })
            }
            Err(error) if error.code == RpcCode::Aborted => {
                Err(Write::Failed { error: ApplyError::Stale(Stale::Changed) })
            }
            Err(error) if error.is_outcome_unknown() => self.look_for(app, before, error).await,
            Err(rpc) => Err(Write::Failed { error: ApplyError::Rpc { rpc } }),
        }
    }

    async fn look_for(&self, app: &App, before: Option<&LiveApp>, error: RpcError) -> Result<App, Write> {
        let Some(id) = crate::model::LiveApp(app.clone()).id() else { return Err(Write::Unknown { error }) };
        for pause in LOOK_AGAIN {
            self.ports.clock.sleep(pause).await;
            if let Ok(Some(now)) = self.control_plane.get(&id).await {
                let moved = before.is_none_or(|before| fingerprint(&before.0) != fingerprint(&now));
                if moved && fingerprint(app) == fingerprint(&now) {
                    return Ok(now);
                }
            }
        }
        Err(Write::Unknown { error })
    }

    /// The app after a write that was taken. A read that does not show the write yet is repeated: servers answer from caches.
    async fn read_back(&self, id: &AppId, written: &App, before: Option<&LiveApp>) -> Result<LiveApp, Write> {
        let mut pauses = PATIENCE.into_iter();
        loop {
            let now = self.control_plane.get(id).await.map_err(|error| Write::Unknown { error })?.map(LiveApp);
            match (now, pauses.next()) {
                (Some(now), pause) if pause.is_none() || shows(&now, written, before) => return Ok(now),
                (_, Some(pause)) => self.ports.clock.sleep(pause).await,
                (_, None) => return Err(Write::Failed { error: ApplyError::NotShown }),
            }
        }
    }

    /// The wire paths in which the control plane shows another spec than the one sent, but for what it is known to fill
    /// in.
    fn differing(&self, sent: &App, now: &LiveApp) -> Option<Vec<String>> {
        let known = self.control_plane.guarantees();
        let is_filled = |path: &str, sent: Option<&Value>, now: Option<&Value>| {
            sent.is_none() && now.is_some_and(|now| known.fills(path, now))
        };
        let differences = walk(&canonical(sent), &canonical(&now.0)).into_iter();
        let paths = differences.filter(|found| !is_filled(&found.path, found.old.as_ref(), found.new.as_ref()));
        let paths: Vec<String> = paths.map(|found| found.path).collect();
        (!paths.is_empty()).then_some(paths)
    }
}

/// What went wrong after a write was taken.
fn in_part(write: Write) -> Write {
    match write {
        Write::Failed { error } => Write::Partial { error },
        Write::Unknown { error } => Write::Partial { error: ApplyError::Rpc { rpc: error } },
        other => other,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Whether a read may be newer than the write.
fn shows(now: &LiveApp, written: &App, before: Option<&LiveApp>) -> bool {
    if fingerprint(written) == fingerprint(&now.0) {
        return now.revision().0 >= written.metadata.revision;
    }
    match before {
        None => true,
        // Some servers answer with the revision that they were sent.
        Some(before) if now.revision().0 != 0 => {
            now.revision() > before.revision() && now.revision().0 >= written.metadata.revision
        }
        Some(before) => fingerprint(&before.0) != fingerprint(&now.0),
    }
}

fn check(expects: Precondition, live: Option<&LiveApp>) -> Result<(), Stale> {
    match (expects, live) {
        // Nothing of ours was left to compare with.
        (Precondition::AsLeft, _) => Err(Stale::Changed),
        (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
        (Precondition::Absent, Some(_)) => Err(Stale::Appeared),
        (Precondition::Same(_), None) => Err(Stale::Vanished),
        (Precondition::Same(expected), Some(live)) if fingerprint(&live.0) == expected => Ok(()),
        (Precondition::Same(_), Some(_)) => Err(Stale::Changed),
    }
}

/// A message that says nothing of its state is of an app that is to be stopped.
fn as_meant(mut app: App) -> App {
    let spec = app.spec.get_or_insert_default();
    if spec.desired_state == DesiredState::DESIRED_STATE_UNSPECIFIED {
        spec.desired_state = DesiredState::DESIRED_STATE_STOPPED.into();
    }
    app
}

/// Whether the server kept the spec of before, and nobody has written since.
fn was_ignored(written: &App, before: Option<&LiveApp>, now: &LiveApp) -> bool {
    before.is_some_and(|before| {
        let next = [written.metadata.revision, before.0.metadata.revision + 1];
        next.contains(&now.0.metadata.revision) && canonical(&before.0) == canonical(&now.0)
    })
}

/// Whether an app may run, though it was written as stopped: it does not say that it is stopped.
fn was_started(now: &LiveApp) -> bool {
    now.condition().is_none() || !matches!(now.state(), State::Stopped | State::Unknown)
}

/// `app`, asked to be in `state`, as an update of `now`.
fn with_state(app: &App, now: &LiveApp, state: DesiredState) -> App {
    let mut app = app.clone();
    app.spec.get_or_insert_default().desired_state = state.into();
    let revision = now.0.metadata.revision;
    let metadata: &mut Meta = app.metadata.get_or_insert_default();
    metadata.revision = revision;
    app
}
