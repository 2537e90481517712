//! The file system of the machine.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::draft::TemporaryFile;
use super::{Cache, hashes};
use crate::model::{Commit, Digest};
use crate::port::{Draft, Entry, EntryKind, FileFacts, FileKind, Files, Stamp};

/// [`Files`] over the system's, with a cache or without.
#[derive(Debug, Clone, Default)]
pub struct RealFiles {
    cache: Option<Cache>,
}

impl RealFiles {
    /// Without a cache everything is read anew.
    pub fn new(cache: Option<Cache>) -> Self {
        Self { cache }
    }

    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }
}

impl Files for RealFiles {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let found = fs::metadata(path).ok()?;
        Some(match (found.is_file(), found.is_dir()) {
            (true, _) => FileKind::File,
            (_, true) => FileKind::Directory,
            _ => FileKind::Other,
        })
    }

    fn commit(&self, directory: &Path) -> Option<Commit> {
        super::git::commit(directory)
    }

    fn source_link(&self, directory: &Path, commit: &Commit) -> Option<String> {
        super::git::source_link(directory, commit)
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(fs::File::open(path)?))
    }

    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        TemporaryFile::create(self.cache.as_ref()).map(|file| Box::new(file) as Box<dyn Draft>)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) => entries.push(Entry { path: entry.path(), kind: kind(&found) }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        fs::metadata(path).map(|found| kind(&found))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn digests(&self, root: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        hashes::digests(self.cache.as_ref(), root, files)
    }

    fn remember(&self, name: &str, content: &[u8]) {
        if let Some(cache) = &self.cache {
            cache.put(name, content);
        }
    }

    fn remembers(&self, name: &str) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.has(name))
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.cache.as_ref()?.get(name)
    }
}

fn kind(found: &fs::Metadata) -> EntryKind {
    if found.is_symlink() {
        EntryKind::Link
    } else if found.is_dir() {
        EntryKind::Directory
    } else if found.is_file() {
        EntryKind::File(FileFacts {
            size: found.len(),
            executable: found.mode() & 0o100 != 0,
            stamp: Stamp {
                modified: nanoseconds(found.mtime(), found.mtime_nsec()),
                changed: nanoseconds(found.ctime(), found.ctime_nsec()),
                inode: found.ino(),
            },
        })
    } else {
        EntryKind::Other
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
