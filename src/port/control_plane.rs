//! A Flyte control plane as the stages see it: messages in, messages out, no transport.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use buffa::EnumValue;
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::common::ActionPhase;
use flyte_schema::flyteidl2::project::Project;
use flyte_schema::flyteidl2::task::NamedLiteral;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::Content;
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice};
use crate::model::{AppId, Guarantees, Scope};

/// States of one app as they come; ends when the server ends it.
pub type Updates = BoxStream<'static, Result<Update, RpcError>>;

/// Log lines as they come.
pub type Lines = BoxStream<'static, Result<LogLine, RpcError>>;

/// One message of a watch.
#[derive(Debug, Clone)]
pub enum Update {
    Is(Box<App>),
    Gone,
}

/// One line an app wrote, without its newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<jiff::Timestamp>,
    pub replica: String,
    pub text: String,
    /// Written by the platform about the app, not by the app.
    pub system: bool,
}

/// A run of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub name: String,
    pub phase: EnumValue<ActionPhase>,
    /// In the order of the task. Empty for a run that has not succeeded.
    pub outputs: Vec<NamedLiteral>,
}

impl Run {
    /// Whether its outputs are there for good.
    pub fn has_succeeded(phase: EnumValue<ActionPhase>) -> bool {
        phase == ActionPhase::ACTION_PHASE_SUCCEEDED || phase == ActionPhase::ACTION_PHASE_RECOVERED
    }
}

/// A file on its way to a store.
#[derive(Clone)]
pub struct Parcel {
    /// The last segment of its address there.
    pub file_name: String,
    /// In bytes.
    pub length: u64,
    pub md5: [u8; 16],
    pub content: Arc<dyn Content>,
}

/// The services a deployer needs. Deadlines and retries are the implementation's: reads may be repeated, writes are
/// sent once.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// The address, as shown to people.
    fn endpoint(&self) -> &str;

    /// What is known of it by now: found out by what it answered, never by asking for the sake of it.
    fn guarantees(&self) -> Guarantees;

    /// Every app of a scope, all pages.
    async fn list(&self, scope: &Scope) -> Result<Vec<App>, RpcError>;

    /// `None` where no such app is.
    async fn get(&self, app: &AppId) -> Result<Option<App>, RpcError>;

    async fn create(&self, app: App) -> Result<App, RpcError>;

    /// `reason` has at most 100 characters. Source: `flyteidl2/app/app_payload.proto`.
    async fn update(&self, app: App, reason: &str) -> Result<App, RpcError>;

    async fn delete(&self, app: &AppId) -> Result<(), RpcError>;

    /// The state of an app now and whenever it changes.
    async fn watch(&self, app: &AppId) -> Result<Updates, RpcError>;

    /// Stores a code bundle and answers its address.
    async fn upload(&self, scope: &Scope, parcel: &Parcel) -> Result<String, RpcError>;

    /// Writes the code bundle an app runs. `false` where the server does not keep or offer it, and nothing is written.
    async fn download_bundle(&self, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError>;

    /// Whether the code bundle at an address, which an app runs, is still stored. `None` where that cannot be told: the
    /// server does not link to it, or the app runs other code.
    async fn has_bundle(&self, _app: &AppId, _address: &str) -> Option<bool> {
        None
    }

    /// A run by name, or the newest of a task that succeeded. `None` where there is none.
    async fn run(&self, scope: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError>;

    /// One version of an artifact, the newest without a version. `None` where there is none.
    async fn artifact(&self, scope: &Scope, artifact: &ArtifactRef) -> Result<Option<Artifact>, RpcError>;

    /// A project with its domains. `None` where there is none of this name.
    async fn project(&self, scope: &Scope) -> Result<Option<Project>, RpcError>;

    /// The projects of an organisation, of a page as long as the server gives.
    async fn projects(&self, scope: &Scope) -> Result<Vec<Project>, RpcError>;

    /// Which of these secrets there are for exactly this scope, where an empty project or domain stands for all.
    /// Values are not asked for.
    async fn find_secrets(&self, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError>;

    /// The last lines of an app, and then new ones for as long as the server streams.
    async fn tail_logs(&self, app: &AppId) -> Result<Lines, RpcError>;

    /// The same for one who waits for nothing new: it comes back when the server has begun to answer.
    ///
    /// # Errors
    /// `deadline_exceeded` where it does not in time.
    async fn logs_so_far(&self, app: &AppId) -> Result<Lines, RpcError> {
        self.tail_logs(app).await
    }
}

/// The codes of Connect and gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RpcCode {
    Canceled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl RpcCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data_loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

impl fmt::Display for RpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call that was refused, or whose answer did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{method}: {code}: {message}{}", in_request(request_id, *delivery))]
pub struct RpcError {
    /// `AppService/Create`
    pub method: String,
    pub code: RpcCode,
    pub message: String,
    /// The `x-request-id` sent, for the server's operators.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    pub delivery: Delivery,
    /// What to type next, where this is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How far a call came that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// No connection came about: nothing was asked.
    NotSent,
    /// The error is the transport's, or of something on the way: the request may or may not have been carried out.
    Unanswered,
    /// The error is the server's own.
    Answered,
}

/// What an operator of the server finds the call by, where the server has seen it.
fn in_request(id: &str, delivery: Delivery) -> String {
    if id.is_empty() || delivery == Delivery::NotSent { String::new() } else { format!(" (request {id})") }
}

impl RpcError {
    /// An error of the server's own.
    pub fn answered(method: impl Into<String>, code: RpcCode, message: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            code,
            message: message.into(),
            request_id: String::new(),
            delivery: Delivery::Answered,
            help: None,
        }
    }

    /// An error before anything was asked.
    pub fn not_sent(method: impl Into<String>, code: RpcCode, message: impl Into<String>) -> Self {
        Self { delivery: Delivery::NotSent, ..Self::answered(method, code, message) }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the same read may succeed when repeated.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, RpcCode::Unavailable | RpcCode::DeadlineExceeded | RpcCode::Internal)
    }

    /// Whether a write that ended so may have happened all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        match self.delivery {
            Delivery::NotSent => false,
            Delivery::Unanswered => true,
            // `unavailable` in a server's own form may come from a gateway that lost the server after it had begun.
            Delivery::Answered => matches!(
                self.code,
                RpcCode::DeadlineExceeded
                    | RpcCode::Canceled
                    | RpcCode::Unknown
                    | RpcCode::Internal
                    | RpcCode::Unavailable
            ),
        }
    }
}
