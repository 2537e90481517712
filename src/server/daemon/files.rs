//! The files by which programs find a running control plane, and keep out of each other's way.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::DaemonError;
use crate::server::state::Profile;

/// Held for as long as a control plane runs on the directory.
pub const LOCK: &str = "server.lock";
/// Held by a program while it starts one.
pub const START_LOCK: &str = "start.lock";
/// What runs now. Removed at a clean end.
pub const RUNNING: &str = "server.json";
/// What stays the same from one run to the next.
pub const SETTINGS: &str = "settings.json";
/// What a detached control plane prints.
pub const LOG: &str = "server.log";

/// The number of the layout of both JSON files.
pub const FORMAT: u32 = 1;

/// `server.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningFile {
    pub format: u32,
    pub pid: u32,
    pub started: jiff::Timestamp,
    pub port: u16,
    pub profile: Profile,
    /// Of the program.
    pub version: String,
}

/// `settings.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub format: u32,
    pub port: u16,
    pub profile: Profile,
    /// Tells the control plane from those of other machines and from the ones before a reset. Empty: it began before
    /// there were any.
    #[serde(default)]
    pub id: String,
}

pub fn failed(path: &Path) -> impl FnOnce(io::Error) -> DaemonError {
    let path = path.to_owned();
    move |source| DaemonError::File { path, source }
}

/// `None` where the file is not there or is of no use.
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Replaces a file as a whole: a reader sees the old one or the new one.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), DaemonError> {
    let new: PathBuf = path.with_extension("json.new");
    let write = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(failed(path))
}

pub fn make_directory(directory: &Path) -> Result<(), DaemonError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))
}

/// A lock that ends with the value, or with the process.
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// `None` where another holds it for longer than `patience`.
    pub fn take(path: &Path, patience: Duration) -> Result<Option<Self>, DaemonError> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path).map_err(failed(path))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(path)(error)),
            }
        }
    }

    /// Whether somebody holds it. Looking does not get in the way of one who takes it with some patience.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
