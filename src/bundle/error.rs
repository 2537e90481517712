//! Why code could not be packed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ByteSize, MAX_FILES, MAX_SIZE};
use crate::diagnostic::printable;
use crate::model::AppName;
use crate::port::FileFault;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// `source.root` is not a directory.
    #[error("the source of `{app}` is not a directory: {}", shown(.path))]
    Root { app: AppName, path: PathBuf },
    /// An entry of `source.include` or `source.exclude` that is no path or glob below the root.
    #[error("`{pattern}` of `{app}` is not usable: {reason}")]
    Pattern { app: AppName, key: &'static str, pattern: String, reason: String },
    /// An entry of `source.include` leads to nothing that may be packed.
    #[error("`{pattern}`, included by `{app}`, matches no file{}", if *.ignored { " that is not ignored" } else { "" })]
    NoMatch { app: AppName, pattern: String, ignored: bool },
    /// An entry of `source.include` leads out of the root through a link.
    #[error("`{pattern}`, included by `{app}`, leads out of its source, to {}", shown(.target))]
    Outside { app: AppName, pattern: String, target: PathBuf },
    /// Nothing is left to pack.
    #[error("the source of `{app}` has no files to pack: {}", shown(.root))]
    Empty { app: AppName, root: PathBuf },
    #[error("the source of `{app}` has more than {MAX_FILES} files, most of them in {largest}")]
    TooMany { app: AppName, largest: String },
    #[error("the source of `{app}` has {size}, more than {}; the largest files: {largest}", ByteSize(MAX_SIZE))]
    TooLarge { app: AppName, size: ByteSize, largest: String },
    /// The directory tree has so many entries that walking it was given up.
    #[error("the source below {} has more than {limit} entries", shown(.root))]
    TooDeep { root: PathBuf, limit: usize },
    #[error("cannot read {}", shown(.path))]
    Read {
        path: PathBuf,
        #[source]
        error: Arc<io::Error>,
    },
    /// A file is not what it was when the bundle was named.
    #[error("{} changed while it was being packed", shown(.path))]
    Changed { path: PathBuf },
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
    /// More than one app has something wrong with its source.
    #[error("{}", .0.iter().map(told).collect::<Vec<_>>().join("; "))]
    Several(Vec<BundleError>),
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// With its cause, which no chain of causes tells where there are many.
fn told(error: &BundleError) -> String {
    match error {
        BundleError::Read { error: cause, .. } => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}

impl BundleError {
    pub(super) fn read(path: impl Into<PathBuf>, error: impl Into<Arc<io::Error>>) -> Self {
        Self::Read { path: path.into(), error: error.into() }
    }

    /// The app it is about and the manifest key within it, for a label.
    pub fn place(&self) -> Option<(&AppName, &'static str)> {
        match self {
            Self::Root { app, .. } | Self::Empty { app, .. } => Some((app, "source.root")),
            Self::Pattern { app, key, .. } => Some((app, key)),
            Self::NoMatch { app, .. } | Self::Outside { app, .. } => Some((app, "source.include")),
            Self::TooMany { app, .. } | Self::TooLarge { app, .. } => Some((app, "source")),
            Self::TooDeep { .. } | Self::Read { .. } | Self::Changed { .. } | Self::Write(_) | Self::Several(_) => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Root { .. } => Some("write the directory that holds the code, relative to the manifest"),
            Self::Pattern { .. } => Some("write paths and globs relative to `source.root`, such as `data/**`"),
            Self::NoMatch { ignored: true, .. } => {
                Some("name the file or directory exactly, or write `!name` into .flyteignore")
            }
            Self::NoMatch { .. } => Some("check the spelling; globs are relative to `source.root`"),
            Self::Outside { .. } => Some("copy the file into the source, or widen `source.root`"),
            Self::Empty { .. } => Some("leave out `source` when the code is in the image"),
            Self::TooMany { .. } | Self::TooLarge { .. } | Self::TooDeep { .. } => {
                Some("narrow it with `include` or `exclude`, or write what is not needed into .flyteignore")
            }
            Self::Changed { .. } => Some("run it again when nothing writes to the source"),
            Self::Read { error, .. } => FileFault::help(error),
            Self::Write(_) | Self::Several(_) => None,
        }
    }
}

/// Bytes that are no archive of ours.
#[derive(Debug, thiserror::Error)]
pub enum DamagedArchive {
    #[error("not a gzip-compressed tar archive")]
    Unreadable(#[source] io::Error),
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the archive has more than {limit} entries")]
    TooMany { limit: usize },
}
