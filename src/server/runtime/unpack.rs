//! Unpacks a code bundle, without trust in what it contains.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

/// The most files, directories and links in a bundle.
const ENTRIES: u64 = 200_000;

/// The most bytes in all files of a bundle.
const BYTES: u64 = 8 << 30;

/// Why a bundle is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the code bundle {} is gone", .0.display())]
    Missing(PathBuf),
    #[error("the code bundle is damaged")]
    Damaged(#[source] io::Error),
    #[error("the code bundle holds `{0}`, which lies outside its directory")]
    Outside(String),
    #[error("the code bundle holds `{0}`, which is neither a file nor a directory nor a link")]
    Kind(String),
    #[error("the code bundle holds more than {ENTRIES} files")]
    TooMany,
    #[error("the code bundle holds more than {} GiB", BYTES >> 30)]
    TooLarge,
    #[error("the code bundle cannot be unpacked into {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Makes `directory` the contents of the `tar.gz` at `bundle`, or an empty directory without one. The contents go to
/// `dest` below it, which an empty path is itself. With `keep`, a directory that is there stays as it is, with whatever the app has written into it. Blocking.
///
/// # Errors
/// Says what is wrong with the bundle or the disk; nothing is left at `directory` then.
pub fn unpack(bundle: Option<&Path>, directory: &Path, dest: &Path, keep: bool) -> Result<(), UnpackError> {
    if keep && directory.is_dir() {
        return Ok(());
    }
    let partial = directory.with_extension("partial");
    let written = |source| UnpackError::Write { path: directory.to_owned(), source };
    for former in [directory, &partial] {
        match fs::remove_dir_all(former) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(written(error)),
            _ => {}
        }
    }
    fs::create_dir_all(&partial).map_err(written)?;
    if let Some(bundle) = bundle {
        let place = partial.join(dest);
        let unpacked = fs::create_dir_all(&place).map_err(written).and_then(|()| extract(bundle, &place));
        if unpacked.is_err() {
            // What cannot be removed now is removed by the next try.
            let _ = fs::remove_dir_all(&partial);
        }
        unpacked?;
    }
    fs::rename(&partial, directory).map_err(written)
}

fn extract(bundle: &Path, directory: &Path) -> Result<(), UnpackError> {
    let file = File::open(bundle).map_err(|_| UnpackError::Missing(bundle.to_owned()))?;
    let mut archive = Archive::new(GzDecoder::new(io::BufReader::new(file)));
    let (mut count, mut bytes) = (0, 0);
    let mut links = Vec::new();
    for entry in archive.entries().map_err(UnpackError::Damaged)? {
        let mut entry = entry.map_err(UnpackError::Damaged)?;
        count += 1;
        if count > ENTRIES {
            return Err(UnpackError::TooMany);
        }
        bytes += entry.size();
        if bytes > BYTES {
            return Err(UnpackError::TooLarge);
        }
        let path = entry.path().map_err(UnpackError::Damaged)?.into_owned();
        let shown = path.display().to_string();
        let Some(relative) = inside(Path::new(""), &path) else { return Err(UnpackError::Outside(shown)) };
        if relative.as_os_str().is_empty() {
            continue;
        }
        let target = directory.join(&relative);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&target).map_err(|source| written(&target, source))?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mode = entry.header().mode().unwrap_or(0o644);
                write_file(&mut entry, &target, mode)?;
            }
            EntryType::Symlink => {
                let link = entry.link_name().map_err(UnpackError::Damaged)?.unwrap_or_default().into_owned();
                if !stays_inside(&relative, &link) {
                    return Err(UnpackError::Outside(format!("{shown} -> {}", link.display())));
                }
                links.push((relative, link));
            }
            EntryType::Link => {
                let link = entry.link_name().map_err(UnpackError::Damaged)?.unwrap_or_default().into_owned();
                let Some(source) = inside(Path::new(""), &link) else {
                    return Err(UnpackError::Outside(format!("{shown} -> {}", link.display())));
                };
                make_parent(&target)?;
                fs::copy(directory.join(source), &target).map_err(|source| written(&target, source))?;
            }
            EntryType::XGlobalHeader | EntryType::XHeader => {}
            _ => return Err(UnpackError::Kind(shown)),
        }
    }
    // Last, so that no file is written through a link.
    for (relative, link) in links {
        if passes_a_link(directory, &relative) {
            return Err(UnpackError::Outside(relative.display().to_string()));
        }
        let target = directory.join(&relative);
        make_parent(&target)?;
        link_to(&link, &target).map_err(|source| written(&target, source))?;
    }
    Ok(())
}

/// The link's target lies in the bundle. Going up is allowed at its start only: after a name, which may be a link
/// itself, nobody knows what is above.
fn stays_inside(relative: &Path, link: &Path) -> bool {
    let mut rest = link.components().skip_while(|component| !matches!(component, Component::Normal(_)));
    let goes_up_late = rest.any(|component| component == Component::ParentDir);
    !goes_up_late && inside(relative.parent().unwrap_or(Path::new("")), link).is_some()
}

