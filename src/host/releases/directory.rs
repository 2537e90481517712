//! A store of releases as files, fit to be committed to git: an object never changes, so two branches never conflict.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::port::{Releases, StoreError};
use crate::release::MAX_SIZE;

/// A directory, which is made with the first object.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an object or a folder lies. What others write into an app may be part of a name, and must not lead out of
    /// the store.
    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        match name.split('/').all(is_file_name) {
            true => Ok(self.root.join(name)),
            false => {
                let message = format!("`{}` is no name of an object", name.escape_debug());
                Err(StoreError { place: self.place(), message, help: None })
            }
        }
    }

    fn error(&self, doing: &str, path: &Path, error: &io::Error) -> StoreError {
        let help = match error.kind() {
            io::ErrorKind::PermissionDenied => Some("make it readable and writable for this user".to_owned()),
            io::ErrorKind::StorageFull => Some("free some space on this disk".to_owned()),
            _ => None,
        };
        StoreError { place: self.place(), message: format!("cannot {doing} {}: {error}", path.display()), help }
    }

    fn walk(&self, directory: &Path, folder: &str, names: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // Drafts, and whatever others keep beside.
            let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned) else {
                continue;
            };
            let name = format!("{folder}/{name}");
            match entry.file_type()?.is_dir() {
                true => self.walk(&entry.path(), &name, names)?,
                false => names.push(name),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Releases for Directory {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path(folder)?;
        let mut names = Vec::new();
        self.walk(&path, folder, &mut names).map_err(|error| self.error("list", &path, &error))?;
        names.sort();
        Ok(names)
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(name)?;
        let read = || {
            if fs::metadata(&path)?.len() > MAX_SIZE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            fs::read(&path)
        };
        match read() {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", &path, &error)),
        }
    }

    async fn create(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        let path = self.path(name)?;
        create(&path, &content).map_err(|error| self.error("write", &path, &error))
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.error("remove", &path, &error)),
            _ => Ok(()),
        }
    }
}

/// Whether a part of a name is a plain file name on every system, as all are that this program makes.
fn is_file_name(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '%' | '@');
    !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain)
}

/// A draft that is linked to its name once it is on the disk: a reader sees all of it or nothing, and of two writers the
/// second finds it there.
fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    if path.exists() {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = directory.join(format!(".draft.{}.{count}", std::process::id()));
    let written = fs::File::create(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links; then the last of two equal objects stays.
        Err(_) => fs::rename(&draft, path),
        Ok(()) => Ok(()),
    });
    let _ = fs::remove_file(&draft);
    linked?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn objects_are_whole_and_stay_as_they_are() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Directory::at(temporary.path().join("new"));
        assert_eq!(store.list("a").await, Ok(Vec::new()));
        assert_eq!(store.get("a/b/1").await, Ok(None));
        store.create("a/b/1", "one".into()).await.unwrap();
        store.create("a/b/1", "another".into()).await.unwrap();
        store.create("a/c/2", "two".into()).await.unwrap();
        store.create("b/3", "three".into()).await.unwrap();
        assert_eq!(store.list("a").await.unwrap(), ["a/b/1", "a/c/2"]);
        assert_eq!(store.get("a/b/1").await.unwrap().unwrap(), "one");
        store.remove("a/b/1").await.unwrap();
        store.remove("a/b/1").await.unwrap();
        assert_eq!(store.list("a").await.unwrap(), ["a/c/2"]);
        let left: Vec<_> = fs::read_dir(temporary.path().join("new/a/b")).unwrap().collect();
        assert!(left.is_empty(), "no draft lies around: {left:?}");
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_store() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Directory::at(temporary.path().join("store"));
        for name in ["a/../../evil", "..", "a/./b", "/tmp/evil", "a//b", "", "a/b\\c", "a/.b", "a/b\0", "a/C:b", "a b"]
        {
            let refused = store.create(name, "x".into()).await.unwrap_err().to_string();
            assert!(refused.ends_with("is no name of an object"), "{refused}");
            assert!(store.get(name).await.is_err() && store.list(name).await.is_err(), "{name}");
            assert!(store.remove(name).await.is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        let plain = "@org/p/d/shop%20/apps/a/log/staging@localhost%3a80/20260102T030405.678901Z-applied-0-0-0-v1.json";
        store.create(plain, "x".into()).await.unwrap();
        assert_eq!(store.list("@org").await.unwrap(), [plain]);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_says_where_and_why() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        let error = Directory::at(&file).create("a/1", "one".into()).await.unwrap_err();
        assert!(error.to_string().contains("cannot write") && error.to_string().contains("file/a/1"), "{error}");
    }
}
