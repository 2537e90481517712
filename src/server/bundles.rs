//! The code bundles of an embedded control plane, as files, whether it runs or not.

#![expect(clippy::disallowed_methods, reason = "an edge: bundles are files")]

use std::path::Path;

use super::store::BundlePath;

/// Whether the bundle at an address is stored. `None` for an address of another store.
pub fn exists(state: &Path, address: &str) -> Option<bool> {
    Some(BundlePath::of_address(address)?.below(state).is_file())
}
