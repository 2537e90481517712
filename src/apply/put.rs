//! The writes that bring an app to where a step wants it.

use flyte_schema::flyteidl2::app::spec::DesiredState;
use flyte_schema::flyteidl2::app::{App, Meta};

use super::gate;
use super::outcome::{ApplyError, Write};
use super::send::LOOK_AGAIN;
use super::write::{Writer, Written};
use crate::canonical::canonical;
use crate::diff::carry_unknown;
use crate::model::spec::identifier;
use crate::model::{AppId, AppSpec, LiveApp, State};
use crate::plan::{Gate, Step};
use crate::port::RpcCode;
use crate::readiness::Evidence;

impl Writer<'_> {
    pub(super) async fn delete(&self, id: &AppId, before: Option<LiveApp>) -> Result<Written, Write> {
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
    pub(super) async fn put(
        &self,
        step: &Step,
        id: &AppId,
        spec: &AppSpec,
        before: Option<LiveApp>,
    ) -> Result<Written, Write> {
        let app = self.message(id, spec, before.as_ref()).await;
        let written = self.send(&app, before.as_ref()).await?;
        self.complete(step, id, app, written, before).await.map_err(in_part)
    }

    /// What has to follow the first write.
    pub(super) async fn complete(
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
    pub(super) async fn switch(&self, id: &AppId, before: LiveApp, state: DesiredState) -> Result<Written, Write> {
        let app = with_state(&before.0, &before, state);
        let written = self.send(&app, Some(&before)).await?;
        let now = self.read_back(id, &written, Some(&before)).await.map_err(in_part)?;
        let evidence = Evidence::of(Some(&before), &written, &now);
        Ok(Written { sent: Some(app), live: Some(now), before: Some(before), evidence })
    }

    /// The message of a write: what we ask for, over whatever of the live spec is not ours to set.
    pub(super) async fn message(&self, id: &AppId, spec: &AppSpec, before: Option<&LiveApp>) -> App {
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
}

/// What went wrong after a write was taken.
pub(super) fn in_part(write: Write) -> Write {
    match write {
        Write::Failed { error } => Write::Partial { error },
        Write::Unknown { error } => Write::Partial { error: ApplyError::Rpc { rpc: error } },
        other => other,
    }
}

/// A message that says nothing of its state is of an app that is to be stopped.
pub(super) fn as_meant(mut app: App) -> App {
    let spec = app.spec.get_or_insert_default();
    if spec.desired_state == DesiredState::DESIRED_STATE_UNSPECIFIED {
        spec.desired_state = DesiredState::DESIRED_STATE_STOPPED.into();
    }
    app
}

/// Whether the server kept the spec of before, and nobody has written since.
pub(super) fn was_ignored(written: &App, before: Option<&LiveApp>, now: &LiveApp) -> bool {
    before.is_some_and(|before| {
        let next = [written.metadata.revision, before.0.metadata.revision + 1];
        next.contains(&now.0.metadata.revision) && canonical(&before.0) == canonical(&now.0)
    })
}

/// Whether an app may run, though it was written as stopped: it does not say that it is stopped.
pub(super) fn was_started(now: &LiveApp) -> bool {
    now.condition().is_none() || !matches!(now.state(), State::Stopped | State::Unknown)
}

/// `app`, asked to be in `state`, as an update of `now`.
pub(super) fn with_state(app: &App, now: &LiveApp, state: DesiredState) -> App {
    let mut app = app.clone();
    app.spec.get_or_insert_default().desired_state = state.into();
    let revision = now.0.metadata.revision;
    let metadata: &mut Meta = app.metadata.get_or_insert_default();
    metadata.revision = revision;
    app
}
