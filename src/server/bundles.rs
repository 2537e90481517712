//! The code bundles of an embedded control plane, as files, whether it runs or not.

#![expect(clippy::disallowed_methods, reason = "an edge: bundles are files")]

use std::path::Path;

use super::store::BundlePath;

/// Whether the bundle at an address is stored. `None` for an address of another store.
pub fn exists(state: &Path, address: &str) -> Option<bool> {
    Some(BundlePath::of_address(address)?.below(state).is_file())
}

/// Removes the bundle at an address, with the directories that are empty then. What cannot be removed stays.
pub fn remove(state: &Path, address: &str) {
    let Some(path) = BundlePath::of_address(address) else { return };
    let file = path.below(state);
    if std::fs::remove_file(&file).is_ok() {
        // Those that hold something else refuse.
        let _ = file.ancestors().skip(1).take(3).try_for_each(std::fs::remove_dir);
    }
}
