//! The settings of a runtime.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where the runtime keeps its files, and how patient it is.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The state directory: `apps/`, `logs/`, `processes/` and `shims/` are made in it.
    pub directory: PathBuf,
    /// Variables of the control plane's own environment. Of these an app sees only the few that a program needs to
    /// find its interpreter, its home and its language (see `environment::INHERITED`).
    pub inherited: BTreeMap<String, String>,
    /// How long requests in flight may take to finish before their process is told to end. Default 10 s.
    pub drain: Duration,
    /// How long a process may take to end after SIGTERM before SIGKILL. Default 10 s.
    pub grace: Duration,
    /// The wait before the first restart of a process that ended by itself; doubled each time. Default 0.5 s.
    pub backoff_first: Duration,
    /// The longest wait before a restart. Default 60 s.
    pub backoff_max: Duration,
    /// How long a process must have been ready for its earlier failures to be forgotten. Default 60 s.
    pub healthy_after: Duration,
}

impl RuntimeConfig {
    /// The defaults, with the environment of this process.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            inherited: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            drain: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(60),
            healthy_after: Duration::from_secs(60),
        }
    }
}
