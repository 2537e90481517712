//! Why a control plane refuses a request.

use crate::port::RpcCode;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("{0} is required")]
    Missing(&'static str),
    /// A value breaks a rule of the interface definition.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error("app {0} not found")]
    NotFound(String),
    #[error("app {0} already exists")]
    AlreadyExists(String),
    /// The update was made on a revision that is no longer, or never was, the current one.
    #[error("app {app} is at revision {current}, the update was made on revision {given}")]
    RevisionMismatch { app: String, current: u64, given: u64 },
    #[error("{0}")]
    Unimplemented(&'static str),
}

impl StateError {
    pub fn code(&self) -> RpcCode {
        match self {
            Self::Missing(_) | Self::Invalid { .. } => RpcCode::InvalidArgument,
            Self::NotFound(_) => RpcCode::NotFound,
            Self::AlreadyExists(_) => RpcCode::AlreadyExists,
            Self::RevisionMismatch { .. } => RpcCode::Aborted,
            Self::Unimplemented(_) => RpcCode::Unimplemented,
        }
    }

    pub(super) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }
}
