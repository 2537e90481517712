//! What happened, step by step. Counts in a report come from here.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::canonical::{canonical, version_of};
use crate::model::{AppName, LiveApp, Marks};
use crate::plan::{Step, StepId};
use crate::port::{LogLine, RpcError};
use crate::readiness::Failure;

/// One outcome per step of the plan, in the plan's order.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub steps: Vec<StepOutcome>,
}

/// What became of one step.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    pub step: StepId,
    pub app: AppName,
    pub action: &'static str,
    pub write: Write,
    pub gate: GateResult,
    pub recording: Recording,
    /// The app as last seen.
    pub live: Option<LiveApp>,
    /// The last lines it wrote, where its gate failed.
    pub logs: Vec<LogLine>,
}

/// Whether a write is on record. It has no part in what the apply came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "recording", rename_all = "snake_case")]
pub enum Recording {
    /// Nothing was written, or nothing that is put on record.
    None,
    Done,
    Failed {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
}

/// Whether the write happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum Write {
    Done,
    /// The answer never came or told nothing for certain, and reading back did not tell either.
    Unknown {
        error: RpcError,
    },
    Skipped(SkipReason),
    Failed {
        error: ApplyError,
    },
    /// The app was written, and what belongs to the write was not done or is not known to be: it is not what it was,
    /// nor for certain what it should be.
    Partial {
        error: ApplyError,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum SkipReason {
    Dependency { app: AppName },
    Interrupted,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency { app } => write!(f, "`{app}` did not get there"),
            Self::Interrupted => f.write_str("interrupted before it started"),
        }
    }
}

/// Whether the app became what the gate waits for.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum GateResult {
    /// Nothing was waited for, or the write did not happen.
    NotReached,
    Passed {
        #[serde(skip)]
        waited: Duration,
    },
    TimedOut {
        last: String,
    },
    Failed {
        last: Failure,
    },
    /// Somebody stopped or deleted the app meanwhile.
    Overtaken {
        state: String,
    },
    Interrupted {
        last: String,
    },
    /// The control plane has not answered for a while.
    Unreachable {
        error: RpcError,
    },
}

/// Why a write did not happen, or not as a whole.
#[derive(Debug, Clone, thiserror::Error, Serialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum ApplyError {
    /// The app is not what the plan was made on.
    #[error("{0}")]
    Stale(Stale),
    #[error("{rpc}")]
    Rpc { rpc: RpcError },
    #[error("cannot pack the code: {message}")]
    Bundle { message: String },
    /// The write was taken, yet another spec is there now.
    #[error("the control plane shows something else in {}", fields.join(", "))]
    NotKept { fields: Vec<String> },
    /// The write was taken, and no such app is there.
    #[error("the control plane does not show it")]
    NotShown,
}

/// How an app differs from what was planned on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// It exists, though it did not.
    Appeared,
    /// It is gone, though it existed.
    Vanished,
    /// `fields` are manifest keys, or wire paths where there is none; empty where it is not known what changed.
    Changed { fields: Vec<String> },
}

impl Stale {
    pub fn changed() -> Self {
        Self::Changed { fields: Vec::new() }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appeared => f.write_str("somebody else created it after this plan was made"),
            Self::Vanished => f.write_str("somebody else deleted it after this plan was made"),
            Self::Changed { fields } if fields.is_empty() => {
                f.write_str("somebody else changed it after this plan was made")
            }
            Self::Changed { fields } => {
                write!(f, "somebody else changed it after this plan was made ({})", fields.join(", "))
            }
        }
    }
}

/// Whether an app is what its marks say: somebody may have changed it, and left them.
pub fn is_as_marked(live: &LiveApp, marks: &Marks) -> bool {
    marks.digest == version_of(&canonical(&live.0), &marks.kept)
}

impl StepOutcome {
    pub fn skipped(step: &Step, reason: SkipReason) -> Self {
        Self::new(step, Write::Skipped(reason))
    }

    pub(super) fn new(step: &Step, write: Write) -> Self {
        Self {
            step: step.id,
            app: step.app.clone(),
            action: step.action.verb(),
            write,
            gate: GateResult::NotReached,
            recording: Recording::None,
            live: None,
            logs: Vec::new(),
        }
    }

    /// Whether what follows this step may start.
    pub(super) fn lets_pass(&self, gate: bool) -> bool {
        matches!(self.write, Write::Done)
            && (!gate || matches!(self.gate, GateResult::Passed { .. } | GateResult::NotReached))
    }

    /// Whether its write was taken, be it in part.
    pub fn was_taken(&self) -> bool {
        matches!(self.write, Write::Done | Write::Partial { .. })
    }

    /// Whether its write is one of an app.
    fn changes_what_runs(&self) -> bool {
        !matches!(self.action, "upload" | "verify" | "record")
    }

    /// Written, and through its gate.
    pub fn is_success(&self) -> bool {
        self.lets_pass(true)
    }
}

impl Outcome {
    /// Steps that changed what runs, for certain. An upload alone changes nothing.
    pub fn written(&self) -> usize {
        self.steps.iter().filter(|step| step.was_taken() && step.changes_what_runs()).count()
    }

    /// Nothing that runs was changed, for certain.
    pub fn wrote_nothing(&self) -> bool {
        let without = |write: &Write| matches!(write, Write::Failed { .. } | Write::Skipped(_));
        self.steps.iter().all(|step| !step.changes_what_runs() || without(&step.write))
    }

    /// Some app did not become what its gate waits for.
    pub fn has_failed_gate(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.write, Write::Done) && !step.is_success())
    }

    pub fn is_success(&self) -> bool {
        self.steps.iter().all(StepOutcome::is_success)
    }

    pub fn was_interrupted(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.write, Write::Skipped(SkipReason::Interrupted))
                || matches!(step.gate, GateResult::Interrupted { .. })
        })
    }

    /// Every step that did not start was refused because its app had changed, and nothing was written.
    pub fn is_stale(&self) -> bool {
        let stale = |step: &StepOutcome| matches!(step.write, Write::Failed { error: ApplyError::Stale(_) });
        self.steps.iter().any(stale)
            && self
                .steps
                .iter()
                .all(|step| stale(step) || matches!(step.write, Write::Skipped(_)) || !step.changes_what_runs())
    }

    /// All writes happened; only gates did not pass.
    pub fn only_gates_failed(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.write, Write::Done)) && !self.is_success()
    }
}
