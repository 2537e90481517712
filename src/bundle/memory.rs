//! Earlier bundles, kept in the local cache: their lists, so that a plan can name the files that changed, and the small
//! ones whole, so that it can count their lines.

use super::files::digest;
use super::{Bundle, BundleFile, list_archive};
use crate::model::BundleRef;
use crate::port::Files;

/// Led by its format number: a list of another format is not there.
fn name(bundle: BundleRef) -> String {
    format!("bundle-1-{}.json", bundle.0)
}

fn archive_name(bundle: BundleRef) -> String {
    format!("bundle-1-{}.tar.gz", bundle.0)
}

/// The greatest size of an archive that is kept, in bytes.
const MAX_ARCHIVE: usize = 1 << 20;

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

/// Keeps an archive, unless it is large.
pub(super) fn remember_archive(files: &dyn Files, bundle: BundleRef, content: &[u8]) {
    if content.len() <= MAX_ARCHIVE && !files.remembers(&archive_name(bundle)) {
        files.remember(&archive_name(bundle), content);
    }
}

/// An archive that was made or fetched on this machine before. `None` when it was not, or the cache is gone.
pub fn recall_archive(files: &dyn Files, bundle: BundleRef) -> Option<Vec<u8>> {
    files.recall(&archive_name(bundle))
}

/// The list of an archive that somebody gave for a bundle, which is kept from now on. `None` where it is another bundle,
/// or none.
pub fn learn(files: &dyn Files, bundle: BundleRef, content: &[u8]) -> Option<Vec<BundleFile>> {
    let list = list_archive(content).ok()?;
    if digest(&list) != bundle {
        return None;
    }
    remember_archive(files, bundle, content);
    if let Ok(text) = serde_json::to_vec(&list) {
        files.remember(&name(bundle), &text);
    }
    Some(list)
}
