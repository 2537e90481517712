//! Which files an app runs, decided by content: chosen, hashed, packed.

mod archive;
mod error;
mod files;
pub mod gzip;
mod ignores;
mod memory;
mod pack;
mod rules;
mod select;
mod walk;

pub use archive::{archive, list_archive, read_archive};
pub use error::{BundleError, DamagedArchive};
pub use files::{
    Bundle, BundleFile, BundleSet, ByteSize, FORMAT, FileChange, FileChangeKind, LeftOut, Reason, compare,
};
pub use memory::{learn, recall, recall_archive};
pub use pack::{MAX_FILES, MAX_SIZE, WARN_SIZE, pack};

#[cfg(test)]
mod tests;
