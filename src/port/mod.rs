//! What the stages need of the outside, as traits. Edges implement them; tests use the twins in [`memory`].

mod clock;
mod control_plane;
mod events;
mod files;
pub mod memory;
mod notes;
mod registry;
mod releases;

pub use clock::Clock;
pub use control_plane::{ControlPlane, Delivery, Lines, LogLine, Parcel, RpcCode, RpcError, Run, Update, Updates};
pub use events::{Event, Events, NoEvents};
pub use files::{Content, Draft, Entry, EntryKind, FileFacts, FileFault, FileKind, Files, Stamp};
pub use notes::Notes;
pub use registry::{Registry, Resolves};
pub use releases::{ReleaseStores, Releases, StoreError};

use std::sync::Arc;

use async_trait::async_trait;

use crate::resolve::Target;

/// Everything a pipeline reaches the outside through.
#[derive(Clone)]
pub struct Ports {
    pub files: Arc<dyn Files>,
    pub clock: Arc<dyn Clock>,
    pub targets: Arc<dyn Targets>,
    pub events: Arc<dyn Events>,
    pub releases: Arc<dyn ReleaseStores>,
    pub registry: Arc<dyn Registry>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is started for it: an embedded control plane that does not run is read from its files.
    Read,
    /// The embedded control plane is started if it does not run.
    Write,
}

/// Finds the control plane of a target.
#[async_trait]
pub trait Targets: Send + Sync {
    /// # Errors
    /// The target cannot be reached or started.
    async fn connect(&self, target: &Target, access: Access) -> Result<Arc<dyn ControlPlane>, RpcError>;

    /// What tells the embedded control plane of this machine from others. `None` where there is none yet.
    fn embedded_identity(&self) -> Option<String> {
        None
    }

    /// Whether a code bundle is still stored at its address, whatever runs. `None` where that cannot be told: see
    /// [`ControlPlane::has_bundle`].
    async fn has_bundle(&self, _target: &Target, _address: &str) -> Option<bool> {
        None
    }

    /// Removes a code bundle, where this program may. One that cannot be removed stays.
    async fn remove_bundle(&self, _target: &Target, _address: &str) {}
}
