//! A bundle as a file: a tar archive, compressed, the same on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use md5::{Digest as _, Md5};

use super::files::mode;
use super::gzip::GzipWriter;
use super::{Bundle, BundleError, BundleFile, DamagedArchive, MAX_FILES, MAX_SIZE, memory};
use crate::model::Digest;
use crate::port::{Draft, Files, Parcel};

/// The time of every entry: 1981-01-01 00:00:00 UTC, as the SDK sets it. Tools warn of 1970.
const MODIFIED: u64 = 347_155_200;

/// Writes the archive to a temporary file: regular files alone, in the order of paths, without owners and times. It is
/// remembered, so that a later plan can tell which lines changed.
///
/// # Errors
/// [`BundleError::Changed`] when a file is not what it was when the bundle was named, [`BundleError::Read`], or
/// [`BundleError::Write`].
pub fn archive(files: &dyn Files, bundle: &Bundle) -> Result<Parcel, BundleError> {
    let draft = files.draft().and_then(|draft| GzipWriter::new(Measured::new(draft)));
    let mut tar = tar::Builder::new(draft.map_err(BundleError::Write)?);
    for file in &bundle.files {
        append(&mut tar, files, &bundle.root.join(&file.path), file)?;
    }
    let measured = tar.into_inner().and_then(GzipWriter::finish).map_err(BundleError::Write)?;
    let content = measured.draft.finish().map_err(BundleError::Write)?;
    memory::remember_archive(files, bundle.digest, content.as_ref());
    Ok(Parcel {
        file_name: bundle.digest.file_name(),
        length: measured.length,
        md5: measured.md5.finalize().into(),
        content,
    })
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    files: &dyn Files,
    path: &Path,
    file: &BundleFile,
) -> Result<(), BundleError> {
    let changed = || BundleError::Changed { path: path.to_owned() };
    let unreadable = |error: io::Error| BundleError::read(path, error);
    let content = match files.open(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(changed()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(mode(file));
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MODIFIED);
    header.set_size(file.size);
    // One byte more than there should be is enough to know.
    let content = content.take(file.size + 1);
    let mut content = Hashed { inner: content, hasher: blake3::Hasher::new(), length: 0, error: None };
    let appended = tar.append_data(&mut header, &file.path, &mut content);
    if let Some(error) = content.error {
        return Err(unreadable(error));
    }
    appended.map_err(BundleError::Write)?;
    let is_same =
        content.length == file.size && Digest::from_bytes(*content.hasher.finalize().as_bytes()) == file.digest;
    if is_same { Ok(()) } else { Err(changed()) }
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
    length: u64,
    /// Why reading failed: the archive's errors do not tell which side it was.
    error: Option<io::Error>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.hasher.update(&buffer[..read]);
                self.length += read as u64;
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.error = Some(error);
                Err(kind.into())
            }
        }
    }
}

/// Counts and hashes what is written.
struct Measured {
    draft: Box<dyn Draft>,
    md5: Md5,
    length: u64,
}

impl Measured {
    fn new(draft: Box<dyn Draft>) -> Self {
        Self { draft, md5: Md5::new(), length: 0 }
    }
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.draft.write(bytes)?;
        self.md5.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

/// The files in an archive, in the order of paths. Nothing is unpacked; what is no regular file is left out.
///
/// # Errors
/// See [`DamagedArchive`]. No input makes it use more than [`MAX_SIZE`] of work or a few megabytes of memory.
pub fn list_archive(bytes: impl Read) -> Result<Vec<BundleFile>, DamagedArchive> {
    let mut list = Vec::new();
    each_file(bytes, |path, executable, content| {
        let mut hasher = blake3::Hasher::new();
        let size = io::copy(content, &mut hasher)?;
        list.push(BundleFile { path, executable, size, digest: Digest::from_bytes(*hasher.finalize().as_bytes()) });
        Ok(())
    })?;
    list.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// The contents of some files of an archive, of those that have no more than `limit` bytes.
///
/// # Errors
/// As [`list_archive`].
pub fn read_archive(
    bytes: impl Read,
    wanted: &BTreeSet<&str>,
    limit: u64,
) -> Result<BTreeMap<String, Vec<u8>>, DamagedArchive> {
    let mut contents = BTreeMap::new();
    each_file(bytes, |path, _, content| {
        if wanted.contains(path.as_str()) {
            let mut read = Vec::new();
            content.take(limit + 1).read_to_end(&mut read)?;
            if read.len() as u64 <= limit {
                contents.insert(path, read);
            }
        }
        Ok(())
    })?;
    Ok(contents)
}

fn each_file(
    bytes: impl Read,
    mut take: impl FnMut(String, bool, &mut dyn Read) -> io::Result<()>,
) -> Result<(), DamagedArchive> {
    // Headers and padding are at most 1 KiB an entry, long names apart.
    let limit = MAX_SIZE + MAX_FILES as u64 * 4096;
    let mut count = 0;
    let mut archive = tar::Archive::new(Bounded { inner: GzDecoder::new(bytes), left: limit });
    let fault = |error: io::Error| {
        if error.kind() == io::ErrorKind::FileTooLarge {
            DamagedArchive::TooLarge { limit }
        } else {
            DamagedArchive::Unreadable(error)
        }
    };
    for entry in archive.entries().map_err(fault)? {
        let mut entry = entry.map_err(fault)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if count == MAX_FILES {
            return Err(DamagedArchive::TooMany { limit: MAX_FILES });
        }
        count += 1;
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let executable = entry.header().mode().map_err(fault)? & 0o100 != 0;
        take(path, executable, &mut entry).map_err(fault)?;
    }
    Ok(())
}

/// Ends with [`io::ErrorKind::FileTooLarge`] where more comes than was allowed.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(read)
    }
}
