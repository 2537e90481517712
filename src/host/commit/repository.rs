//! A repository at one commit: what it has, by path, and the repositories in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checkout::{self, Checkout, Made};
use super::objects::Objects;
use super::submodule::{self, Submodule};
use super::{CommitError, git};
use crate::host::Cache;
use crate::port::FileFacts;

/// A content, bit by bit.
type Content = Box<dyn io::Read + Send>;

/// Directories by their path below the top, with what lies in them.
type Tree = BTreeMap<PathBuf, BTreeMap<OsString, Node>>;

#[derive(Debug)]
pub enum Node {
    Directory,
    Blob {
        object: String,
        /// As it is stored, in bytes.
        size: u64,
        kind: Kind,
    },
    /// A directory with a repository of its own, at this commit.
    Submodule(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Executable,
    Link,
}

/// Where git is asked.
#[derive(Debug, Clone)]
pub struct Git {
    /// What other repositories call `.git`.
    pub directory: PathBuf,
    /// Stands for the work tree, and holds the index.
    pub scratch: Option<PathBuf>,
}

impl Git {
    /// It may not write, nor does it see the real work tree. What the environment says of another repository counts for
    /// nothing: a hook of git may have started us.
    pub fn command(&self) -> Command {
        let mut command = Command::new("git");
        let work_tree = self.scratch.as_ref().unwrap_or(&self.directory);
        command.current_dir(work_tree).env("GIT_DIR", &self.directory).env("GIT_WORK_TREE", work_tree);
        for name in ["GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_ATTR_SOURCE"] {
            command.env_remove(name);
        }
        if let Some(scratch) = &self.scratch {
            command.env("GIT_INDEX_FILE", scratch.join("index"));
        }
        command.env("GIT_OPTIONAL_LOCKS", "0");
        command
    }

    /// Where submodules may be kept: for this work tree, and for all of the repository.
    pub fn modules(&self) -> Vec<PathBuf> {
        let told = |arguments: &[&str]| git::line(&self.output(arguments)?);
        let own = told(&["rev-parse", "--git-path", "modules"]);
        let shared = told(&["rev-parse", "--git-common-dir"]).map(|path| path.join("modules"));
        own.into_iter().chain(shared).map(|path| self.directory.join(path)).collect()
    }

    /// `None` where it fails.
    pub fn output(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = self.command().args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    }
}

pub struct Repository {
    /// The top of its work tree, whether it is there or not.
    pub place: PathBuf,
    /// That of the outermost repository, from which paths are told.
    top: PathBuf,
    pub git: Git,
    /// Its whole id.
    pub commit: String,
    /// Whether the work tree at `place` is that of this repository.
    is_in_place: bool,
    tree: Tree,
    submodules: BTreeMap<PathBuf, Submodule>,
    objects: Mutex<Objects>,
    /// Made when the first file is wanted.
    checkout: Mutex<Option<Checkout>>,
    cache: Option<Cache>,
}

/// What a path leads to.
pub struct Found<'a> {
    /// The innermost repository it lies in, and the path there.
    pub repository: &'a Repository,
    pub below: PathBuf,
    pub node: &'a Node,
}

impl Repository {
    /// The one whose work tree has its top at `place`, or would.
    ///
    /// # Errors
    /// [`CommitError::Unreadable`], [`CommitError::Git`].
    pub fn open(
        place: PathBuf,
        top: PathBuf,
        directory: PathBuf,
        commit: String,
        cache: Option<Cache>,
    ) -> Result<Self, CommitError> {
        let git = Git { directory, scratch: None };
        let listed = git.output(&["ls-tree", "-r", "-z", "-l", "--full-tree", &commit]);
        let tree = listed.as_deref().and_then(tree).ok_or_else(|| CommitError::Unreadable(commit.clone()))?;
        let submodules = submodule::list(&git, &commit, submodules(&tree));
        Ok(Self {
            is_in_place: git::directory_of(&place).is_some_and(|found| is_same(&found, &git.directory)),
            objects: Mutex::new(Objects::open(&git)?),
            checkout: Mutex::new(None),
            place,
            top,
            git,
            commit,
            tree,
            submodules,
            cache,
        })
    }

    pub fn outermost(&self) -> &Path {
        &self.top
    }

    /// The innermost repository that a path lies in, and the path there. A submodule is entered by its own path too.
    ///
    /// # Errors
    /// A submodule is not on this machine.
    pub fn enter<'a, 'p>(&'a self, below: &'p Path) -> io::Result<(&'a Self, &'p Path)> {
        for (path, submodule) in &self.submodules {
            if let Ok(inside) = below.strip_prefix(path) {
                return submodule.open(self, path, self.cache.as_ref())?.enter(inside);
            }
        }
        Ok((self, below))
    }

