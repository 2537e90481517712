//! What changed in the code: from bundles packed or fetched here before, else from the live bundle itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use crate::bundle::{self, Bundle, BundleFile, FileChange, FileChangeKind};
use crate::diff::{Budget, ChangeSet, ChangedFile, CodeChange, Content, MAX_FILE, compare_contents};
use crate::model::{AppId, BundleRef, Digest, LiveApp};
use crate::port::{Content as Archive, ControlPlane, Draft, Files, Ports};
use crate::resolve::Project;

/// The greatest size of an archive that is fetched to be compared, in bytes: 256 MiB.
const MAX_DOWNLOAD: u64 = 256 << 20;

/// The old side of a comparison.
struct Old {
    files: Vec<BundleFile>,
    /// `None`: only the list is known.
    archive: Option<Arc<dyn Archive>>,
}

/// Finds out which files changed, and in how many lines where both contents are here. With `text` the lines themselves
/// are shown, and what is not here is fetched; otherwise nothing is fetched where the list of files is known.
pub async fn compare(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    changes: &mut ChangeSet,
    text: bool,
) {
    let files = ports.files.as_ref();
    let mut budget = Budget::new(text);
    // Apps often share their code.
    let mut known: BTreeMap<(BundleRef, BundleRef), Option<CodeChange>> = BTreeMap::new();
    for change in &mut changes.apps {
        let (Some(old), Some(new)) = (change.live.as_ref().and_then(LiveApp::bundle), &change.desired.bundle) else {
            continue;
        };
        if old == new.digest {
            continue;
        }
        if !known.contains_key(&(old, new.digest)) {
            let id = project.scope.app(&change.desired.id.name);
            let before = find(files, control_plane, &id, old, text).await;
            let compared = before.map(|before| CodeChange {
                old,
                new: new.digest,
                files: compare_files(files, &before, new, &project.owner, &mut budget),
            });
            known.insert((old, new.digest), compared);
        }
        change.code = known.get(&(old, new.digest)).cloned().flatten();
    }
}

/// `None` where nothing is known of the old bundle, and nobody can tell.
async fn find(
    files: &dyn Files,
    control_plane: &dyn ControlPlane,
    app: &AppId,
    bundle: BundleRef,
    fetch: bool,
) -> Option<Old> {
    let list = bundle::recall(files, bundle);
    let archive = bundle::recall_archive(files, bundle);
    match (list, archive) {
        (Some(list), Some(archive)) => return Some(Old { files: list, archive: Some(archive) }),
        (Some(list), None) if !fetch => return Some(Old { files: list, archive: None }),
        (list, archive) => {
            let archive = match archive {
                Some(archive) => Some(archive),
                None => download(files, control_plane, app).await,
            };
            // What is fetched may be something else than was asked for.
            let learned = archive.and_then(|archive| Some((bundle::learn(files, bundle, archive.as_ref())?, archive)));
            match learned {
                Some((list, archive)) => Some(Old { files: list, archive: Some(archive) }),
                None => list.map(|list| Old { files: list, archive: None }),
            }
        }
    }
}

/// The live bundle, unless the server has none or it is too large.
async fn download(files: &dyn Files, control_plane: &dyn ControlPlane, app: &AppId) -> Option<Arc<dyn Archive>> {
    let mut capped = Capped { draft: files.draft().ok()?, left: MAX_DOWNLOAD };
    let is_there = control_plane.download_bundle(app, &mut capped).await.ok()?;
    if is_there { capped.draft.finish().ok() } else { None }
}

/// A temporary file that takes no more than it should.
struct Capped {
    draft: Box<dyn Draft>,
    left: u64,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.draft.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

fn compare_files(files: &dyn Files, old: &Old, new: &Bundle, salt: &str, budget: &mut Budget) -> Vec<ChangedFile> {
    let changed = bundle::compare(&old.files, &new.files);
    let wanted: BTreeSet<&str> = changed.iter().map(|file| file.path.as_str()).collect();
    let archive = old.archive.as_ref();
    let read_all = |archive: &Arc<dyn Archive>| {
        let content = archive.open().ok()?;
        bundle::read_archive(content, &wanted, MAX_FILE).ok()
    };
    let before = archive.and_then(read_all);
    let digests: BTreeMap<&str, Digest> = new.files.iter().map(|file| (file.path.as_str(), file.digest)).collect();
    let compare = |file: FileChange| {
        let too_large = [file.old_size, file.new_size].into_iter().flatten().any(|size| size > MAX_FILE);
        let content = match file.kind {
            // Its lines are the same.
            FileChangeKind::Mode => Content::Counted { added: 0, removed: 0 },
            _ if too_large => Content::TooLarge,
            _ => {
                let was = before.as_ref().and_then(|contents| contents.get(&file.path));
                let is = read(files, new, &file, digests.get(file.path.as_str()));
                match (file.old_size, file.new_size, was, is) {
                    (None, Some(_), _, Some(is)) => return compare_contents(file, None, Some(&is), salt, budget),
                    (Some(_), None, Some(was), _) => return compare_contents(file, Some(was), None, salt, budget),
                    (Some(_), Some(_), Some(was), Some(is)) => {
                        return compare_contents(file, Some(was), Some(&is), salt, budget);
                    }
                    _ => Content::Unknown,
                }
            }
        };
        ChangedFile { file, content, patch: None }
    };
    changed.into_iter().map(compare).collect()
}

/// The new content, if it is still what the bundle was named by.
fn read(files: &dyn Files, bundle: &Bundle, file: &FileChange, digest: Option<&Digest>) -> Option<Vec<u8>> {
    file.new_size?;
    let content = files.read(&bundle.root.join(&file.path)).ok()?;
    (Some(&Digest::of(&content)) == digest).then_some(content)
}
