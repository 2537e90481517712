//! What changed in the code: from bundles packed or fetched here before, else from the live bundle itself.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use super::files_on_record;
use crate::bundle::{self, Bundle, BundleFile, FileChange, FileChangeKind};
use crate::diff::{Budget, ChangeSet, ChangedFile, CodeChange, Content, MAX_FILE, compare_contents};
use crate::model::{AppId, BundleRef, Digest, LiveApp, spec};
use crate::port::{Content as Archive, ControlPlane, Draft, Files, Ports};
use crate::resolve::Project;

/// The greatest size of an archive that is fetched to be compared, in bytes: 256 MiB.
const MAX_DOWNLOAD: u64 = 256 << 20;

/// One side of a comparison.
struct Side<'a> {
    files: Vec<BundleFile>,
    contents: Contents<'a>,
}

/// Where the contents of files are.
enum Contents<'a> {
    Tree(&'a Bundle),
    Archive(Arc<dyn Archive>),
    /// Only the list is known.
    Nowhere,
}

/// Finds out which files changed, and in how many lines where both contents are here. With `text` the lines themselves
/// are shown, and what is not here is fetched; otherwise nothing is fetched where the list of files is known. Without a
/// control plane nothing is, and the code of the last release is the old one.
pub async fn compare(
    ports: &Ports,
    control_plane: Option<&dyn ControlPlane>,
    project: &Project,
    changes: &mut ChangeSet,
    text: bool,
) {
    let files = ports.files.as_ref();
    let mut budget = Budget::new(text);
    // Apps often share their code.
    let mut known: BTreeMap<(BundleRef, BundleRef), Option<CodeChange>> = BTreeMap::new();
    for change in &mut changes.apps {
        let old = match &change.taken {
            Some(taken) => taken.code.as_ref().map(|code| code.digest),
            None if control_plane.is_none() => {
                change.released.as_ref().and_then(|last| Some(last.code.as_ref()?.digest))
            }
            None => change.live.as_ref().and_then(LiveApp::bundle),
        };
        let new = spec::bundle(&change.desired.spec.0);
        let (Some(old), Some(new)) = (old, new.filter(|new| Some(*new) != old)) else { continue };
        change.code = match known.entry((old, new)) {
            Entry::Occupied(compared) => compared.get().clone(),
            Entry::Vacant(entry) => {
                let id = project.scope.app(&change.desired.id.name);
                let becomes = becomes(ports, project, change.desired.bundle.as_deref(), new).await;
                let was = was(ports, control_plane, project, &id, old, text).await;
                let compared = was.zip(becomes).map(|(was, becomes)| CodeChange {
                    old,
                    new,
                    files: compare_files(files, &was, &becomes, &project.owner, &mut budget),
                });
                entry.insert(compared).clone()
            }
        };
    }
}

/// What is to run: packed now, or of a release on record.
async fn becomes<'a>(
    ports: &Ports,
    project: &Project,
    packed: Option<&'a Bundle>,
    bundle: BundleRef,
) -> Option<Side<'a>> {
    if let Some(packed) = packed {
        return Some(Side { files: packed.files.clone(), contents: Contents::Tree(packed) });
    }
    let contents = bundle::recall_archive(ports.files.as_ref(), bundle).map_or(Contents::Nowhere, Contents::Archive);
    files_on_record(ports, project, bundle).await.map(|files| Side { files, contents })
}

/// What runs. `None` where nothing is known of it, and nobody can tell.
async fn was(
    ports: &Ports,
    control_plane: Option<&dyn ControlPlane>,
    project: &Project,
    app: &AppId,
    bundle: BundleRef,
    fetch: bool,
) -> Option<Side<'static>> {
    let files = ports.files.as_ref();
    let list = files_on_record(ports, project, bundle).await;
    let archive = bundle::recall_archive(files, bundle);
    match (list, archive) {
        (Some(list), Some(archive)) => Some(Side { files: list, contents: Contents::Archive(archive) }),
        (Some(list), None) if !fetch => Some(Side { files: list, contents: Contents::Nowhere }),
        (list, archive) => {
            let archive = match archive {
                Some(archive) => Some(archive),
                None => match control_plane {
                    Some(control_plane) => download(files, control_plane, app).await,
                    None => None,
                },
            };
            // What is fetched may be something else than was asked for.
            let learned = archive.and_then(|archive| Some((bundle::learn(files, bundle, archive.as_ref())?, archive)));
            match learned {
                Some((list, archive)) => Some(Side { files: list, contents: Contents::Archive(archive) }),
                None => list.map(|list| Side { files: list, contents: Contents::Nowhere }),
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

fn compare_files(
    files: &dyn Files,
    was: &Side<'_>,
    becomes: &Side<'_>,
    salt: &str,
    budget: &mut Budget,
) -> Vec<ChangedFile> {
    let changed = bundle::compare(&was.files, &becomes.files);
    let wanted: BTreeSet<&str> = changed.iter().map(|file| file.path.as_str()).collect();
    let (before, after) = (was.read(files, &wanted), becomes.read(files, &wanted));
    let compare = |file: FileChange| {
        let too_large = [file.old_size, file.new_size].into_iter().flatten().any(|size| size > MAX_FILE);
        let (old, new) = (before.get(&file.path), after.get(&file.path));
        // A side on which the file is not needs no content.
        let is_known = old.is_some() || file.old_size.is_none();
        let is_known = is_known && (new.is_some() || file.new_size.is_none());
        let content = match file.kind {
            // Its lines are the same.
            FileChangeKind::Mode => Content::Counted { added: 0, removed: 0 },
            _ if too_large => Content::TooLarge,
            _ if is_known => {
                return compare_contents(file, old.map(Vec::as_slice), new.map(Vec::as_slice), salt, budget);
            }
            _ => Content::Unknown,
        };
        ChangedFile { file, content, patch: None }
    };
    changed.into_iter().map(compare).collect()
}

impl Side<'_> {
    /// The contents of some of its files, as far as they are here, not too large, and still what the bundle was named by.
    fn read(&self, files: &dyn Files, wanted: &BTreeSet<&str>) -> BTreeMap<String, Vec<u8>> {
        let from_tree = |bundle: &Bundle| {
            let wanted =
                bundle.files.iter().filter(|file| wanted.contains(file.path.as_str()) && file.size <= MAX_FILE);
            let read = wanted.filter_map(|file| {
                let content = files.read(&bundle.root.join(&file.path)).ok()?;
                (Digest::of(&content) == file.digest).then(|| (file.path.clone(), content))
            });
            read.collect()
        };
        match &self.contents {
            Contents::Tree(bundle) => from_tree(bundle),
            Contents::Archive(archive) => {
                let content = archive.open().ok();
                content.and_then(|content| bundle::read_archive(content, wanted, MAX_FILE).ok()).unwrap_or_default()
            }
            Contents::Nowhere => BTreeMap::new(),
        }
    }
}
