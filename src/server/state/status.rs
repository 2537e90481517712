//! What the status of an app tells: conditions, replicas, times.

use buffa_types::google::protobuf::Timestamp as WireTime;
use flyte_schema::flyteidl2::app::status::{DeploymentStatus, Substate};
use flyte_schema::flyteidl2::app::{App, Condition, Status};
use jiff::Timestamp;

use super::{Quirks, deployment_id};
use crate::server::runtime::Observation;

/// How many conditions are kept; the last is the current one.
const KEPT: usize = 16;

/// A time as messages have it.
pub fn wire_time(at: Timestamp) -> WireTime {
    WireTime { seconds: at.as_second(), nanos: at.subsec_nanosecond(), ..Default::default() }
}

pub fn pending(app: &mut App, now: Timestamp) {
    push(
        app,
        DeploymentStatus::DEPLOYMENT_STATUS_PENDING,
        Substate::SUBSTATE_UNSPECIFIED,
        "waiting to be started",
        now,
    );
}

pub fn stopping(app: &mut App, now: Timestamp) {
    push(app, DeploymentStatus::DEPLOYMENT_STATUS_PENDING, Substate::SCALING_DOWN, "stopping", now);
}

pub fn stopped(app: &mut App, now: Timestamp) {
    app.status.get_or_insert_default().current_replicas = 0;
    push(app, DeploymentStatus::DEPLOYMENT_STATUS_STOPPED, Substate::SUBSTATE_UNSPECIFIED, "stopped", now);
}

pub fn is_failed(app: &App) -> bool {
    let last = app.status.conditions.last();
    last.is_some_and(|last| last.deployment_status == DeploymentStatus::DEPLOYMENT_STATUS_FAILED)
}

/// The same process goes on under a new revision: its condition holds for that one too.
pub fn carry_over(app: &mut App, now: Timestamp) {
    let Some(last) = app.status.conditions.last().cloned() else { return };
    let status = last.deployment_status.as_known().unwrap_or_default();
    let substate = last.substate.as_known().unwrap_or_default();
    push(app, status, substate, &last.message, now);
}

pub fn observe(app: &mut App, observation: &Observation, now: Timestamp) {
    use DeploymentStatus as D;
    let status = app.status.get_or_insert_default();
    match observation {
        Observation::Ready { replicas } => {
            status.current_replicas = *replicas;
            status.last_started_at = wire_time(now).into();
        }
        Observation::ScaledToZero | Observation::Stopped => status.current_replicas = 0,
        _ => {}
    }
    let (phase, substate, message) = match observation {
        Observation::Starting => {
            (D::DEPLOYMENT_STATUS_DEPLOYING, Substate::SUBSTATE_UNSPECIFIED, "starting".to_owned())
        }
        Observation::Initializing => {
            (D::DEPLOYMENT_STATUS_DEPLOYING, Substate::INITIALIZING, "running, not ready yet".to_owned())
        }
        Observation::Ready { .. } => (D::DEPLOYMENT_STATUS_ACTIVE, Substate::RUNNING, "ready".to_owned()),
        Observation::Restarting { exit, attempt, retry_in } => (
            D::DEPLOYMENT_STATUS_DEPLOYING,
            Substate::INITIALIZING,
            format!("{exit}; start {attempt} was not enough, next in {:.1} s", retry_in.as_secs_f64()),
        ),
        Observation::CrashLoop { exit, attempt } => {
            (D::DEPLOYMENT_STATUS_FAILED, Substate::CRASH_LOOP, format!("{exit}, after {attempt} starts in a row"))
        }
        Observation::SecretMissing { key } => {
            let message = format!("secret `{key}` does not exist; `flyte local secret set {key}` makes it");
            (D::DEPLOYMENT_STATUS_FAILED, Substate::SECRET_MOUNT_ERROR, message)
        }
        Observation::CannotStart { reason } => {
            (D::DEPLOYMENT_STATUS_FAILED, Substate::SUBSTATE_UNSPECIFIED, reason.clone())
        }
        Observation::ScaledToZero => {
            (D::DEPLOYMENT_STATUS_ACTIVE, Substate::SCALED_TO_ZERO, "idle; the next request starts it".to_owned())
        }
        Observation::ScalingFromZero => {
            (D::DEPLOYMENT_STATUS_ACTIVE, Substate::SCALING_FROM_ZERO, "starting for a request".to_owned())
        }
        Observation::Stopped => return stopped(app, now),
    };
    push(app, phase, substate, &message, now);
}

/// Takes out of a status what this server does not tell.
pub fn hide(status: &mut Status, running: bool, quirks: &Quirks) {
    if !running && quirks.stopped_hides_ingress {
        let last = status.conditions.last().cloned().unwrap_or_default();
        status.conditions = vec![Condition {
            deployment_status: DeploymentStatus::DEPLOYMENT_STATUS_STOPPED.into(),
            message: "App scaled to zero".to_owned(),
            ..last
        }];
        status.ingress.take();
    }
    for condition in &mut status.conditions {
        if !quirks.fills_substates {
            condition.substate = Substate::SUBSTATE_UNSPECIFIED.into();
        }
        if !quirks.fills_deployment_id {
            condition.deployment_id.clear();
        }
        if !quirks.keeps_revisions {
            condition.revision = 0;
        }
    }
}

fn push(app: &mut App, phase: DeploymentStatus, substate: Substate, message: &str, now: Timestamp) {
    let revision = app.metadata.revision;
    let deployment_id = deployment_id(&app.spec);
    let conditions = &mut app.status.get_or_insert_default().conditions;
    let mut condition = Condition {
        deployment_status: phase.into(),
        substate: substate.into(),
        message: message.to_owned(),
        revision,
        deployment_id,
        ..Default::default()
    };
    if let Some(last) = conditions.last() {
        condition.last_transition_time = last.last_transition_time.clone();
        if *last == condition {
            return;
        }
    }
    condition.last_transition_time = wire_time(now).into();
    conditions.push(condition);
    let surplus = conditions.len().saturating_sub(KEPT);
    conditions.drain(..surplus);
}
