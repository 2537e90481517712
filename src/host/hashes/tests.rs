use std::fs::{self, FileTimes, OpenOptions};
use std::time::Duration;

use super::*;
use crate::host::RealFiles;
use crate::port::{EntryKind, Files as _};

fn facts(path: &Path) -> FileFacts {
    match RealFiles::default().look(path).unwrap() {
        EntryKind::File(facts) => facts,
        other => panic!("{other:?}"),
    }
}

/// As if what is known had been taken when the file was an hour older.
fn aged(path: &Path) -> FileFacts {
    let mut facts = facts(path);
    facts.stamp.modified -= 3_600_000_000_001;
    facts.stamp.changed -= 3_600_000_000_001;
    facts
}

fn one(cache: &Cache, root: &Path, path: &Path, facts: FileFacts) -> Digest {
    digests(Some(cache), root, &[(path.to_owned(), facts)]).remove(0).unwrap()
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path().join("cache"));
    let path = directory.path().join("f");
    fs::write(&path, "one").unwrap();
    let known = aged(&path);
    assert_eq!(one(&cache, directory.path(), &path, known), Digest::of(b"one"));
    fs::write(&path, "two").unwrap();
    // The same facts: the file is not looked at.
    assert_eq!(one(&cache, directory.path(), &path, known), Digest::of(b"one"));
    for other in [
        FileFacts { size: 4, ..known },
        FileFacts { stamp: Stamp { modified: known.stamp.modified + 1, ..known.stamp }, ..known },
        FileFacts { stamp: Stamp { changed: known.stamp.changed + 1, ..known.stamp }, ..known },
        FileFacts { stamp: Stamp { inode: known.stamp.inode + 1, ..known.stamp }, ..known },
    ] {
        assert_eq!(one(&cache, directory.path(), &path, other), Digest::of(b"two"), "{other:?}");
    }
}

#[test]
fn a_file_as_young_as_the_reading_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path().join("cache"));
    let path = directory.path().join("f");
    let write = |content: &str, time| {
        fs::write(&path, content).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    let now = SystemTime::now();
    write("one", now);
    let young = FileFacts { stamp: Stamp { changed: 0, ..facts(&path).stamp }, ..facts(&path) };
    assert_eq!(one(&cache, directory.path(), &path, young), Digest::of(b"one"));
    // Written again within the tick: nothing shows it but the content.
    write("two", now);
    assert_eq!(one(&cache, directory.path(), &path, young), Digest::of(b"two"));
    // File systems with whole seconds tick more slowly.
    let stamp = |modified: i64| Stamp { modified, changed: 0, inode: 1 };
    let second = 1_000_000_000;
    assert!(!is_settled(&stamp(9 * second), 10 * second));
    assert!(is_settled(&stamp(9 * second + 1), 10 * second));
    let young = Duration::from_millis(5).as_nanos() as i64;
    assert!(!is_settled(&stamp(10 * second - young), 10 * second));
}

#[test]
fn a_damaged_cache_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::at(directory.path().join("cache"));
    let path = directory.path().join("f");
    fs::write(&path, "one").unwrap();
    let known = aged(&path);
    one(&cache, directory.path(), &path, known);
    let file = fs::read_dir(cache.directory()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[20] ^= 1;
    for broken in [flipped.as_slice(), &whole[..whole.len() - 1], b"", FORMAT] {
        fs::write(&file, broken).unwrap();
        fs::write(&path, "two").unwrap();
        assert_eq!(one(&cache, directory.path(), &path, known), Digest::of(b"two"));
        fs::write(&path, "one").unwrap();
    }
}

#[test]
fn files_of_every_size_are_hashed_right_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let sizes = [0, 1, SMALL_BUFFER, SMALL_BUFFER + 1, LARGE as usize, BLOCK - 1, BLOCK, BLOCK + CHUNK + 5];
    let mut asked = Vec::new();
    let mut expected = Vec::new();
    for (place, size) in sizes.into_iter().enumerate() {
        let content: Vec<u8> = (0..size).map(|at| (at * 7 + place) as u8).collect();
        let path = directory.path().join(place.to_string());
        fs::write(&path, &content).unwrap();
        asked.push((path.clone(), facts(&path)));
        expected.push(Digest::of(&content));
    }
    asked.push((directory.path().join("missing"), asked[0].1));
    let mut found = digests(None, directory.path(), &asked);
    assert_eq!(found.pop().unwrap().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
}
