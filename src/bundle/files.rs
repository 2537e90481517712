//! A bundle as a list of files, and two lists compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::WARN_SIZE;
use crate::model::{AppName, BundleRef, Digest};

/// The format of bundle digests. A change of it renames every bundle.
pub const FORMAT: u32 = 1;

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Packed with mode 0755, else 0644.
    pub executable: bool,
    /// In bytes.
    pub size: u64,
    /// Of the content.
    pub digest: Digest,
}

/// The code of an app, named by content. The archive is made when it is needed, by [`super::archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Covers paths, modes and contents.
    pub digest: BundleRef,
    /// The directory the files lie in, without links.
    pub root: PathBuf,
    /// In the order of paths.
    pub files: Vec<BundleFile>,
    /// What somebody may miss, in the order of paths. Files that ignore rules name are not listed.
    pub left_out: Vec<LeftOut>,
}

/// A number of bytes, shown with the unit that suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.into_iter().find(|(_, shift)| self.0 >> shift > 0) {
            // Rounded down to a tenth, so that a size is never shown as more than it is.
            Some((unit, shift)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                f.pad(&format!("{}.{} {unit}", tenths / 10, tenths % 10))
            }
            None => f.pad(&format!("{} B", self.0)),
        }
    }
}

/// Something selected that is not packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Relative to the root, with `/`.
    pub path: String,
    pub reason: Reason,
}

/// Why something selected is not packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A link out of the root.
    Outside(PathBuf),
    /// A link to nothing.
    Dangling,
    /// A link to a directory that it lies in.
    Loop,
    /// An environment or key file that is not named exactly.
    Secret,
    /// A socket, a device, …
    Special,
    /// The name is not UTF-8.
    Name,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(target) => write!(f, "leads out of the source, to {}", target.display()),
            Self::Dangling => f.write_str("leads to nothing"),
            Self::Loop => f.write_str("leads to a directory it lies in"),
            Self::Secret => f.write_str("may hold credentials: name it in `include` to pack it"),
            Self::Special => f.write_str("is neither a file nor a directory"),
            Self::Name => f.write_str("has a name that is not UTF-8"),
        }
    }
}

/// The bundle of every app that has a `source`. Apps of the same content share one.
#[derive(Debug, Clone, Default)]
pub struct BundleSet {
    pub by_app: BTreeMap<AppName, Arc<Bundle>>,
}

impl BundleSet {
    pub fn get(&self, app: &AppName) -> Option<&Arc<Bundle>> {
        self.by_app.get(app)
    }
}

impl Bundle {
    pub fn new(root: PathBuf, files: Vec<BundleFile>, left_out: Vec<LeftOut>) -> Self {
        Self { digest: digest(&files), root, files, left_out }
    }

    /// In bytes, before compression.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Whether it is larger than [`WARN_SIZE`].
    pub fn is_large(&self) -> bool {
        self.size() > WARN_SIZE
    }

    /// The largest files, largest first.
    pub fn largest(&self, count: usize) -> Vec<&BundleFile> {
        let mut files: Vec<&BundleFile> = self.files.iter().collect();
        files.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
        files.truncate(count);
        files
    }
}

/// Over format number and count, then path, mode and content of each file, what varies in length led by its length.
pub(super) fn digest(files: &[BundleFile]) -> BundleRef {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&FORMAT.to_le_bytes());
    hasher.update(&(files.len() as u64).to_le_bytes());
    for file in files {
        hasher.update(&(file.path.len() as u64).to_le_bytes());
        hasher.update(file.path.as_bytes());
        hasher.update(&mode(file).to_le_bytes());
        hasher.update(file.digest.as_bytes());
    }
    BundleRef(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

pub(super) fn mode(file: &BundleFile) -> u32 {
    if file.executable { 0o755 } else { 0o644 }
}

/// A file that differs between two bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: String,
    pub kind: FileChangeKind,
    /// In bytes. `None` where it was not there.
    pub old_size: Option<u64>,
    /// In bytes. `None` where it is not there any more.
    pub new_size: Option<u64>,
    /// Whether it can be executed now, where that is another than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    Added,
    /// Of content; the executable bit may have changed too.
    Changed,
    Removed,
    /// Of the executable bit alone.
    Mode,
}

/// What differs, in the order of paths.
pub fn compare(old: &[BundleFile], new: &[BundleFile]) -> Vec<FileChange> {
    let by_path = |files| -> BTreeMap<&str, &BundleFile> {
        <&[BundleFile] as IntoIterator>::into_iter(files).map(|file| (file.path.as_str(), file)).collect()
    };
    let (old, new) = (by_path(old), by_path(new));
    let mut paths: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    paths.sort_unstable();
    paths.dedup();
    let change = |path: &str| {
        let (old, new) = (old.get(path).copied(), new.get(path).copied());
        let kind = match (old, new) {
            (None, _) => FileChangeKind::Added,
            (_, None) => FileChangeKind::Removed,
            (Some(old), Some(new)) if old.digest != new.digest => FileChangeKind::Changed,
            (Some(old), Some(new)) if old.executable != new.executable => FileChangeKind::Mode,
            _ => return None,
        };
        let size = |file: Option<&BundleFile>| file.map(|file| file.size);
        let executable = old.zip(new).filter(|(old, new)| old.executable != new.executable);
        Some(FileChange {
            path: path.to_owned(),
            kind,
            old_size: size(old),
            new_size: size(new),
            executable: executable.map(|(_, new)| new.executable),
        })
    };
    paths.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, executable: bool, content: &str) -> BundleFile {
        let digest = Digest::of(content.as_bytes());
        BundleFile { path: path.to_owned(), executable, size: content.len() as u64, digest }
    }

    #[test]
    fn the_digest_covers_paths_modes_and_contents() {
        let base = digest(&[file("a", false, "1"), file("b", false, "2")]);
        assert_eq!(base, digest(&[file("a", false, "1"), file("b", false, "2")]));
        for other in [
            vec![file("a", false, "1")],
            vec![file("a", true, "1"), file("b", false, "2")],
            vec![file("a", false, "2"), file("b", false, "1")],
            vec![file("a", false, "1"), file("c", false, "2")],
        ] {
            assert_ne!(base, digest(&other));
        }
    }

    #[test]
    fn sizes_are_shown_with_their_unit() {
        let check = |bytes, expected: &str| assert_eq!(ByteSize(bytes).to_string(), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1536, "1.5 KiB");
        check((1 << 30) - 1, "1023.9 MiB");
        check(u64::MAX, "17179869183.9 GiB");
    }

    #[test]
    fn changes_name_each_file_once() {
        let old = [file("a", false, "1"), file("b", false, "2"), file("c", false, "3"), file("d", false, "4")];
        let new = [file("a", false, "1"), file("b", true, "2"), file("c", true, "33"), file("e", false, "5")];
        let changes: Vec<_> =
            compare(&old, &new).into_iter().map(|c| (c.path, c.kind, c.old_size, c.new_size, c.executable)).collect();
        use FileChangeKind as K;
        assert_eq!(
            changes,
            [
                ("b".to_owned(), K::Mode, Some(1), Some(1), Some(true)),
                ("c".to_owned(), K::Changed, Some(1), Some(2), Some(true)),
                ("d".to_owned(), K::Removed, Some(1), None, None),
                ("e".to_owned(), K::Added, None, Some(1), None),
            ]
        );
    }
}
