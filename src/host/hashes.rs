//! Digests of files, remembered from run to run so that what has not changed is not read again.
//!
//! One cache file per root, little-endian: a line that names the format, then for each file the length of its path
//! (u32), the path, size (u64), content time (i64), status time (i64), inode (u64) and digest (32 bytes); at the end the
//! blake3 of all before it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use super::Cache;
use crate::model::Digest;
use crate::port::{FileFacts, Stamp};

const FORMAT: &[u8] = b"flyte hashes 1\n";

/// Files that are remembered though they were not asked for (another selection of the same root) up to this many.
const MAX_REMEMBERED: usize = 200_000;

/// What a clock tick of a kernel may be: within it a file can change twice and keep its time.
const TICK: i64 = 20_000_000;

/// The same for file systems that keep whole seconds, FAT's two of them.
const COARSE_TICK: i64 = 2_000_000_000;

/// Files from this size on are hashed by all cores together, smaller ones by one core each.
const LARGE: u64 = 4 << 20;

/// Read at once of a large file.
const BLOCK: usize = 16 << 20;

/// Read at once by one core.
const CHUNK: usize = 1 << 20;

/// Read at once of a small file.
const SMALL_BUFFER: usize = 128 << 10;

type Known = HashMap<Vec<u8>, (FileFacts, Digest)>;

/// See [`crate::port::Files::digests`].
pub fn digests(cache: Option<&Cache>, root: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
    let started = nanoseconds_now();
    let name = format!("hashes-{}", Digest::of(root.as_os_str().as_bytes()).short());
    let mut known = cache.and_then(|cache| decode(&cache.get(&name)?)).unwrap_or_default();
    let found: Vec<Option<Digest>> = files
        .iter()
        .map(|(path, facts)| {
            known.get(key(root, path)).filter(|(old, _)| is_same(old, facts)).map(|(_, digest)| *digest)
        })
        .collect();
    if let Some(all) = found.iter().copied().map(|digest| digest.map(Ok)).collect() {
        return all;
    }
    let digests = hash_missing(files, &found);
    if let Some(cache) = cache {
        let fresh = || files.iter().zip(&digests).zip(&found).filter(|(_, found)| found.is_none());
        if known.len() + fresh().count() > MAX_REMEMBERED {
            known.clear();
        }
        for (((path, facts), digest), _) in fresh() {
            match digest {
                Ok(digest) if is_settled(&facts.stamp, started) => {
                    known.insert(key(root, path).to_vec(), (*facts, *digest));
                }
                _ => drop(known.remove(key(root, path))),
            }
        }
        cache.put(&name, &encode(&known));
    }
    digests
}

fn key<'a>(root: &Path, path: &'a Path) -> &'a [u8] {
    path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes()
}

/// The mode is not content, so the executable bit does not count.
fn is_same(old: &FileFacts, new: &FileFacts) -> bool {
    old.size == new.size && old.stamp == new.stamp
}

/// Whether a write after ours was read would show in the stamp: not when the stamp is as young as the reading, since
/// the next write may bear the same time.
fn is_settled(stamp: &Stamp, read_at: i64) -> bool {
    let tick = |time: i64| if time % 1_000_000_000 == 0 { COARSE_TICK } else { TICK };
    [stamp.modified, stamp.changed].into_iter().all(|time| time.saturating_add(tick(time)) < read_at)
}

fn nanoseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn hash_missing(files: &[(PathBuf, FileFacts)], found: &[Option<Digest>]) -> Vec<io::Result<Digest>> {
    let is_large = |facts: &FileFacts| facts.size >= LARGE;
    let mut digests: Vec<Option<io::Result<Digest>>> = files
        .par_iter()
        .zip(found)
        .map(|((path, facts), found)| match found {
            Some(digest) => Some(Ok(*digest)),
            None => (!is_large(facts)).then(|| hash_small(path)),
        })
        .collect();
    files
        .iter()
        .zip(&mut digests)
        .map(|((path, _), digest)| digest.take().unwrap_or_else(|| hash_large(path)))
        .collect()
}

fn hash_small(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; SMALL_BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(*hasher.finalize().as_bytes())),
            Ok(read) => drop(hasher.update(&buffer[..read])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads and hashes blocks with all cores. Not through a memory map: a file cut short meanwhile would end the process.
fn hash_large(path: &Path) -> io::Result<Digest> {
    let file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK];
    let mut offset = 0;
    loop {
        let reads: Vec<usize> = block
            .par_chunks_mut(CHUNK)
            .enumerate()
            .map(|(place, chunk)| read_fully(&file, chunk, offset + (place * CHUNK) as u64))
            .collect::<io::Result<_>>()?;
        let whole = reads.iter().take_while(|read| **read == CHUNK).count();
        let read = whole * CHUNK + reads.get(whole).copied().unwrap_or(0);
        hasher.update_rayon(&block[..read]);
        if read < BLOCK {
            return Ok(Digest::from_bytes(*hasher.finalize().as_bytes()));
        }
        offset += BLOCK as u64;
    }
}

fn read_fully(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn encode(known: &Known) -> Vec<u8> {
    let mut bytes = FORMAT.to_vec();
    for (path, (facts, digest)) in known {
        bytes.extend_from_slice(&u32::try_from(path.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(path);
        bytes.extend_from_slice(&facts.size.to_le_bytes());
        bytes.extend_from_slice(&facts.stamp.modified.to_le_bytes());
        bytes.extend_from_slice(&facts.stamp.changed.to_le_bytes());
        bytes.extend_from_slice(&facts.stamp.inode.to_le_bytes());
        bytes.extend_from_slice(digest.as_bytes());
    }
    let check = Digest::of(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

/// `None` for anything but what [`encode`] made.
fn decode(bytes: &[u8]) -> Option<Known> {
    let (body, check) = bytes.split_last_chunk::<32>()?;
    if Digest::of(body).as_bytes() != check {
        return None;
    }
    let mut rest = body.strip_prefix(FORMAT)?;
    let mut known = Known::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (path, after) = rest.split_at_checked(length)?;
        rest = after;
        let size = u64::from_le_bytes(take(&mut rest)?);
        let modified = i64::from_le_bytes(take(&mut rest)?);
        let changed = i64::from_le_bytes(take(&mut rest)?);
        let inode = u64::from_le_bytes(take(&mut rest)?);
        let facts = FileFacts { size, executable: false, stamp: Stamp { modified, changed, inode } };
        known.insert(path.to_vec(), (facts, Digest::from_bytes(take(&mut rest)?)));
    }
    Some(known)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests;
