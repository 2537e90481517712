//! The bundle of every app.

use crate::port::Files;
use crate::resolve::Project;

use super::{BundleError, BundleSet};

/// The greatest number of files in a bundle.
pub const MAX_FILES: usize = 100_000;

/// The greatest size of a bundle in bytes, before compression: 1 GiB.
pub const MAX_SIZE: u64 = 1 << 30;

/// The size in bytes from which a bundle is worth a warning: 100 MiB.
pub const WARN_SIZE: u64 = 100 << 20;

/// Chooses and hashes the files of every app that has a `source`.
///
/// # Errors
/// Every [`BundleError`] but those of archives; several apps' at once as [`BundleError::Several`].
pub fn pack(files: &dyn Files, project: &Project) -> Result<BundleSet, BundleError> {
    let _ = (files, project);
    unimplemented!()
}
