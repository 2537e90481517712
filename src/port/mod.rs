//! What the stages need of the outside, as traits. Edges implement them; tests use the twins in [`memory`].

mod clock;
mod control_plane;
mod events;
mod files;
pub mod memory;

pub use clock::Clock;
pub use control_plane::{ControlPlane, Lines, LogLine, RpcCode, RpcError, Update, Updates};
pub use events::{Event, Events, NoEvents};
pub use files::{Entry, EntryKind, FileFacts, FileKind, Files, Stamp};

use std::sync::Arc;

/// Everything a pipeline reaches the outside through.
#[derive(Clone)]
pub struct Ports {
    pub files: Arc<dyn Files>,
    pub clock: Arc<dyn Clock>,
    pub control_plane: Arc<dyn ControlPlane>,
    pub events: Arc<dyn Events>,
}
