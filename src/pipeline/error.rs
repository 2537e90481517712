//! Why a stage stopped.

use super::RollbackError;
use crate::bundle::BundleError;
use crate::desired::LowerError;
use crate::diagnostic::Invalid;
use crate::diff::KeepError;
use crate::manifest::LoadError;
use crate::model::{AppName, InvalidName};
use crate::pins::{PinError, Unresolved};
use crate::plan::Refused;
use crate::plan::stored::{PlanFileError, Stale};
use crate::port::{Delivery, RpcCode, RpcError, StoreError};

/// Why a stage stopped. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error(transparent)]
    Lower(#[from] LowerError),
    #[error("{}", rpc_words(.0))]
    Rpc(RpcError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("there is no app `{name}` here")]
    NoSuchApp { name: String, suggestion: Option<String> },
    /// Declared, and not there.
    #[error("`{name}` is not deployed")]
    NotDeployed { name: AppName },
    #[error("`{name}` is no app name: {source}")]
    Name { name: String, source: InvalidName },
    #[error(transparent)]
    PlanFile(#[from] PlanFileError),
    #[error(transparent)]
    Stale(#[from] Stale),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    #[error(transparent)]
    KeepDrift(#[from] KeepError),
    /// `plan --offline` without records at hand.
    #[error("the releases are on record in {store}, which is not to be had offline")]
    NotOffline { store: String },
}

impl From<RpcError> for Error {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Rpc(error) => error.into(),
            PinError::Unresolved(unresolved) => unresolved.into(),
        }
    }
}

fn rpc_words(error: &RpcError) -> String {
    let refuses = matches!(error.code, RpcCode::Unauthenticated | RpcCode::PermissionDenied);
    match error.delivery {
        // Nobody has tried: there is no token to send.
        Delivery::NotSent if refuses => error.message.clone(),
        Delivery::NotSent => format!("the control plane cannot be reached: {}", error.message),
        Delivery::Answered if refuses => format!("the control plane refuses: {error}"),
        Delivery::Unanswered | Delivery::Answered => format!("the control plane did not answer as it should: {error}"),
    }
}
