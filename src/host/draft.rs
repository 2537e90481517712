//! Temporary files without a name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Cache;
use crate::port::{Content, Draft};

/// A file whose name is taken away as soon as it is there: only this process can open it, and the system removes it
/// with the process.
pub struct TemporaryFile(BufWriter<File>);

impl TemporaryFile {
    /// In the cache, which has room for bundles; without one where the system keeps temporary files.
    pub fn create(cache: Option<&Cache>) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let directory = cache.map_or_else(std::env::temp_dir, |cache| cache.directory().to_owned());
        let made = cache.map_or_else(|| fs::create_dir_all(&directory), Cache::make_directory);
        made.map_err(|error| named(&directory, &error))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".draft.{}.{count}", std::process::id()));
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let opened = match options.open(&path) {
            // Of a process that had this one's number and died in between.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path).and_then(|()| options.open(&path))
            }
            opened => opened,
        };
        let file = opened.map_err(|error| named(&path, &error))?;
        fs::remove_file(&path).map_err(|error| named(&path, &error))?;
        Ok(Self(BufWriter::with_capacity(64 << 10, file)))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Draft for TemporaryFile {
    fn finish(self: Box<Self>) -> io::Result<Arc<dyn Content>> {
        let file = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Arc::new(Finished(Arc::new(file))))
    }
}

struct Finished(Arc<File>);

impl Content for Finished {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reader { file: self.0.clone(), at: 0 }))
    }
}

/// Reads at a place of its own, so that one file has many readers.
struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_often_as_needed_and_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("new"));
        let mut draft = Box::new(TemporaryFile::create(Some(&cache)).unwrap());
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        draft.write_all(&content).unwrap();
        let finished = draft.finish().unwrap();
        let mut first = finished.open().unwrap();
        first.read_exact(&mut [0; 1000]).unwrap();
        for _ in 0..2 {
            let mut read = Vec::new();
            finished.open().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == content);
        }
        assert_eq!(fs::read_dir(cache.directory()).unwrap().count(), 0);
    }
}
