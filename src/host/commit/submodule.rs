//! A repository inside another one, found on this machine when something in it is wanted.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use super::git;
use super::repository::{Git, Repository};
use crate::host::Cache;
use crate::port::FileFault;

pub struct Submodule {
    /// What `.gitmodules` of the commit calls it.
    name: Option<PathBuf>,
    /// The one that the commit records.
    commit: String,
    opened: OnceLock<Result<Box<Repository>, FileFault>>,
}

/// The submodules of a commit, by path.
pub fn list<'a>(
    git: &Git,
    commit: &str,
    found: impl Iterator<Item = (PathBuf, &'a str)>,
) -> BTreeMap<PathBuf, Submodule> {
    let mut submodules: BTreeMap<PathBuf, Submodule> = found
        .map(|(path, commit)| (path, Submodule { name: None, commit: commit.to_owned(), opened: OnceLock::new() }))
        .collect();
    if submodules.is_empty() {
        return submodules;
    }
    let blob = format!("--blob={commit}:.gitmodules");
    let listed = git.output(&["config", "-z", &blob, "--get-regexp", r"^submodule\..*\.path$"]).unwrap_or_default();
    // `submodule.<name>.path LF <path> NUL`
    for entry in listed.split(|byte| *byte == 0) {
        let Some(end) = entry.iter().position(|byte| *byte == b'\n') else { continue };
        let name = entry[..end].strip_prefix(b"submodule.").and_then(|key| key.strip_suffix(b".path"));
        let name = name.map(|name| Path::new(OsStr::from_bytes(name))).filter(|name| is_inside(name));
        if let Some(submodule) = submodules.get_mut(Path::new(OsStr::from_bytes(&entry[end + 1..]))) {
            submodule.name = name.map(Path::to_owned);
        }
    }
    submodules
}

/// Whether a name leads nowhere else. It is written by whoever wrote the commit.
fn is_inside(name: &Path) -> bool {
    name.components().next().is_some() && name.components().all(|part| matches!(part, Component::Normal(_)))
}

impl Submodule {
    /// # Errors
    /// It is not on this machine, or its commit is not.
    pub fn open(&self, around: &Repository, path: &Path, cache: Option<&Cache>) -> Result<&Repository, FileFault> {
        let opened = self.opened.get_or_init(|| self.find(around, path, cache).map(Box::new));
        opened.as_deref().map_err(Clone::clone)
    }

    fn find(&self, around: &Repository, path: &Path, cache: Option<&Cache>) -> Result<Repository, FileFault> {
        let place = around.place.join(path);
        let shown = place.strip_prefix(around.outermost()).unwrap_or(path).display().to_string();
        // By its name, wherever it lay; one that is older than such names, or was made there, lies in its place.
        let kept = self.name.iter().flat_map(|name| around.git.modules().into_iter().map(move |all| all.join(name)));
        let here: Vec<PathBuf> =
            kept.filter(|kept| kept.join("HEAD").is_file()).chain(git::directory_of(&place)).collect();
        if here.is_empty() {
            let (around, path) = (quoted(&around.place), quoted(path));
            return Err(FileFault {
                message: format!("the submodule `{shown}` is not on this machine"),
                help: format!("`git -C {around} submodule update --init {path}` brings it"),
            });
        }
        let commit = format!("{}^{{commit}}", self.commit);
        let has = |directory: &&PathBuf| {
            let git = Git { directory: directory.to_path_buf(), scratch: None };
            git.output(&["cat-file", "-e", &commit]).is_some()
        };
        let Some(directory) = here.iter().find(has) else {
            // In its place it is called by it.
            let place = if place.join(".git").exists() { &place } else { &here[0] };
            return Err(FileFault {
                message: format!("the submodule `{shown}` has no commit {} on this machine", self.commit),
                help: format!("`git -C {} fetch origin {}` brings it", quoted(place), self.commit),
            });
        };
        let opened = Repository::open(
            place,
            around.outermost().to_owned(),
            directory.clone(),
            self.commit.clone(),
            cache.cloned(),
        );
        opened.map_err(|error| FileFault {
            message: format!("the submodule `{shown}` cannot be read: {error}"),
            help: format!("`git -C {} fsck` tells what is wrong with it", quoted(directory)),
        })
    }
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,@%:".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
