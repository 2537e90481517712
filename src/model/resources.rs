//! What an app asks of the machine it runs on.

use super::accelerator::Accelerator;

/// All of it may be left to the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    pub cpu: Option<Amount>,
    pub memory: Option<Amount>,
    pub gpu: Option<Gpu>,
    /// Ephemeral storage, a Kubernetes quantity.
    pub disk: Option<String>,
    pub shm: Option<SharedMemory>,
}

/// Kubernetes quantities as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    pub request: String,
    /// At least the request.
    pub limit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    /// So many of whatever the cluster has.
    Count(u32),
    Named(Accelerator),
}

/// What lies at `/dev/shm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedMemory {
    /// As much as the node gives.
    Auto,
    /// A Kubernetes quantity.
    Size(String),
}
