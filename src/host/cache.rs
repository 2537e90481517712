//! The local cache: files that make the next run faster and may vanish at any time. What goes wrong with it is never
//! an error.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::model::Digest;
use crate::port::Notes;

/// Files kept; beyond it the oldest go.
const MAX_ENTRIES: usize = 1_000;

/// How the names of our files begin. The directory may be one that others use too, and theirs are left alone.
const OURS: [&str; 4] = ["bundle-", "guarantees-", "hashes-", "release-"];

/// A directory of cache files, one flat name each. They hold code and specs: only their owner may read them.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// A cache in a directory, which is made when something is first kept.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where the user's caches are: `FLYTE_CACHE_DIR`, else `flyte` below `XDG_CACHE_HOME` or `~/.cache`. `None` where
    /// the environment names none of them as an absolute path.
    ///
    /// Source: the XDG Base Directory Specification.
    pub fn of_user(environment: &BTreeMap<String, String>) -> Option<Self> {
        let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("FLYTE_CACHE_DIR")
            .or_else(|| absolute("XDG_CACHE_HOME").map(|caches| caches.join("flyte")))
            .or_else(|| absolute("HOME").map(|home| home.join(".cache/flyte")))
            .map(Self::at)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_some_and(|path| path.is_file())
    }

    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)?).ok()
    }

    /// Keeps a file, whole or not at all: a reader never sees half of it.
    pub fn put(&self, name: &str, content: &[u8]) {
        let Some(path) = self.path(name) else { return };
        if self.make_directory().is_err() {
            return;
        }
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!(".{name}.{}.{count}", std::process::id()));
        // What a process that died has left under this number is in the way of `create_new`.
        let _ = fs::remove_file(&draft);
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let written = opened.and_then(|mut file| file.write_all(content));
        if written.and_then(|()| fs::rename(&draft, &path)).is_err() {
            let _ = fs::remove_file(&draft);
        }
        self.sweep();
    }

    /// Makes the directory, for its owner alone. One that is there stays as it is.
    pub(super) fn make_directory(&self) -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let is_flat = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        is_flat.then(|| self.directory.join(name))
    }

    /// Removes the oldest tenth of our files when there are too many; drafts of processes that died age with the rest.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let is_ours = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            OURS.iter().any(|ours| name.trim_start_matches('.').starts_with(ours))
        };
        let paths: Vec<PathBuf> = entries.flatten().filter(is_ours).map(|entry| entry.path()).collect();
        if paths.len() <= MAX_ENTRIES {
            return;
        }
        let age =
            |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut aged: Vec<(SystemTime, PathBuf)> = paths.into_iter().map(|path| (age(&path), path)).collect();
        aged.sort();
        for (_, path) in aged.into_iter().take(MAX_ENTRIES / 10) {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file each, named after the digest of the control plane's name.
impl Notes for Cache {
    fn read(&self, control_plane: &str) -> Option<String> {
        String::from_utf8(self.get(&notes_name(control_plane))?).ok()
    }

    fn write(&self, control_plane: &str, text: &str) {
        self.put(&notes_name(control_plane), text.as_bytes());
    }
}

fn notes_name(control_plane: &str) -> String {
    format!("guarantees-{}.json", Digest::of(control_plane.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_directory_is_the_one_the_environment_names() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(Cache::of_user(&environment).map(|cache| cache.directory), expected.map(PathBuf::from));
        };
        check(&[("HOME", "/home/a")], Some("/home/a/.cache/flyte"));
        check(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")], Some("/c/flyte"));
        check(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "relative")], Some("/home/a/.cache/flyte"));
        check(&[("FLYTE_CACHE_DIR", "/f"), ("XDG_CACHE_HOME", "/c")], Some("/f"));
        check(&[], None);
    }

    #[test]
    fn what_is_put_comes_back_and_nothing_else_lies_around() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("new"));
        assert_eq!(cache.get("a"), None);
        cache.put("a", b"1");
        cache.put("a", b"2");
        cache.put("../b", b"3");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&cache.directory().join("a")), mode(cache.directory())), (0o600, 0o700));
        assert_eq!(cache.get("a").as_deref(), Some(&b"2"[..]));
        assert!(cache.has("a") && !cache.has("b"));
        assert_eq!(fs::read_dir(cache.directory()).unwrap().count(), 1);
        assert!(!directory.path().join("b").exists());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_none() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let cache = Cache::at(directory.path().join("file"));
        cache.put("a", b"1");
        assert_eq!(cache.get("a"), None);
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        let write = |name: String| fs::write(directory.path().join(name), "").unwrap();
        (0..MAX_ENTRIES).for_each(|n| write(format!("of-others-{n}")));
        cache.put("bundle-0", b"1");
        let count = || fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(count(), MAX_ENTRIES + 1);
        (1..MAX_ENTRIES).for_each(|n| write(format!("bundle-{n}")));
        cache.put("hashes-new", b"1");
        assert!(cache.has("hashes-new"));
        assert_eq!(count(), 2 * MAX_ENTRIES + 1 - MAX_ENTRIES / 10);
        assert!((0..MAX_ENTRIES).all(|n| cache.has(&format!("of-others-{n}"))));
    }
}
