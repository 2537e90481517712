//! The file system as the stages see it.

use std::io;
use std::path::{Path, PathBuf};

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    /// A socket, a device, …
    Other,
}

/// Reading files. Paths are absolute.
pub trait Files: Send + Sync {
    /// `None` where nothing is.
    fn kind(&self, path: &Path) -> Option<FileKind>;

    /// # Errors
    /// As the system says; text that is not UTF-8 is [`io::ErrorKind::InvalidData`].
    fn read_text(&self, path: &Path) -> io::Result<String>;

    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The entries of a directory, sorted by name.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
}
