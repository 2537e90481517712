//! Where this program keeps what it must keep. What it may lose is in [`crate::host::Cache`].

use std::env;
use std::path::PathBuf;

use super::failure::{Failure, Result};

/// The embedded control plane's directory: FLYTE_STATE_DIR, else `flyte` in XDG_STATE_HOME, else as the system has it.
///
/// # Errors
/// No variable tells where, not even HOME.
pub fn state() -> Result<PathBuf> {
    let usual = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    find("FLYTE_STATE_DIR", "XDG_STATE_HOME", usual)
}

fn find(own: &str, xdg: &str, usual: &str) -> Result<PathBuf> {
    if let Some(directory) = set(own) {
        return Ok(std::path::absolute(directory)?);
    }
    // XDG: a relative path is to be ignored.
    if let Some(base) = set(xdg).filter(|base| base.is_absolute()) {
        return Ok(base.join("flyte"));
    }
    let home = set("HOME").filter(|home| home.is_absolute());
    home.map(|home| home.join(usual).join("flyte"))
        .ok_or_else(|| Failure::new(format!("neither {own} nor HOME is set")).help(format!("set {own} to a directory")))
}

fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
