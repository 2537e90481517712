//! Where this program keeps what it must keep. What it may lose is in [`crate::host::Cache`].

use std::env;
use std::path::PathBuf;

use super::failure::Failure;

/// The environment does not tell where to keep anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither FLYTE_STATE_DIR nor HOME is set")]
pub struct NoStateDirectory;

impl From<NoStateDirectory> for Failure {
    fn from(error: NoStateDirectory) -> Self {
        Self::from_error(&error).help("set FLYTE_STATE_DIR to a directory for the embedded control plane")
    }
}

/// The embedded control plane's directory: FLYTE_STATE_DIR, else `flyte` in XDG_STATE_HOME, else as the system has it.
///
/// # Errors
/// [`NoStateDirectory`]
pub fn state() -> Result<PathBuf, NoStateDirectory> {
    let usual = if cfg!(target_os = "macos") { "Library/Application Support/flyte" } else { ".local/state/flyte" };
    // A relative path is meant from here; XDG says that one of its own is to be ignored.
    let own = set("FLYTE_STATE_DIR").and_then(|directory| std::path::absolute(directory).ok());
    let xdg = || set("XDG_STATE_HOME").filter(|base| base.is_absolute()).map(|base| base.join("flyte"));
    let home = || set("HOME").filter(|home| home.is_absolute()).map(|home| home.join(usual));
    own.or_else(xdg).or_else(home).ok_or(NoStateDirectory)
}

fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
