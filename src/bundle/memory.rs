//! The file lists of earlier bundles, kept in the local cache, so that a plan can name the files that changed.

use super::{Bundle, BundleFile};
use crate::model::BundleRef;
use crate::port::Files;

/// Led by its format number: a list of another format is not there.
fn name(bundle: BundleRef) -> String {
    format!("bundle-1-{}.json", bundle.0)
}

pub(super) fn remember(files: &dyn Files, bundle: &Bundle) {
    let name = name(bundle.digest);
    if !files.remembers(&name)
        && let Ok(list) = serde_json::to_vec(&bundle.files)
    {
        files.remember(&name, &list);
    }
}

/// The files of a bundle that was packed on this machine before. `None` when it was not, or the cache is gone.
pub fn recall(files: &dyn Files, bundle: BundleRef) -> Option<Vec<BundleFile>> {
    serde_json::from_slice(&files.recall(&name(bundle))?).ok()
}
