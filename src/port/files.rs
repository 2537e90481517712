//! The file system as the stages see it.

use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Commit, Digest};

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    /// A socket, a device, …
    Other,
}

/// What lies in a directory. Links are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Absolute, as it was asked for: the directory and the name.
    pub path: PathBuf,
    pub kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File(FileFacts),
    Directory,
    Link,
    /// A socket, a device, …
    Other,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// In bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    pub stamp: Stamp,
}

/// Changes whenever a file is written. Means something only together with the path and the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Of the content, in nanoseconds since 1970.
    pub modified: i64,
    /// Of content, owner, mode or name, in nanoseconds since 1970.
    pub changed: i64,
    pub inode: u64,
}

/// Bytes that can be read as often as needed, from the beginning each time.
pub trait Content: Send + Sync {
    /// # Errors
    /// As the system says.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

impl Content for Bytes {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.clone())))
    }
}

/// A temporary file, for this process alone. It is gone once neither the draft nor its content is held any more, however
/// the process ends.
pub trait Draft: Write + Send {
    /// What was written.
    ///
    /// # Errors
    /// As the system says.
    fn finish(self: Box<Self>) -> io::Result<Arc<dyn Content>>;
}

/// Why a file cannot be had, where there is something to do about it: the inside of an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FileFault {
    pub message: String,
    pub help: String,
}

impl FileFault {
    /// What to do about an error.
    pub fn help(error: &io::Error) -> Option<&str> {
        Some(&error.get_ref()?.downcast_ref::<Self>()?.help)
    }
}

impl From<FileFault> for io::Error {
    fn from(fault: FileFault) -> Self {
        Self::other(fault)
    }
}

/// Reading files, and a local cache that may forget. Paths are absolute.
pub trait Files: Send + Sync {
    /// `None` where nothing is.
    fn kind(&self, path: &Path) -> Option<FileKind>;

    /// # Errors
    /// As the system says; text that is not UTF-8 is [`io::ErrorKind::InvalidData`].
    fn read_text(&self, path: &Path) -> io::Result<String>;

    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The content of a file, bit by bit.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Somewhere to write what is too much for memory.
    ///
    /// # Errors
    /// As the system says.
    fn draft(&self) -> io::Result<Box<dyn Draft>>;

    /// The entries of a directory, sorted by name.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// The entries of a directory with what they are, sorted by name. One that vanishes meanwhile is left out.
    ///
    /// # Errors
    /// As the system says.
    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>>;

    /// The facts of files whose content is wanted, in the order given. What [`Files::entries`] and [`Files::look`] tell
    /// of a file may be about what is stored, where its content is made first when it is wanted.
    ///
    /// # Errors
    /// The first file that cannot be had, and why.
    fn exact(&self, files: &[(PathBuf, FileFacts)]) -> Result<Vec<FileFacts>, (PathBuf, io::Error)> {
        Ok(files.iter().map(|(_, facts)| *facts).collect())
    }

    /// What a path leads to, links followed; never [`EntryKind::Link`].
    ///
    /// # Errors
    /// As the system says, [`io::ErrorKind::NotFound`] for a link that leads nowhere.
    fn look(&self, path: &Path) -> io::Result<EntryKind>;

    /// The path without links and `..`.
    ///
    /// # Errors
    /// As the system says.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// The blake3 of the content of each file, in the order given. `root` is the directory they lie in: what is
    /// remembered of their contents is kept by it. The facts must be those of [`Files::entries`], [`Files::look`] or
    /// [`Files::exact`], taken before.
    fn digests(&self, root: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>>;

    /// The commit that a directory is a copy of. `None` where it is in no work tree.
    fn commit(&self, _directory: &Path) -> Option<Commit> {
        None
    }

    /// Where people read the source that a directory is a clean copy of. `None` where there is no such place.
    fn source_link(&self, _directory: &Path, _commit: &Commit) -> Option<String> {
        None
    }

    /// Keeps something that is named by its content, for a later run. `name` is one path segment. May fail unnoticed.
    fn remember(&self, _name: &str, _content: &[u8]) {}

    /// Whether [`Files::recall`] would find it.
    fn remembers(&self, name: &str) -> bool {
        self.recall(name).is_some()
    }

    /// What [`Files::remember`] kept, if it is still there.
    fn recall(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}
