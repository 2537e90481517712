//! Files to a manifest: parsed with spans, checked against the schema and the rules.
//!
//! [`load`] reads every text of a workspace and notes what is wrong with each on its own. What the texts mean
//! together is decided by [`crate::resolve`], which reports both.

pub mod address;
pub mod check;
mod configs;
mod covered;
mod duration;
mod faults;
pub mod format;
pub mod kubernetes;
mod load;
mod parse;
mod paths;
pub mod pod;
mod retyped;
pub mod rules;
mod value;
mod wording;
mod workspace;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use load::load;
pub use paths::normal;
use pod::PodFile;
pub use value::{Entry, Node, Table, Value, quoted};
pub use workspace::find;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, FileId, SourceMap};
use crate::port::FileKind;

/// The file name of a manifest.
pub const FILE_NAME: &str = "flyte.toml";

/// The greatest size of a manifest.
pub const MAX_BYTES: usize = 1 << 20;

/// The greatest number of apps, and of members, of a workspace.
pub const MAX_APPS: usize = 10_000;

/// What was written: the root text and its members, mistakes included.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The directory of the root text, absolute.
    pub root: PathBuf,
    /// Paths are shown relative to `root`.
    pub sources: SourceMap,
    /// The root first, then members in the order of their paths.
    pub documents: Vec<Document>,
    /// What is wrong with the texts whatever profile is chosen.
    pub findings: Vec<Diagnostic>,
    /// Some text could not be understood, so what seems absent may be there.
    pub incomplete: bool,
    /// What is at the paths that the texts name; for a glob, at the first it finds.
    pub files: BTreeMap<PathBuf, Option<FileKind>>,
    /// The SDK's files that targets name, by the path as written, with their place among the sources.
    pub configs: BTreeMap<String, (FileId, Config)>,
    /// The pods in the files that texts name as `pod_template`.
    pub pods: BTreeMap<PathBuf, PodFile>,
}

/// One text.
#[derive(Debug, Clone)]
pub struct Document {
    pub file: FileId,
    /// Paths in the text are relative to it. Absolute.
    pub directory: PathBuf,
    /// Checked against the schema; what it does not allow is a mistaken value.
    pub table: Table,
}

impl Manifest {
    /// Every profile some text declares, in the order of names.
    pub fn profiles(&self) -> Vec<&str> {
        let entries = self.documents.iter().flat_map(|document| &document.table.table("profile").entries);
        let mut names: Vec<&str> = entries.map(|entry| entry.key.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// One that says nothing, for those who stand outside of any.
    pub fn nothing() -> Self {
        let mut sources = SourceMap::default();
        let file = sources.add(FILE_NAME, "");
        Self {
            root: PathBuf::new(),
            sources,
            documents: vec![Document { file, directory: PathBuf::new(), table: Table::default() }],
            findings: Vec::new(),
            incomplete: false,
            files: BTreeMap::new(),
            configs: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
    }

    pub fn root_document(&self) -> &Document {
        &self.documents[0]
    }
}

/// Why no manifest could be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no flyte.toml in {} or above it", .0.display())]
    NotFound(PathBuf),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}
