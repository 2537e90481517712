//! Earlier bundles, kept in the local cache: their lists, so that a plan can name the files that changed, and the small
//! ones whole, so that it can count their lines.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;

use super::files::digest;
use super::{Bundle, BundleFile, list_archive};
use crate::model::BundleRef;
use crate::port::{Content, Files};

/// Led by its format number: a list of another format is not there.
fn name(bundle: BundleRef) -> String {
    format!("bundle-1-{}.json", bundle.0)
}

fn archive_name(bundle: BundleRef) -> String {
    format!("bundle-1-{}.tar.gz", bundle.0)
}

/// The greatest size of an archive that is kept, in bytes.
const MAX_ARCHIVE: u64 = 1 << 20;

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
pub(super) fn remember_archive(files: &dyn Files, bundle: BundleRef, content: &dyn Content) {
    if files.remembers(&archive_name(bundle)) {
        return;
    }
    let mut bytes = Vec::new();
    let read = content.open().and_then(|content| content.take(MAX_ARCHIVE + 1).read_to_end(&mut bytes));
    if read.is_ok_and(|length| length as u64 <= MAX_ARCHIVE) {
        files.remember(&archive_name(bundle), &bytes);
    }
}

/// An archive that was made or fetched on this machine before. `None` when it was not, or the cache is gone.
pub fn recall_archive(files: &dyn Files, bundle: BundleRef) -> Option<Arc<dyn Content>> {
    files.recall(&archive_name(bundle)).map(|content| Arc::new(Bytes::from(content)) as Arc<dyn Content>)
}

/// The list of an archive that somebody gave for a bundle, which is kept from now on. `None` where it is another bundle,
/// or none.
pub fn learn(files: &dyn Files, bundle: BundleRef, content: &dyn Content) -> Option<Vec<BundleFile>> {
    let list = list_archive(content.open().ok()?).ok()?;
    if digest(&list) != bundle {
        return None;
    }
    remember_archive(files, bundle, content);
    if let Ok(text) = serde_json::to_vec(&list) {
        files.remember(&name(bundle), &text);
    }
    Some(list)
}
