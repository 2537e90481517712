//! The real file system, clock and caches.
#![expect(clippy::disallowed_methods, reason = "the edge where the outside is reached")]

mod cache;
mod clock;
mod commit;
mod draft;
mod files;
pub mod git;
mod hashes;
pub mod python;
mod releases;

pub use cache::Cache;
pub use clock::SystemClock;
pub use commit::{CommitError, CommitFiles};
pub use files::RealFiles;
pub use releases::{Bucket, Directory, RealStores};
