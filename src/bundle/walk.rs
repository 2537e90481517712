//! The files below a directory that ignore rules leave, links followed as long as they stay inside.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ignores::{FLYTE, GIT, Ignores};
use super::{BundleError, Reason, rules};
use crate::port::{Entry, EntryKind, FileFacts, FileFault, Files};

/// Entries looked at before a walk is given up.
const MAX_ENTRIES: usize = 1_000_000;

/// What was found, by path relative to the root.
pub type Tree = BTreeMap<String, Candidate>;

/// What a walk came by.
#[derive(Debug, Default)]
pub struct Found {
    pub tree: Tree,
    /// What could not be looked into, by path as in the tree: whether it matters depends on what is selected.
    pub lost: BTreeMap<String, Arc<io::Error>>,
}

/// Something a bundle may select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    Take(FileFacts),
    Leave(Reason),
}

/// Where a walk goes.
pub struct Scope<'a> {
    /// Without links.
    pub root: &'a Path,
    /// Where to begin, relative to the root; empty for the root itself. Ignore rules count below it.
    pub start: &'a str,
    /// Only what lies on the way to one of these, or below, is entered. An empty one wants everything.
    pub wanted: &'a BTreeSet<String>,
    /// Files never taken.
    pub manifests: &'a BTreeSet<PathBuf>,
}

/// # Errors
/// [`BundleError::Read`], [`BundleError::TooDeep`].
pub fn walk(files: &dyn Files, scope: &Scope<'_>) -> Result<Found, BundleError> {
    let start = scope.root.join(scope.start);
    let stack = vec![read(&start, files.resolve(&start))?];
    let mut walk = Walk { files, scope, stack, tree: Tree::new(), lost: BTreeMap::new(), seen: 0 };
    walk.from(&above(files, scope.root, &start), None)?;
    Ok(Found { tree: walk.tree, lost: walk.lost })
}

/// The directories whose ignore files reach down to `start`, outermost first: from the top of the git repository that
/// the root is in, else from the root.
fn above(files: &dyn Files, root: &Path, start: &Path) -> Vec<PathBuf> {
    let top = root.ancestors().find(|directory| files.kind(&directory.join(".git")).is_some()).unwrap_or(root);
    let mut above: Vec<PathBuf> =
        start.ancestors().skip(1).take_while(|directory| directory.starts_with(top)).map(Path::to_owned).collect();
    above.reverse();
    above
}

fn read<T>(path: &Path, result: io::Result<T>) -> Result<T, BundleError> {
    result.map_err(|error| BundleError::read(path, error))
}

struct Walk<'a> {
    files: &'a dyn Files,
    scope: &'a Scope<'a>,
    /// The directories we are in, without links.
    stack: Vec<PathBuf>,
    tree: Tree,
    lost: BTreeMap<String, Arc<io::Error>>,
    seen: usize,
}

impl Walk<'_> {
    /// Reads the ignore files of the directories above, one inside the other, then begins.
    fn from(&mut self, directories: &[PathBuf], ignores: Option<&Ignores<'_>>) -> Result<(), BundleError> {
        match directories.split_first() {
            Some((first, rest)) => self.from(rest, Some(&Ignores::read(self.files, first, ignores)?)),
            None => self.directory(self.scope.start, ignores),
        }
    }

    fn directory(&mut self, shown: &str, above: Option<&Ignores<'_>>) -> Result<(), BundleError> {
        let path = self.scope.root.join(shown);
        let entries = match self.files.entries(&path) {
            // It vanished meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if shown != self.scope.start => {
                self.lost.insert(shown.to_owned(), error.into());
                return Ok(());
            }
            entries => read(&path, entries)?,
        };
        let has = |name: &str| entries.iter().any(|entry| entry.path.file_name().is_some_and(|found| found == name));
        if shown != self.scope.start && has(rules::VIRTUAL_ENVIRONMENT) {
            return Ok(());
        }
        self.seen += entries.len();
        if self.seen > MAX_ENTRIES {
            return Err(BundleError::TooDeep { root: self.scope.root.to_owned(), limit: MAX_ENTRIES });
        }
        let ignores = match above {
            Some(above) if !has(GIT) && !has(FLYTE) => Ignores::below(above),
            above => Ignores::read(self.files, &path, above)?,
        };
        entries.into_iter().try_for_each(|entry| self.entry(shown, &entry, &ignores))
    }

    fn entry(&mut self, directory: &str, entry: &Entry, ignores: &Ignores<'_>) -> Result<(), BundleError> {
        let file_name = entry.path.file_name().unwrap_or_default();
        let name = file_name.to_string_lossy();
        let shown = if directory.is_empty() { name.to_string() } else { format!("{directory}/{name}") };
        let (kind, target) = match entry.kind {
            EntryKind::Link => match (self.files.look(&entry.path), self.files.resolve(&entry.path)) {
                (Ok(kind), Ok(target)) => (kind, Some(target)),
                (Err(error), _) | (_, Err(error)) if FileFault::help(&error).is_some() => {
                    if !ignores.exclude(&entry.path, &name, false) {
                        self.lost.insert(shown, error.into());
                    }
                    return Ok(());
                }
                _ => {
                    if !ignores.exclude(&entry.path, &name, false) {
                        self.tree.insert(shown, Candidate::Leave(Reason::Dangling));
                    }
                    return Ok(());
                }
            },
            kind => (kind, None),
        };
        if ignores.exclude(&entry.path, &name, kind == EntryKind::Directory)
            || self.scope.manifests.contains(&entry.path)
        {
            return Ok(());
        }
        if file_name.to_str().is_none() {
            self.tree.insert(shown, Candidate::Leave(Reason::Name));
            return Ok(());
        }
        if let Some(target) = target.as_ref().filter(|target| !target.starts_with(self.scope.root)) {
            self.tree.insert(shown, Candidate::Leave(Reason::Outside(target.clone())));
            return Ok(());
        }
        match kind {
            EntryKind::Directory if self.is_wanted(&shown) => self.enter(shown, &name, target, ignores)?,
            EntryKind::Directory => {}
            EntryKind::File(facts) => {
                let target = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
                let secret = rules::may_hold_credentials(&name) || target.is_some_and(rules::may_hold_credentials);
                self.tree.insert(shown, if secret { Candidate::Leave(Reason::Secret) } else { Candidate::Take(facts) });
            }
            EntryKind::Other | EntryKind::Link => {
                self.tree.insert(shown, Candidate::Leave(Reason::Special));
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        shown: String,
        name: &str,
        target: Option<PathBuf>,
        ignores: &Ignores<'_>,
    ) -> Result<(), BundleError> {
        if let Some(target) = &target
            && self.stack.iter().any(|directory| directory.starts_with(target))
        {
            self.tree.insert(shown, Candidate::Leave(Reason::Loop));
            return Ok(());
        }
        let real = target.unwrap_or_else(|| self.stack.last().map(|here| here.join(name)).unwrap_or_default());
        self.stack.push(real);
        let result = self.directory(&shown, Some(ignores));
        self.stack.pop();
        result
    }

    fn is_wanted(&self, directory: &str) -> bool {
        self.scope.wanted.iter().any(|wanted| lies_in(wanted, directory) || lies_in(directory, wanted))
    }
}

/// Whether a path is a directory or lies below it; everything lies below the empty one.
pub fn lies_in(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
