//! Twins of the ports for tests: a tree of files in memory, a clock that need not wait.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Clock, Content, Draft, Entry, EntryKind, FileFacts, FileKind, Files, Notes, Registry, ReleaseStores, Releases,
    Resolves, Stamp, StoreError,
};
use crate::model::Digest;
use crate::resolve::ReleaseStore;

/// A tree of files in memory. A directory is whatever a file lies below; what begins with `#!` is executable.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemoryFiles {
    pub fn insert(&mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), content.into());
    }
}

impl Files for MemoryFiles {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        if self.files.contains_key(path) {
            return Some(FileKind::File);
        }
        self.files.keys().any(|file| file.starts_with(path)).then_some(FileKind::Directory)
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Bytes::from(self.read(path)?).open()
    }

    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(MemoryDraft::default()))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = Vec::new();
        for file in self.files.keys() {
            if let Some(first) = file.strip_prefix(directory).ok().and_then(|rest| rest.components().next()) {
                let entry = directory.join(first);
                if found.last() != Some(&entry) {
                    found.push(entry);
                }
            }
        }
        if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.list(directory)?.into_iter().map(|path| Ok(Entry { kind: self.look(&path)?, path })).collect()
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        match (self.files.get(path), self.kind(path)) {
            (Some(content), _) => Ok(EntryKind::File(FileFacts {
                size: content.len() as u64,
                executable: content.starts_with(b"#!"),
                stamp: Stamp::default(),
            })),
            (None, Some(_)) => Ok(EntryKind::Directory),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.kind(path).map(|_| path.to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn digests(&self, _: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        files.iter().map(|(path, _)| self.read(path).map(|content| Digest::of(&content))).collect()
    }
}

/// Notes that last as long as this value.
#[derive(Debug, Default)]
pub struct MemoryNotes(Mutex<BTreeMap<String, String>>);

impl MemoryNotes {
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Notes for MemoryNotes {
    fn read(&self, control_plane: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(control_plane).cloned()
    }

    fn write(&self, control_plane: &str, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(control_plane.to_owned(), text.to_owned());
    }
}

/// A store of releases in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryReleases {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    refusal: Arc<Mutex<Option<String>>>,
}

impl MemoryReleases {
    /// Every object, by name.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts an object in the place of another, as nobody should.
    pub fn overwrite(&self, name: &str, content: impl Into<Bytes>) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), content.into());
    }

    /// Refuses everything from now on, with these words; `None`: nothing any more.
    pub fn refuse(&self, words: Option<&str>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = words.map(str::to_owned);
    }

    fn check(&self) -> Result<(), StoreError> {
        match &*self.refusal.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(words) => Err(StoreError { place: self.place(), message: words.clone(), help: None }),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl ReleaseStores for MemoryReleases {
    async fn open(&self, _: &ReleaseStore) -> Result<Arc<dyn Releases>, StoreError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Releases for MemoryReleases {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.check()?;
        let below = format!("{folder}/");
        Ok(self.objects().into_keys().filter(|name| name.starts_with(&below)).collect())
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.check()?;
        Ok(self.objects().remove(name))
    }

    async fn create(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.check()?;
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert(content);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.check()?;
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}

/// Registries in memory. Clones share them. Nobody can tell of an image that was not told of.
#[derive(Debug, Clone, Default)]
pub struct MemoryRegistry {
    answers: Arc<Mutex<BTreeMap<String, Resolves>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl MemoryRegistry {
    /// From now on, this is the answer for an image.
    pub fn set(&self, image: &str, answer: Resolves) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned(), answer);
    }

    /// The images asked for since the last time, sorted.
    pub fn take_asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        asked.sort();
        asked
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn resolves(&self, image: &str) -> Resolves {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(image.to_owned());
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned();
        known.unwrap_or_else(|| Resolves::Unknown("no such registry".to_owned()))
    }
}

#[derive(Default)]
struct MemoryDraft(Vec<u8>);

impl Write for MemoryDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for MemoryDraft {
    fn finish(self: Box<Self>) -> io::Result<Arc<dyn Content>> {
        Ok(Arc::new(Bytes::from(self.0)))
    }
}

/// A clock on the time of the tokio runtime. In a runtime whose time is paused (`#[tokio::test(start_paused = true)]`)
/// it jumps to the next sleeper as soon as all tasks wait, so that ten minutes take none and a time limit beside a
/// shorter wait is not cut short.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    start: jiff::Timestamp,
    begun: tokio::time::Instant,
}

impl VirtualClock {
    /// A clock that shows `start` now. In a paused runtime, call it inside.
    pub fn new(start: jiff::Timestamp) -> Self {
        Self { start, begun: tokio::time::Instant::now() }
    }
}

impl Default for VirtualClock {
    /// Shows 2026-01-01T00:00:00Z now.
    fn default() -> Self {
        Self::new(jiff::Timestamp::constant(1_767_225_600, 0))
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> jiff::Timestamp {
        let passed = jiff::SignedDuration::try_from(self.begun.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        self.start.checked_add(passed).unwrap_or(jiff::Timestamp::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_minutes_take_none_and_the_shorter_wait_ends_first() {
        let clock = VirtualClock::default();
        let begun = clock.now();
        let first = tokio::select! {
            () = clock.sleep(Duration::from_secs(600)) => "limit",
            () = async { for _ in 0..5 { clock.sleep(Duration::from_secs(60)).await } } => "work",
        };
        assert_eq!(first, "work");
        assert_eq!(clock.now().duration_since(begun).as_secs(), 300);
    }
}
