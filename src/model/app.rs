//! An app as its manifest means it: one profile chosen, defaults filled in, nothing inherited.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::AppName;
use super::parameter::Parameter;
use super::pod::PodTemplate;
use super::resources::Resources;
use crate::diagnostic::Span;

/// One declared app with every value decided.
#[derive(Debug, Clone)]
pub struct App {
    pub name: AppName,
    /// Where the app's table begins.
    pub declared_at: Span,
    /// The directory of the manifest that declares it; paths are relative to it.
    pub directory: PathBuf,
    pub description: Option<String>,
    /// The manifest key `type`: what the console shows as the kind of app.
    pub kind: Option<String>,
    /// A container image reference. `None` only for the embedded control plane.
    pub image: Option<String>,
    /// Replaces the whole entry point of the image. Empty: the image's own is run. `None`: the app starts through
    /// `fserve`.
    pub command: Option<Vec<String>>,
    pub args: Vec<String>,
    /// A Python object that `fserve` serves, as `module:attribute`.
    pub python: Option<String>,
    pub port: Port,
    /// In the order written.
    pub env: Vec<(String, EnvValue)>,
    /// `None`: nothing is said about secrets, which control planes tell from an empty list.
    pub secrets: Option<Vec<SecretRef>>,
    /// In the order written, each name once.
    pub parameters: Vec<Parameter>,
    /// In the order written; endpoints in `env` and `parameters` are edges too and are listed here once, with `wait`.
    pub depends_on: Vec<Dependency>,
    /// Apps whose endpoints it is given and that are deployed elsewhere: no edges. Each once.
    pub external: Vec<External>,
    /// Apps declared here whose endpoints it is given and that it is not deployed after: no edges.
    pub apart: BTreeSet<AppName>,
    pub activation: Activation,
    /// The code to pack. `None`: the code is in the image.
    pub source: Option<Source>,
    /// Code that is stored already, in place of `source`.
    pub code_bundle: Option<CodeBundle>,
    /// Where the code is unpacked, from the working directory of the container on. Default `.`.
    pub code_dest: String,
    pub resources: Resources,
    pub scaling: Scaling,
    pub ingress: Ingress,
    /// False lets anonymous requests through. Default true.
    pub requires_auth: bool,
    pub links: Vec<Link>,
    pub ready: Ready,
    pub timeouts: Timeouts,
    pub placement: Placement,
    /// The Kubernetes service account it runs as.
    pub service_account: Option<String>,
    /// The pod around the app's container.
    pub pod_template: Option<PodTemplate>,
    /// Manifest key path within the app (`scaling.replicas`, `env.LOG_LEVEL`) to the text that set the value.
    pub spans: BTreeMap<String, Span>,
}

impl App {
    /// Whether it is given the endpoint of `other` without a dependency on it.
    pub fn asks_only(&self, other: &AppName) -> bool {
        self.is_external(other) || self.apart.contains(other)
    }

    /// Whether the endpoint of `other` is one of an app that is deployed elsewhere.
    pub fn is_external(&self, other: &AppName) -> bool {
        self.external.iter().any(|external| external.app == *other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// 1 to 65535 without the reserved ones. Default 8080.
    pub number: u16,
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    Text(String),
    /// The URL of another app, known when the app starts.
    Endpoint {
        app: AppName,
        public: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    pub key: String,
    pub group: Option<String>,
    pub target: SecretTarget,
}

/// What receives the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretTarget {
    Variable(String),
    /// A file below [`SECRET_MOUNT`].
    File,
}

/// What a secret's name is made of. Source: the keys of a secret of Kubernetes; Flyte's own service knows no `.`.
pub const SECRET_NAME: &str = "letters, digits, `-`, `_` and `.`";

/// Whether a secret's name may hold this: see [`SECRET_NAME`].
pub fn is_of_secret_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// The only directory that secrets are mounted in. Source: the published SDK's check of `Secret.mount`.
pub const SECRET_MOUNT: &str = "/etc/flyte/secrets";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub app: AppName,
    /// False orders the writes without waiting for readiness.
    pub wait: bool,
    pub span: Span,
}

/// An app of the same project and domain that another manifest deploys, or the SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    pub app: AppName,
    /// Where its endpoint is asked for.
    pub span: Span,
}

/// When a new version becomes the running one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// A new app is created stopped, an existing one keeps its state; `flyte activate` starts it.
    #[default]
    Manual,
    /// The app is active after apply, and waited for.
    Auto,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The directory whose files are packed, absolute.
    pub root: PathBuf,
    /// Globs or paths relative to `root`; empty means everything.
    pub include: Vec<String>,
    /// Globs or paths relative to `root`, taken out again.
    pub exclude: Vec<String>,
}

/// Code that somebody stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBundle {
    pub uri: String,
    /// A Python object as the SDK pickles it from a notebook, in place of an archive of files.
    pub pickled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// Default 0.
    pub min: u32,
    /// Default 1, at least 1 and at least `min`.
    pub max: u32,
    pub metric: Option<Metric>,
    /// Idle time before the app is scaled down.
    pub scaledown_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Requests served at once by a replica, at least 1.
    Concurrency(u32),
    /// Requests per second and replica, at least 1.
    RequestRate(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub path: String,
    pub title: String,
    pub is_relative: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// A path that must answer 2xx or 3xx. `None`: the port must accept connections.
    pub http: Option<String>,
    /// How long apply waits. Default 5 minutes.
    pub within: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// The longest a request may take, 0 to 3600 s. Source: `flyteidl2/app/app_definition.proto`.
    pub request: Option<Duration>,
}

/// The address of the app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingress {
    pub subdomain: Option<Subdomain>,
    /// A whole host name, `www.example.com`.
    pub custom_domain: Option<String>,
    /// True keeps the app from the public.
    pub private: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subdomain {
    Text(String),
    /// `prefix` and something made of the project and domain.
    Named {
        prefix: String,
        suffix: DomainSuffix,
    },
}

/// How project and domain are written into a subdomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DomainSuffix {
    /// As 8 hex digits.
    #[default]
    Hash,
    /// In full.
    Full,
}

/// Where in the control plane an app runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// One cluster; then there is no pool.
    pub cluster: Option<String>,
    /// `None`: the pool `default`.
    pub pool: Option<String>,
}
