//! Which source files changed between two bundles.

use crate::bundle::FileChange;
use crate::model::BundleRef;

/// What the code of an app was and becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChange {
    pub old: BundleRef,
    pub new: BundleRef,
    pub files: Vec<FileChange>,
}