    /// `None` where nothing is. A submodule is not entered by its own path.
    ///
    /// # Errors
    /// See [`Repository::enter`].
    pub fn find(&self, below: &Path) -> io::Result<Option<Found<'_>>> {
        let (Some(parent), Some(name)) = (below.parent(), below.file_name()) else {
            return Ok(Some(Found { repository: self, below: below.to_owned(), node: &Node::Directory }));
        };
        let (repository, parent) = self.enter(parent)?;
        let below = parent.join(name);
        // The repository is still there, and ends the search for ignore files.
        if below == Path::new(".git") {
            return Ok(Some(Found { repository, below, node: &Node::Directory }));
        }
        let node = repository.tree.get(parent).and_then(|entries| entries.get(name));
        Ok(node.map(|node| Found { repository, below, node }))
    }

    /// What lies in a directory, by name. `None` where none is.
    ///
    /// # Errors
    /// See [`Repository::enter`].
    pub fn entries(&self, below: &Path) -> io::Result<Option<&BTreeMap<OsString, Node>>> {
        let (repository, below) = self.enter(below)?;
        Ok(repository.tree.get(below))
    }

    /// The content of an object, as it is stored.
    pub fn object(&self, object: &str) -> io::Result<Vec<u8>> {
        lock(&self.objects).read(object)
    }

    fn stored(&self, below: &Path) -> io::Result<Content> {
        let name = below.file_name().unwrap_or_default();
        match below.parent().and_then(|parent| self.tree.get(parent)?.get(name)) {
            Some(Node::Blob { object, size, .. }) => lock(&self.objects).stream(&self.git, object, *size),
            Some(_) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Makes files as a checkout would, those that are not made yet, and tells what became of all of them.
    ///
    /// # Errors
    /// The first that cannot be made, and why.
    pub fn make(&self, paths: &[PathBuf]) -> Result<Vec<Made>, (PathBuf, io::Error)> {
        let mut checkout = lock(&self.checkout);
        let checkout = match &mut *checkout {
            Some(checkout) => checkout,
            none => {
                let place = Some(self.place.as_path()).filter(|_| self.is_in_place);
                let opened = Checkout::open(&self.git, &self.commit, place, self.cache.as_ref());
                let first = || paths.first().cloned().unwrap_or_default();
                none.insert(opened.map_err(|error| (first(), error))?)
            }
        };
        checkout.make(paths.iter().map(PathBuf::as_path), |path| {
            let mut head = Vec::new();
            self.stored(path)?.take(checkout::HEAD).read_to_end(&mut head)?;
            Ok(head)
        })?;
        Ok(paths.iter().map(|path| checkout.get(path).cloned().unwrap_or(Made::AsStored)).collect())
    }

    /// A file as a checkout would have it.
    pub fn read(&self, below: &Path) -> io::Result<Content> {
        let made = self.make(&[below.to_owned()]).map_err(|(_, error)| error)?;
        match made.first() {
            Some(Made::File(path, _)) => Ok(Box::new(std::fs::File::open(path)?)),
            _ => self.stored(below),
        }
    }

    /// Facts of files, sizes being those of a checkout.
    pub fn exact(&self, files: &[(PathBuf, FileFacts)]) -> Result<Vec<FileFacts>, (PathBuf, io::Error)> {
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let made = self.make(&paths)?;
        let exact = |((_, facts), made): (&(PathBuf, FileFacts), Made)| match made {
            Made::AsStored => *facts,
            Made::File(_, size) => FileFacts { size, ..*facts },
        };
        Ok(files.iter().zip(made).map(exact).collect())
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether two paths are one directory.
pub fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Reads `<mode> <type> <object> <size>\t<path>\0…`.
fn tree(listed: &[u8]) -> Option<Tree> {
    let mut tree = Tree::from([(PathBuf::new(), BTreeMap::new())]);
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let path = Path::new(OsStr::from_bytes(&line[tab + 1..]));
        let mut words = std::str::from_utf8(&line[..tab]).ok()?.split_ascii_whitespace();
        let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let blob = |kind| Some(Node::Blob { object: object.to_owned(), size: size.parse().ok()?, kind });
        let node = match mode {
            "100755" => blob(Kind::Executable)?,
            "120000" => blob(Kind::Link)?,
            "160000" => Node::Submodule(object.to_owned()),
            _ => blob(Kind::Plain)?,
        };
        tree.entry(path.parent()?.to_owned()).or_default().insert(path.file_name()?.to_owned(), node);
        for directory in path.ancestors().skip(1).take_while(|directory| directory.parent().is_some()) {
            let parent = tree.entry(directory.parent()?.to_owned()).or_default();
            parent.entry(directory.file_name()?.to_owned()).or_insert(Node::Directory);
        }
    }
    Some(tree)
}

/// The submodules of a tree, by path, with the commit of each.
fn submodules(tree: &Tree) -> impl Iterator<Item = (PathBuf, &str)> {
    tree.iter().flat_map(|(directory, entries)| {
        entries.iter().filter_map(|(name, node)| match node {
            Node::Submodule(commit) => Some((directory.join(name), commit.as_str())),
            _ => None,
        })
    })
}
