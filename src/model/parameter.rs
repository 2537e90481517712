//! Named inputs of an app.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AppName;

/// An input, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub value: ParameterValue,
    /// Takes the place of the kind that the value has by itself; only for texts.
    pub kind: Option<ParameterKind>,
    /// The environment variable that receives the value, or the path it was fetched to.
    pub env: Option<String>,
    /// Whether a file or directory is fetched before the app starts. Default true.
    pub download: bool,
    /// Where it is fetched to; a file into it, where it ends in `/`.
    pub mount: Option<String>,
    /// Names inside a directory that are not fetched.
    pub ignore_patterns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    Text(String),
    /// The address of a file.
    File(String),
    /// The address of a directory.
    Directory(String),
    /// The URL of another app, known when the app starts.
    Endpoint {
        app: AppName,
        public: bool,
    },
    /// Known when planning: [`Resolved`] takes its place.
    RunOutput(RunOutput),
    /// Known when planning: [`Resolved`] takes its place.
    Artifact(Artifact),
}

/// What kind of value a starter takes a parameter for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    Text,
    File,
    Directory,
    Endpoint,
}

impl ParameterKind {
    /// As starters read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Endpoint => "app_endpoint",
        }
    }

    /// Whether there is something to fetch.
    pub fn is_fetched(self) -> bool {
        matches!(self, Self::File | Self::Directory)
    }
}

/// An output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutput {
    /// What it is: never an endpoint.
    pub kind: ParameterKind,
    pub of: RunChoice,
    /// Which output, then which part of it. Default the first.
    pub getter: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunChoice {
    Run(String),
    /// The newest run of the task that succeeded.
    Task {
        name: String,
        version: TaskVersion,
    },
}

/// Runs of which version of a task count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskVersion {
    Any,
    Exact(String),
    /// The one registered last.
    Latest,
}

/// A stored file or directory by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub name: String,
    /// `None`: the newest.
    pub version: Option<String>,
    /// `None`: those of the app.
    pub project: Option<String>,
    pub domain: Option<String>,
    /// What it must be, where that was said.
    pub kind: Option<ParameterKind>,
}

/// What a run output or an artifact turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// A text or an address.
    pub value: String,
    /// Never an endpoint.
    pub kind: ParameterKind,
    pub origin: Pin,
}

impl ParameterValue {
    /// Whether what it means is found out when planning.
    pub fn is_looked_up(&self) -> bool {
        matches!(self, Self::RunOutput(_) | Self::Artifact(_))
    }
}

impl Resolved {
    /// The version of the artifact it was read from.
    pub fn artifact(&self) -> Option<&ArtifactVersion> {
        match &self.origin {
            Pin::Artifact(version) => Some(version),
            Pin::Run { .. } => None,
        }
    }
}

/// What a reference that may mean another thing tomorrow means in this plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    Run {
        #[serde(rename = "name")]
        run: String,
        /// The task whose newest run it is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        task: Option<String>,
    },
    Artifact(ArtifactVersion),
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { run, task: Some(task) } => write!(f, "run {run} of task {task}"),
            Self::Run { run, task: None } => write!(f, "run {run}"),
            Self::Artifact(artifact) => write!(f, "artifact {}@{}", artifact.name, artifact.version),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactVersion {
    pub org: String,
    pub project: String,
    pub domain: String,
    pub name: String,
    pub version: String,
}
