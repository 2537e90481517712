//! A verdict on one live app, tied to the write it follows.
//!
//! A status that may be older than our write is `Pending`: servers answer from caches, and an update leaves the
//! condition of the version before in place for a while.

use std::fmt;

use flyte_schema::flyteidl2::app::status::Substate;
use flyte_schema::flyteidl2::app::{App, Condition};
use serde::Serialize;

use crate::model::{LiveApp, Revision, State};

/// What a write left behind to recognise newer evidence by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The revision the write produced; 0 where the server keeps none.
    pub revision: Revision,
    /// The newest condition before the write. Where conditions carry no revision, exactly this one is old news.
    pub before: Option<Condition>,
    /// It was stopped before the write, and said so: then it says the same again.
    pub was_stopped: bool,
    /// What it depends on became ready only now: a failure that it shows at first may be from before, and it starts again
    /// by itself.
    pub waits_out: bool,
    /// That failure.
    pub outlived: Option<Condition>,
}

impl Evidence {
    /// For an app we did not write: whatever it shows counts.
    pub fn any() -> Self {
        Self::default()
    }

    /// For an app we did not write, once what it depends on has become ready.
    pub fn after_dependencies() -> Self {
        Self { waits_out: true, ..Self::default() }
    }

    /// Takes note of an app as it shows at first.
    pub fn look(&mut self, now: &LiveApp) {
        if self.waits_out && self.outlived.is_none() && now.state() == State::Failed {
            self.outlived = now.condition().cloned();
        }
    }

    /// For a write answered with `written`, of an app that looked like `before` and like `now` when it was read back. An
    /// answer may repeat the revision that was sent.
    pub fn of(before: Option<&LiveApp>, written: &App, now: &LiveApp) -> Self {
        let answered = Revision(written.metadata.revision);
        let repeats = before.is_some_and(|before| answered <= before.revision());
        Self {
            revision: if repeats { now.revision() } else { answered },
            before: before.and_then(LiveApp::condition).cloned(),
            was_stopped: before.is_some_and(says_stopped),
            ..Self::default()
        }
    }

    fn is_stale(&self, live: &LiveApp, condition: &Condition) -> bool {
        if live.revision() < self.revision {
            return true;
        }
        if condition.revision != 0 {
            return condition.revision < self.revision.0;
        }
        self.before.as_ref() == Some(condition) && !(self.was_stopped && says_stopped(live))
    }
}

fn says_stopped(live: &LiveApp) -> bool {
    live.is_stopped() && live.state() == State::Stopped
}

/// How an app stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Ready,
    /// Not there yet; the text is what it shows meanwhile.
    Pending {
        status: String,
    },
    /// It will not become ready by waiting.
    Failed {
        reason: Failure,
    },
    Stopped,
    Gone,
}

impl Verdict {
    /// What is read may be older than our write.
    pub fn not_shown() -> Self {
        Self::Pending { status: "waiting for the new version to show".into() }
    }
}

/// Why an app cannot become ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `CRASH_LOOP`, `IMAGE_PULL_ERROR`, … or `FAILED` where the server gives no substate.
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// Judges an app as read. `None`: it is not there.
pub fn judge(live: Option<&LiveApp>, evidence: &Evidence) -> Verdict {
    let Some(live) = live else { return Verdict::Gone };
    let Some(condition) = live.condition() else {
        return if live.is_stopped() && live.revision() >= evidence.revision {
            Verdict::Stopped
        } else {
            Verdict::Pending { status: "no status yet".into() }
        };
    };
    if evidence.is_stale(live, condition) {
        return Verdict::not_shown();
    }
    match live.state() {
        State::Active | State::ScaledToZero => Verdict::Ready,
        State::Stopped if live.is_stopped() => Verdict::Stopped,
        // It was asked to run since, or no cluster has it yet.
        State::Stopped => Verdict::Pending { status: describe(condition) },
        State::Failed if evidence.outlived.as_ref() == Some(condition) => {
            Verdict::Pending { status: format!("{} (it may start again)", describe(condition)) }
        }
        State::Failed => Verdict::Failed { reason: failure(condition) },
        State::Deploying | State::Pending | State::Unknown => Verdict::Pending { status: describe(condition) },
    }
}

fn failure(condition: &Condition) -> Failure {
    Failure { status: substate(condition).unwrap_or("FAILED".into()), message: condition.message.clone() }
}

fn substate(condition: &Condition) -> Option<String> {
    (condition.substate != Substate::SUBSTATE_UNSPECIFIED).then(|| condition.substate.to_string())
}

/// A condition in a few words: `initializing`, `deploying: 1 of 2 replicas`.
pub fn describe(condition: &Condition) -> String {
    let name = substate(condition).unwrap_or_else(|| condition.deployment_status.to_string());
    let words = name.trim_start_matches("DEPLOYMENT_STATUS_").to_ascii_lowercase().replace('_', " ");
    if condition.message.is_empty() { words } else { format!("{words}: {}", condition.message) }
}

