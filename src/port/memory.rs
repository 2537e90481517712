//! Twins of the ports for tests: a tree of files in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Entry, EntryKind, FileFacts, FileKind, Files, Stamp};
use crate::model::Digest;

/// A tree of files in memory. A directory is whatever a file lies below; what begins with `#!` is executable.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemoryFiles {
    pub fn insert(&mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), content.into());
    }
}

impl Files for MemoryFiles {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        if self.files.contains_key(path) {
            return Some(FileKind::File);
        }
        self.files.keys().any(|file| file.starts_with(path)).then_some(FileKind::Directory)
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = Vec::new();
        for file in self.files.keys() {
            if let Some(first) = file.strip_prefix(directory).ok().and_then(|rest| rest.components().next()) {
                let entry = directory.join(first);
                if found.last() != Some(&entry) {
                    found.push(entry);
                }
            }
        }
        if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.list(directory)?.into_iter().map(|path| Ok(Entry { kind: self.look(&path)?, path })).collect()
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        match (self.files.get(path), self.kind(path)) {
            (Some(content), _) => Ok(EntryKind::File(FileFacts {
                size: content.len() as u64,
                executable: content.starts_with(b"#!"),
                stamp: Stamp::default(),
            })),
            (None, Some(_)) => Ok(EntryKind::Directory),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.kind(path).map(|_| path.to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn digests(&self, _: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        files.iter().map(|(path, _)| self.read(path).map(|content| Digest::of(&content))).collect()
    }
}
