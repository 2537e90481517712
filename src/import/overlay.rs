//! A file that is not there, seen as if it were.

use std::io::{self, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::model::Digest;
use crate::port::{Content as _, Draft, Entry, EntryKind, FileFacts, FileKind, Files, Stamp};

/// Files as they are, and one more text. It can be read, but is not in the list of its directory: nothing packs it.
pub struct Overlay<F> {
    files: F,
    path: PathBuf,
    text: String,
}

impl<F> Overlay<F> {
    /// `path` is absolute.
    pub fn new(files: F, path: PathBuf, text: String) -> Self {
        Self { files, path, text }
    }
}

impl<F> Files for Overlay<F>
where
    F: Deref + Send + Sync,
    F::Target: Files,
{
    fn kind(&self, path: &Path) -> Option<FileKind> {
        if path == self.path { Some(FileKind::File) } else { self.files.kind(path) }
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        if path == self.path { Ok(self.text.clone()) } else { self.files.read_text(path) }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { Ok(self.text.clone().into_bytes()) } else { self.files.read(path) }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        if path == self.path { Bytes::from(self.text.clone()).open() } else { self.files.open(path) }
    }

    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        self.files.draft()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(directory)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.files.entries(directory)
    }

    fn exact(&self, files: &[(PathBuf, FileFacts)]) -> Result<Vec<FileFacts>, (PathBuf, io::Error)> {
        self.files.exact(files)
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        if path != self.path {
            return self.files.look(path);
        }
        Ok(EntryKind::File(FileFacts { size: self.text.len() as u64, executable: false, stamp: Stamp::default() }))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        if path == self.path { Ok(path.to_owned()) } else { self.files.resolve(path) }
    }

    fn digests(&self, root: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        self.files.digests(root, files)
    }

    fn remember(&self, name: &str, content: &[u8]) {
        self.files.remember(name, content);
    }

    fn remembers(&self, name: &str) -> bool {
        self.files.remembers(name)
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.files.recall(name)
    }
}
