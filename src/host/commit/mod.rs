//! The tree of a commit as files, read from git's store: the work tree is not touched and need not be clean. Each file is
//! as a checkout of the commit would have it, submodules included.

mod checkout;
mod objects;
mod repository;
mod scratch;
mod submodule;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use repository::{Found, Kind, Node, Repository};

use super::{RealFiles, git};
use crate::model::{Commit, Digest};
use crate::port::{Draft, Entry, EntryKind, FileFacts, FileKind, Files, Stamp};

/// Links that are followed before a path is given up.
const MAX_LINKS: usize = 40;

/// [`Files`] below the top of a work tree, as they are in a commit; files elsewhere are those of the machine.
pub struct CommitFiles {
    root: Repository,
    real: RealFiles,
}

/// Why the tree of a commit cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("{} is in no git work tree", .0.display())]
    NoWorkTree(PathBuf),
    #[error("git knows no commit `{0}`")]
    NoCommit(String),
    #[error("cannot read the tree of commit {0} from git")]
    Unreadable(String),
    #[error("cannot run git: {0}")]
    Git(#[from] io::Error),
}

impl CommitFiles {
    /// The tree that `path` lies in, as of `revision`: whatever git takes for a commit.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub fn open(path: &Path, revision: &str, real: RealFiles) -> Result<Self, CommitError> {
        let directory = path.ancestors().find(|directory| directory.is_dir()).unwrap_or(path);
        let below = git::git(directory, &["rev-parse", "--show-prefix"]);
        let below = below.ok_or_else(|| CommitError::NoWorkTree(directory.to_owned()))?;
        let top = directory.ancestors().nth(Path::new(&below).components().count()).unwrap_or(directory);
        let named = format!("{revision}^{{commit}}");
        let id = git::git(top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named]);
        let id = id.ok_or_else(|| CommitError::NoCommit(revision.to_owned()))?;
        let directory = git::repository(top).ok_or_else(|| CommitError::NoWorkTree(top.to_owned()))?;
        let cache = real.cache().cloned();
        let root = Repository::open(top.to_owned(), top.to_owned(), directory, id, cache)?;
        Ok(Self { root, real })
    }

    /// The path below the top that a path leads to, links followed. `None` outside.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for a link that leads out or nowhere; a submodule is not on this machine.
    fn follow(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let Ok(below) = path.strip_prefix(&self.root.place) else { return Ok(None) };
        let mut left: Vec<OsString> = parts(below);
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                if !at.pop() {
                    return Err(io::ErrorKind::NotFound.into());
                }
                continue;
            }
            at.push(part);
            let found = self.root.find(&at)?;
            if let Some(Found { repository, node: Node::Blob { object, kind: Kind::Link, .. }, .. }) = found {
                links += 1;
                let content = repository.object(object)?;
                let target = Path::new(OsStr::from_bytes(&content));
                if links > MAX_LINKS || target.is_absolute() {
                    return Err(io::ErrorKind::NotFound.into());
                }
                at.pop();
                left.extend(parts(target));
            }
        }
        Ok(Some(at))
    }

    /// What a path leads to, of the commit. `None`: it is not below the top.
    fn find(&self, path: &Path) -> io::Result<Option<Found<'_>>> {
        let Some(below) = self.follow(path)? else { return Ok(None) };
        self.root.find(&below)?.map(Some).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Files of one repository, with their places among those of all.
type Group<'a> = (&'a Repository, Vec<usize>, Vec<(PathBuf, FileFacts)>);

/// The components of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    let mut parts: Vec<OsString> = path.components().filter_map(named).collect();
    parts.reverse();
    parts
}

fn entry_kind(node: &Node) -> EntryKind {
    match node {
        Node::Directory | Node::Submodule(_) => EntryKind::Directory,
        Node::Blob { kind: Kind::Link, .. } => EntryKind::Link,
        Node::Blob { size, kind, .. } => {
            EntryKind::File(FileFacts { size: *size, executable: *kind == Kind::Executable, stamp: Stamp::default() })
        }
    }
}

impl Files for CommitFiles {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        match self.find(path).ok()? {
            None => self.real.kind(path),
            Some(Found { node: Node::Blob { .. }, .. }) => Some(FileKind::File),
            Some(_) => Some(FileKind::Directory),
        }
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(path)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        match self.find(path)? {
            None => self.real.open(path),
            Some(Found { repository, below, node: Node::Blob { .. } }) => repository.read(&below),
            Some(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        self.real.draft()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.entries(directory)?.into_iter().map(|entry| entry.path).collect())
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let Some(below) = self.follow(directory)? else { return self.real.entries(directory) };
        let found = self.root.entries(&below)?.ok_or(io::ErrorKind::NotFound)?;
        let entry = |(name, node): (&OsString, &Node)| Entry { path: directory.join(name), kind: entry_kind(node) };
        Ok(found.iter().map(entry).collect())
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        match self.find(path)? {
            None => self.real.look(path),
            Some(found) => Ok(entry_kind(found.node)),
        }
    }

    fn exact(&self, files: &[(PathBuf, FileFacts)]) -> Result<Vec<FileFacts>, (PathBuf, io::Error)> {
        // All of a repository at once: a filter may be slow to start.
        let mut exact: Vec<FileFacts> = files.iter().map(|(_, facts)| *facts).collect();
        let mut groups: BTreeMap<&Path, Group<'_>> = BTreeMap::new();
        for (at, (path, facts)) in files.iter().enumerate() {
            let found = self.find(path).map_err(|error| (path.clone(), error))?;
            if let Some(Found { repository, below, node: Node::Blob { .. } }) = found {
                let (_, places, asked) = groups.entry(&repository.place).or_insert((repository, vec![], vec![]));
                places.push(at);
                asked.push((below, *facts));
            }
        }
        for (place, (repository, places, asked)) in groups {
            let found = repository.exact(&asked).map_err(|(path, error)| (place.join(path), error))?;
            places.into_iter().zip(found).for_each(|(at, facts)| exact[at] = facts);
        }
        Ok(exact)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(below) = self.follow(path)? else { return self.real.resolve(path) };
        match self.root.find(&below)? {
            // Without a separator at the end.
            Some(_) if below.as_os_str().is_empty() => Ok(self.root.place.clone()),
            Some(_) => Ok(self.root.place.join(below)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn digests(&self, _: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        let digest = |path: &Path| {
            let mut hasher = blake3::Hasher::new();
            io::copy(&mut self.open(path)?, &mut hasher)?;
            Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
        };
        files.iter().map(|(path, _)| digest(path)).collect()
    }

    fn commit(&self, directory: &Path) -> Option<Commit> {
        match self.follow(directory).ok()? {
            None => self.real.commit(directory),
            Some(below) => Some(Commit { id: self.root.enter(&below).ok()?.0.commit.clone(), clean: true }),
        }
    }

    fn source_link(&self, directory: &Path, commit: &Commit) -> Option<String> {
        match self.follow(directory).ok()? {
            None => self.real.source_link(directory, commit),
            // The directory itself need not be there any more.
            Some(below) => self.real.source_link(&self.root.enter(&below).ok()?.0.git.directory, commit),
        }
    }

    fn remember(&self, name: &str, content: &[u8]) {
        self.real.remember(name, content);
    }

    fn remembers(&self, name: &str) -> bool {
        self.real.remembers(name)
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.real.recall(name)
    }
}

#[cfg(test)]
mod tests;