/// Some directory on the way to the path is a link.
fn passes_a_link(directory: &Path, relative: &Path) -> bool {
    relative.ancestors().skip(1).any(|above| {
        !above.as_os_str().is_empty()
            && fs::symlink_metadata(directory.join(above)).is_ok_and(|found| found.is_symlink())
    })
}

/// The path from the bundle's root, seen from `base` in it; `None` if it leaves the root on its way.
fn inside(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut found = base.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => found.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !found.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(found)
}

fn write_file(content: &mut impl Read, target: &Path, mode: u32) -> Result<(), UnpackError> {
    make_parent(target)?;
    let mut file = File::create(target).map_err(|source| written(target, source))?;
    io::copy(content, &mut file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            UnpackError::Damaged(error)
        }
        _ => written(target, error),
    })?;
    set_executable(&file, mode & 0o111 != 0).map_err(|source| written(target, source))
}

fn make_parent(target: &Path) -> Result<(), UnpackError> {
    let parent = target.parent().unwrap_or(target);
    fs::create_dir_all(parent).map_err(|source| written(parent, source))
}

fn written(path: &Path, source: io::Error) -> UnpackError {
    UnpackError::Write { path: path.to_owned(), source }
}

fn set_executable(file: &File, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
}

fn link_to(link: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(link, target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    enum Item<'a> {
        File(&'a str, &'a str),
        Link(&'a str, &'a str),
    }
    use Item::{File as F, Link as L};

    /// A bundle whose paths nobody has looked at.
    fn bundle(items: &[Item]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for item in items {
            let mut header = tar::Header::new_gnu();
            let (path, kind, link, content) = match item {
                F(path, content) => (path, EntryType::Regular, "", *content),
                L(path, link) => (path, EntryType::Symlink, *link, ""),
            };
            let fields = header.as_old_mut();
            fields.name[..path.len()].copy_from_slice(path.as_bytes());
            fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append(&header, content.as_bytes()).expect("it fits");
        }
        let plain = archive.into_inner().expect("it ends");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&plain).expect("it fits");
        packed.finish().expect("it ends")
    }

    fn check(bytes: &[u8], expected: Result<&[(&str, &str)], &str>) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("bundle.tar.gz");
        fs::write(&file, bytes).expect("it is written");
        let target = directory.path().join("app/1");
        let found = unpack(Some(&file), &target, Path::new(""), false).map_err(|error| error.to_string());
        match expected {
            Ok(files) => {
                assert_eq!(found, Ok(()));
                for (path, content) in files {
                    assert_eq!(fs::read_to_string(target.join(path)).expect("a file"), *content);
                }
            }
            Err(part) => {
                let message = found.expect_err("it is refused");
                assert!(message.contains(part), "{message}");
                assert!(!target.exists());
            }
        }
        assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 2, "nothing lies outside");
    }

    #[test]
    fn what_is_unpacked_and_what_is_refused() {
        check(
            &bundle(&[F("./a.py", "1"), F("d/b.py", "2"), L("d/c.py", "../a.py")]),
            Ok(&[("d/b.py", "2"), ("d/c.py", "1")]),
        );
        check(&bundle(&[F("../evil", "")]), Err("`../evil`"));
        check(&bundle(&[F("a/../../evil", "")]), Err("outside"));
        check(&bundle(&[F("/evil", "")]), Err("`/evil`"));
        check(&bundle(&[L("a", "/etc/passwd")]), Err("a -> /etc/passwd"));
        check(&bundle(&[L("d/a", "../../evil")]), Err("outside"));
        check(&bundle(&[L("root", "."), L("d/a", "../root/..")]), Err("outside"));
        check(&bundle(&[L("x/y/up", "../.."), L("x/y/up/b", "../../../evil")]), Err("outside"));
        check(&bundle(&[L("a", "d"), F("a/evil", "")]), Err("unpacked"));
        check(&bundle(&[F("a", "1")])[..30], Err("damaged"));
        check(b"not a bundle", Err("damaged"));
    }

    #[test]
    fn without_a_bundle_the_directory_is_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("app/1");
        let count = || fs::read_dir(&target).expect("it is there").count();
        let file = directory.path().join("bundle.tar.gz");
        fs::write(&file, bundle(&[F("app.py", "1")])).expect("it is written");
        unpack(Some(&file), &target, Path::new("src/code"), false).expect("it is unpacked below");
        assert_eq!(fs::read_to_string(target.join("src/code/app.py")).expect("it is there"), "1");
        unpack(None, &target, Path::new(""), false).expect("it is made");
        assert_eq!(count(), 0);
        fs::write(target.join("state"), "").expect("it is written");
        unpack(None, &target, Path::new(""), true).expect("it is kept");
        assert_eq!(count(), 1);
        unpack(None, &target, Path::new(""), false).expect("it is made again");
        assert_eq!(count(), 0);
        let gone =
            unpack(Some(&directory.path().join("none.tar.gz")), &directory.path().join("app/2"), Path::new(""), false);
        assert!(matches!(gone, Err(UnpackError::Missing(_))));
    }
}
