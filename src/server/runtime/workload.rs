//! What the runtime is told to run, what it asks for, and what it reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{AppId, AppName};

/// One revision of an app, to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub app: AppId,
    /// The control plane's write counter; a newer one replaces an older one, blue/green.
    pub revision: u64,
    pub entry: Entry,
    /// Plain variables of the container.
    pub env: BTreeMap<String, String>,
    /// Variable name to secret key; values are asked for at start and never stored.
    pub secrets: BTreeMap<String, String>,
    /// The declared container port. The process is told a free one in `PORT`; if it listens on the declared one all the
    /// same, requests go there, at the price of updates without blue/green.
    pub container_port: u16,
    pub ready: ReadyProbe,
    /// 0 allows scaling to zero.
    pub min_replicas: u32,
    /// Idle time before an app with `min_replicas` 0 is stopped. `None`: it is never scaled down.
    pub scaledown_after: Option<Duration>,
    /// The longest a request may wait for the head of its response, a cold start included; bodies and upgraded
    /// connections may last longer. `None`: 300 s, as the open-source server has it.
    pub request_timeout: Option<Duration>,
}

/// How the process starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The container's own command: run as it is, without a bundle.
    Direct { argv: Vec<String> },
    /// A Python object, which the SDK's own `fserve` loads and serves: code and parameters are its business.
    Object {
        /// Where the code lies in the control plane's store.
        code: PathBuf,
        /// It is the object itself, pickled, in place of an archive of files.
        pickled: bool,
        /// Where the code goes: a path below the working directory, which an empty one is itself.
        dest: PathBuf,
        /// What else `fserve` is told.
        options: Vec<String>,
    },
    /// What `fserve` would do: fetch the bundle, set parameters, hand the joined arguments to a shell.
    Serve {
        /// Where the bundle lies in the control plane's store.
        bundle: Option<PathBuf>,
        /// Where it is unpacked: a path below the working directory, which an empty one is itself.
        dest: PathBuf,
        parameters: Vec<Parameter>,
        args: Vec<String>,
    },
}

/// A parameter of the `fserve` transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub env_var: Option<String>,
    pub value: ParameterValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    Text(String),
    /// The stable URL of another app. A public one is asked for, so that app must be there; any other follows from
    /// its name.
    Endpoint {
        app: AppName,
        public: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadyProbe {
    /// The port accepts connections.
    Port,
    /// The path answers 2xx or 3xx.
    Http(String),
}

/// What a process needs that only the control plane knows.
pub trait Surroundings: Send + Sync {
    /// The value of a secret visible to the app: its project and domain, then the domain, then the organisation.
    fn secret(&self, app: &AppId, key: &str) -> Option<String>;
    /// The stable loopback URL of an app of the same scope, whether it runs or not.
    fn url(&self, app: &AppId) -> Option<String>;
    /// The same of an app that may not be there yet: it will have that URL.
    fn url_to_be(&self, app: &AppId) -> Option<String> {
        self.url(app)
    }
}

/// What happened to a revision of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeEvent {
    pub app: AppId,
    pub revision: u64,
    pub observation: Observation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The bundle is being unpacked and the process started.
    Starting,
    /// The process runs and is not ready yet.
    Initializing,
    /// The probe answered; this revision now gets the traffic.
    Ready {
        replicas: u32,
    },
    /// The process ended by itself and will be started again after `retry_in`.
    Restarting {
        exit: String,
        attempt: u32,
        retry_in: Duration,
    },
    /// It ended three times in a row or more; tries go on, ever more slowly, and only `Ready` ends this state.
    CrashLoop {
        exit: String,
        attempt: u32,
    },
    /// A secret that the app asks for does not exist.
    SecretMissing {
        key: String,
    },
    /// It cannot be started at all: the bundle is gone or damaged, the program is not found.
    CannotStart {
        reason: String,
    },
    ScaledToZero,
    ScalingFromZero,
    /// The app was asked to stop, has drained and ended. Not sent for a revision that a newer one replaced.
    Stopped,
}