#[cfg(test)]
mod tests {
    use buffa::MessageField;
    use buffa_types::google::protobuf::Timestamp;
    use flyte_schema::flyteidl2::app::spec::DesiredState;
    use flyte_schema::flyteidl2::app::status::DeploymentStatus as D;
    use flyte_schema::flyteidl2::app::{Meta, Status};

    use super::*;

    fn condition(status: D, revision: u64, at: i64) -> Condition {
        Condition {
            deployment_status: status.into(),
            revision,
            last_transition_time: MessageField::some(Timestamp { seconds: at, ..Default::default() }),
            ..Default::default()
        }
    }

    fn app(revision: u64, conditions: Vec<Condition>) -> LiveApp {
        LiveApp(App {
            metadata: MessageField::some(Meta { revision, ..Default::default() }),
            status: MessageField::some(Status { conditions, ..Default::default() }),
            ..Default::default()
        })
    }

    fn check(live: &LiveApp, evidence: &Evidence, expected: &str) {
        let verdict = match judge(Some(live), evidence) {
            Verdict::Ready => "ready",
            Verdict::Pending { .. } => "pending",
            Verdict::Failed { .. } => "failed",
            Verdict::Stopped => "stopped",
            Verdict::Gone => "gone",
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn a_status_older_than_the_write_is_pending() {
        let after = |revision| Evidence { revision: Revision(revision), ..Evidence::default() };
        check(&app(2, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 2, 5)]), &after(2), "ready");
        check(&app(1, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 1, 5)]), &after(2), "pending");
        check(&app(2, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 1, 5)]), &after(2), "pending");
        check(&app(2, vec![condition(D::DEPLOYMENT_STATUS_FAILED, 1, 5)]), &after(2), "pending");
        check(&app(2, vec![condition(D::DEPLOYMENT_STATUS_FAILED, 2, 5)]), &after(2), "failed");
        // A server may tell the revision of an app, and none of its conditions.
        check(&app(1, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 0, 5)]), &after(2), "pending");
    }

    #[test]
    fn an_app_that_was_stopped_and_stays_so_may_say_the_same_again() {
        let asked_to_stop = |revision, conditions| {
            let mut live = app(revision, conditions);
            live.0.spec.get_or_insert_default().desired_state = DesiredState::DESIRED_STATE_STOPPED.into();
            live
        };
        let stopped = asked_to_stop(0, vec![condition(D::DEPLOYMENT_STATUS_STOPPED, 0, 5)]);
        let evidence = Evidence::of(Some(&stopped), &stopped.0, &stopped);
        check(&stopped, &evidence, "stopped");
        // Or nothing at all.
        check(&asked_to_stop(2, vec![]), &Evidence { revision: Revision(2), ..Evidence::default() }, "stopped");
        check(&asked_to_stop(1, vec![]), &Evidence { revision: Revision(2), ..Evidence::default() }, "pending");
    }

    #[test]
    fn without_revisions_the_condition_of_before_is_old_news() {
        let old = condition(D::DEPLOYMENT_STATUS_ACTIVE, 0, 5);
        let evidence = Evidence { before: Some(old.clone()), ..Evidence::default() };
        check(&app(0, vec![old]), &evidence, "pending");
        check(&app(0, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 0, 9)]), &evidence, "ready");
        check(&app(0, vec![]), &evidence, "pending");
        let stopped = condition(D::DEPLOYMENT_STATUS_STOPPED, 0, 9);
        check(&app(0, vec![stopped.clone()]), &evidence, "pending");
        let mut asked_to_stop = app(0, vec![stopped]);
        asked_to_stop.0.spec.get_or_insert_default().desired_state = DesiredState::DESIRED_STATE_STOPPED.into();
        check(&asked_to_stop, &evidence, "stopped");
    }

    #[test]
    fn a_failure_from_before_its_dependencies_is_waited_out() {
        let old = app(3, vec![condition(D::DEPLOYMENT_STATUS_FAILED, 3, 5)]);
        let mut evidence = Evidence::after_dependencies();
        evidence.look(&old);
        check(&old, &Evidence::any(), "failed");
        check(&old, &evidence, "pending");
        check(&app(3, vec![condition(D::DEPLOYMENT_STATUS_FAILED, 3, 9)]), &evidence, "failed");
        check(&app(3, vec![condition(D::DEPLOYMENT_STATUS_ACTIVE, 3, 9)]), &evidence, "ready");
    }

    #[test]
    fn nothing_is_gone() {
        assert_eq!(judge(None, &Evidence::any()), Verdict::Gone);
    }
}
