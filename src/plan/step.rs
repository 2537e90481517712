//! One unit of a plan.

use std::sync::Arc;
use std::time::Duration;

use crate::bundle::Bundle;
use crate::model::{AppName, AppSpec, Fingerprint};

/// The place of a step in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct StepId(pub usize);

/// One write and the gate behind it.
#[derive(Debug, Clone)]
pub struct Step {
    pub id: StepId,
    /// For an upload, the first app that needs it.
    pub app: AppName,
    pub action: Action,
    pub after: Vec<After>,
    pub expects: Precondition,
    pub gate: Gate,
}

/// An edge of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    pub step: StepId,
    /// Its gate must have passed; otherwise its write is enough.
    pub gate: bool,
}

#[derive(Debug, Clone)]
pub enum Action {
    Upload(Arc<Bundle>),
    Create(Box<AppSpec>),
    Update(Box<AppSpec>),
    /// The live spec, asked to run.
    Activate,
    /// The live spec, asked to stop.
    Deactivate,
    Delete,
    /// The live spec, put on record. Nothing is written to the control plane.
    Record,
    /// Nothing is written; those who depend on the app wait for its gate.
    Verify,
}

impl Action {
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Upload(_) => "upload",
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
            Self::Record => "record",
            Self::Verify => "verify",
        }
    }
}

/// What must hold right before the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing is asked of the control plane.
    None,
    /// No such app is there.
    Absent,
    /// The live spec is the one the step was planned on.
    Same(Fingerprint),
    /// The live spec is the one that the step before, of the same app, has left.
    AsLeft,
}

/// What is waited for after the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    Ready { within: Duration },
    Stopped { within: Duration },
    Gone { within: Duration },
}

impl Gate {
    /// What the app is to become.
    pub fn goal(self) -> &'static str {
        match self {
            Self::Open => "written",
            Self::Ready { .. } => "ready",
            Self::Stopped { .. } => "stopped",
            Self::Gone { .. } => "gone",
        }
    }
}
