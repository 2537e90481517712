//! The tree of a commit as files, read from git's store: the work tree is not touched and need not be clean.

mod objects;
mod repository;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use objects::Blobs;
use repository::{Kind, Node, Tree, tree};

use super::{RealFiles, git};
use crate::model::{Commit, Digest};
use crate::port::{Draft, Entry, EntryKind, FileFacts, FileKind, Files, Stamp};

/// Links that are followed before a path is given up.
const MAX_LINKS: usize = 40;

/// [`Files`] below the top of a work tree, as they are in a commit; files elsewhere are those of the machine.
pub struct CommitFiles {
    top: PathBuf,
    commit: Commit,
    /// Directories by their path below the top, with what lies in them.
    tree: Tree,
    blobs: Mutex<Blobs>,
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
        let listed = git::output(top, &["ls-tree", "-r", "-z", "-l", "--full-tree", &id]);
        let tree = listed.as_deref().and_then(tree).ok_or_else(|| CommitError::Unreadable(id.clone()))?;
        let blobs = Mutex::new(Blobs::open(top)?);
        Ok(Self { top: top.to_owned(), commit: Commit { id, clean: true }, tree, blobs, real })
    }

    fn node(&self, below: &Path) -> Option<&Node> {
        match (below.parent(), below.file_name()) {
            (Some(parent), Some(name)) => self.tree.get(parent)?.get(name),
            _ => Some(&Node::Directory),
        }
    }

    fn blob(&self, object: &str) -> io::Result<Vec<u8>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).read(object)
    }

    /// The path below the top that a path leads to, links followed. `None` outside.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for a link that leads out or nowhere.
    fn follow(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let Ok(below) = path.strip_prefix(&self.top) else { return Ok(None) };
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
            if let Some(Node::Blob { object, kind: Kind::Link, .. }) = self.node(&at) {
                links += 1;
                let content = self.blob(object)?;
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
    fn find(&self, path: &Path) -> io::Result<Option<&Node>> {
        let Some(below) = self.follow(path)? else { return Ok(None) };
        // The repository is still there, and ends the search for ignore files.
        if below == Path::new(".git") {
            return Ok(Some(&Node::Directory));
        }
        self.node(&below).map(Some).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

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
        Node::Directory => EntryKind::Directory,
        Node::Submodule => EntryKind::Other,
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
            Some(Node::Directory) => Some(FileKind::Directory),
            Some(Node::Blob { .. }) => Some(FileKind::File),
            Some(Node::Submodule) => Some(FileKind::Other),
        }
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.find(path)? {
            None => self.real.read(path),
            Some(Node::Blob { object, .. }) => self.blob(object),
            Some(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        match self.find(path)? {
            None => self.real.open(path),
            Some(_) => Ok(Box::new(io::Cursor::new(self.read(path)?))),
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
        let found = self.tree.get(&below).ok_or(io::ErrorKind::NotFound)?;
        let entry = |(name, node): (&OsString, &Node)| Entry { path: directory.join(name), kind: entry_kind(node) };
        Ok(found.iter().map(entry).collect())
    }

    fn look(&self, path: &Path) -> io::Result<EntryKind> {
        match self.find(path)? {
            None => self.real.look(path),
            Some(node) => Ok(entry_kind(node)),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(below) = self.follow(path)? else { return self.real.resolve(path) };
        match self.node(&below) {
            // Without a separator at the end.
            Some(_) if below.as_os_str().is_empty() => Ok(self.top.clone()),
            Some(_) => Ok(self.top.join(below)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn digests(&self, _: &Path, files: &[(PathBuf, FileFacts)]) -> Vec<io::Result<Digest>> {
        files.iter().map(|(path, _)| self.read(path).map(|content| Digest::of(&content))).collect()
    }

    fn commit(&self, directory: &Path) -> Option<Commit> {
        if directory.starts_with(&self.top) { Some(self.commit.clone()) } else { self.real.commit(directory) }
    }

    fn source_link(&self, directory: &Path, commit: &Commit) -> Option<String> {
        let directory = if directory.starts_with(&self.top) { &self.top } else { directory };
        self.real.source_link(directory, commit)
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
