//! A directory for as long as a commit is read.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::host::Cache;

const PREFIX: &str = ".commit.";

/// A directory that only its owner may enter. It is removed with the value, or by the next process if this one dies.
pub struct Scratch {
    path: PathBuf,
    /// Locked as long as it is held. Where the file system has no locks, nobody can tell that it is not.
    _held: File,
}

impl Scratch {
    /// In the cache, which has room for bundles; without one that can be written, where the system keeps temporary files.
    pub fn create(cache: Option<&Cache>) -> io::Result<Self> {
        let cached = cache.filter(|cache| cache.make_directory().is_ok()).and_then(|cache| {
            sweep(cache.directory());
            Self::create_in(cache.directory()).ok()
        });
        cached.map_or_else(|| Self::create_in(&std::env::temp_dir()), Ok)
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        loop {
            static COUNT: AtomicU64 = AtomicU64::new(0);
            let name = format!("{PREFIX}{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = parent.join(&name);
            // It gets its name once it is locked: no other process takes it for one that was left.
            let unlocked = parent.join(format!(".new{name}"));
            match DirBuilder::new().mode(0o700).create(&unlocked) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let held = File::open(&unlocked)?;
            let _ = held.try_lock();
            fs::rename(&unlocked, &path)?;
            return Ok(Self { path, _held: held });
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes have left that died.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && File::open(entry.path()).is_ok_and(|directory| directory.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
