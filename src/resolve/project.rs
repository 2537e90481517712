//! What a manifest means once one profile is chosen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Graph;
use crate::config::Config;
use crate::diagnostic::{Diagnostics, SourceMap, Span};
use crate::manifest::Value;
use crate::model::target::Connection;
use crate::model::{App, AppName, Mask, Scope};

/// The choices made outside the manifest: flags, and the environment as it was at the start.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub profile: Option<String>,
    pub target: Option<String>,
    pub org: Option<String>,
    pub project: Option<String>,
    pub domain: Option<String>,
    /// A control plane at this address, in place of a target: `dns:///host`, `host:port`, `https://host`, `http://host`.
    pub endpoint: Option<String>,
    /// Speak plain HTTP to the control plane.
    pub insecure: bool,
    /// The configuration of the SDK, as [`crate::config::read`] found it. Empty: there is none.
    pub config: Config,
    /// Narrow to these apps and what they depend on; empty means all.
    pub apps: Vec<String>,
    /// The process environment, for `[vars]`.
    pub environment: BTreeMap<String, String>,
}

/// Where the apps go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `local` is the embedded control plane.
    pub name: String,
    /// `None` for `local`.
    pub connection: Option<Connection>,
}

impl Target {
    /// The name of the embedded control plane's target, which needs no table.
    pub const LOCAL: &str = "local";

    /// The name of the target that the SDK's configuration describes, which needs no table.
    pub const CONFIG: &str = "config";

    /// The embedded control plane.
    pub fn local() -> Self {
        Self { name: Self::LOCAL.to_owned(), connection: None }
    }

    pub fn is_local(&self) -> bool {
        self.connection.is_none()
    }
}

/// Where releases are on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseStore {
    /// A directory, absolute.
    Directory(PathBuf),
    Bucket {
        /// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
        address: String,
        /// Of a store that speaks S3 elsewhere than at Amazon, or an Azure emulator.
        endpoint: Option<String>,
        region: Option<String>,
    },
}

/// One manifest tree with every value decided.
#[derive(Debug, Clone)]
pub struct Project {
    /// The owner mark of the apps declared here: the root manifest's `name`.
    pub owner: String,
    /// What must not be seen of what is declared, and of what runs.
    pub mask: Mask,
    pub scope: Scope,
    pub target: Target,
    pub releases: ReleaseStore,
    /// The directory of the root manifest, absolute.
    pub root: PathBuf,
    /// The apps selected, with everything they depend on.
    pub apps: BTreeMap<AppName, App>,
    /// Every declared name, selected or not: an app outside the selection is not an orphan.
    pub declared: Vec<AppName>,
    /// Some apps were selected by name. Then nothing else is looked at, orphans neither.
    pub is_narrowed: bool,
    /// Over `apps`.
    pub graph: Graph,
    /// The texts read, and warnings about them.
    pub diagnostics: Diagnostics,
    /// Settings outside apps (`project`, `domain`, `target`, `name`) with where each came from, for `config show`.
    pub settings: Vec<Setting>,
}

/// An effective value and where it came from.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `project`, or `app.backend.scaling.replicas.min`.
    pub key: String,
    pub value: Value,
    pub origin: Origin,
    /// What set the variables that were filled into it.
    pub variables: Vec<Origin>,
}

impl Setting {
    pub(super) fn new(key: impl Into<String>, value: Value, origin: Origin) -> Self {
        Self { key: key.into(), value, origin, variables: Vec::new() }
    }

    /// For people: where it was written, and what set the variables in it.
    pub fn origins(&self, sources: &SourceMap) -> String {
        let mut told = self.origin.describe(sources);
        for (at, variable) in self.variables.iter().enumerate() {
            told.push_str(if at == 0 { ", filled in from " } else { " and " });
            told.push_str(&variable.describe(sources));
        }
        told
    }
}

/// What set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The schema's default.
    Default,
    /// A flag of the command line.
    Flag(&'static str),
    /// A key of the SDK's configuration file, such as `admin.endpoint`.
    Config { span: Span, key: &'static str },
    /// An environment variable that the SDK's configuration knows.
    Variable(String),
    /// The API key that this environment variable holds.
    ApiKey(&'static str),
    /// The name of the control plane's host.
    Guessed,
    /// Text of a manifest, in `[defaults]`, `[profile.NAME]` or the table itself.
    Text { span: Span, layer: Layer },
}

impl Origin {
    /// The text that says it.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Text { span, .. } | Self::Config { span, .. } => Some(*span),
            _ => None,
        }
    }

    /// For people: the place, the flag, the variable.
    pub fn describe(&self, sources: &SourceMap) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Flag(flag) => (*flag).to_owned(),
            Self::Config { span, key } => format!("{} {key}", sources.locate(*span)),
            Self::Variable(name) => format!("variable {name}"),
            Self::ApiKey(name) => format!("API key in {name}"),
            Self::Guessed => "guessed from the endpoint".to_owned(),
            Self::Text { span, layer } => {
                let place = sources.locate(*span);
                match layer {
                    Layer::App | Layer::Root => place,
                    Layer::Defaults => format!("{place} [defaults]"),
                    Layer::Profile(name) => format!("{place} [profile.{name}]"),
                }
            }
        }
    }
}

/// Which layer of a manifest a value was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    App,
    Defaults,
    Profile(String),
    Root,
}
