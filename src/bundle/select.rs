//! `include` and `exclude` of a source: what they mean, and what they select.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::walk::{Candidate, Found, Tree, lies_in};
use super::{BundleError, LeftOut};
use crate::model::{AppName, Source};
use crate::port::{EntryKind, FileFacts, FileFault, Files};

/// A source with its patterns understood.
pub struct Selector {
    pub include: Vec<Include>,
    root: PathBuf,
    exclude: GlobSet,
    faults: Vec<BundleError>,
}

/// An entry of `include`. Where something of the very name exists it is meant, whatever characters are in it.
pub enum Include {
    Everything,
    /// Taken whatever ignore rules say.
    File(String, FileFacts),
    /// Entered whatever ignore rules say of it; they count below.
    Directory(String),
    Glob {
        text: String,
        /// The directories before the first wildcard.
        prefix: String,
        matcher: GlobSet,
    },
}

/// What a source selects, by path.
#[derive(Default)]
pub struct Selection {
    pub taken: BTreeMap<String, FileFacts>,
    pub left_out: Vec<LeftOut>,
}

impl Selector {
    /// What is wrong with a pattern is told by [`Selector::select`], together with what the others select.
    pub fn new(files: &dyn Files, app: &AppName, root: &Path, source: &Source) -> Self {
        let mut faults = Vec::new();
        let mut include = Vec::new();
        for text in &source.include {
            match understand(files, app, root, text) {
                Ok(understood) => include.push(understood),
                Err(error) => faults.push(error),
            }
        }
        if source.include.is_empty() {
            include.push(Include::Everything);
        }
        let mut globs = GlobSetBuilder::new();
        for text in &source.exclude {
            if let Err(reason) = normalise(text).and_then(|text| add(&mut globs, &text)) {
                faults.push(faulty(app, "source.exclude", text, reason));
            }
        }
        let exclude = globs.build().unwrap_or_else(|error| {
            faults.push(faulty(app, "source.exclude", &source.exclude.join(", "), error.to_string()));
            GlobSet::empty()
        });
        Self { include, root: root.to_owned(), exclude, faults }
    }

    /// Selects from what was found below the root and below each directory that is included by name.
    ///
    /// # Errors
    /// [`BundleError::Pattern`], [`BundleError::NoMatch`], [`BundleError::Outside`]: all of them.
    pub fn select(
        self,
        app: &AppName,
        found: &Found,
        directories: &BTreeMap<String, Found>,
    ) -> Result<Selection, Vec<BundleError>> {
        let mut chosen: BTreeMap<&str, Candidate> = BTreeMap::new();
        let mut errors = self.faults;
        let tree = &found.tree;
        let mut lost: BTreeMap<&str, &Arc<io::Error>> = BTreeMap::new();
        for include in &self.include {
            let missed: Vec<_> = match include {
                Include::Everything => found.lost.iter().collect(),
                Include::File(..) => Vec::new(),
                Include::Directory(path) => directories.get(path).into_iter().flat_map(|found| &found.lost).collect(),
                Include::Glob { text, .. } => found.lost.iter().filter(|(path, _)| reaches(text, path)).collect(),
            };
            // What matches everything below it leaves all of it out.
            let missed = missed.into_iter().filter(|(path, _)| !self.exclude.is_match(format!("{path}/")));
            let before = lost.len();
            lost.extend(missed.map(|(path, error)| (path.as_str(), error)));
            let found: Vec<(&str, Candidate)> = match include {
                Include::Everything => tree.iter().map(owned).collect(),
                Include::File(path, facts) => vec![(path, Candidate::Take(*facts))],
                Include::Directory(path) => {
                    directories.get(path).into_iter().flat_map(|found| &found.tree).map(owned).collect()
                }
                Include::Glob { prefix, matcher, .. } => {
                    below(tree, prefix).filter(|(path, _)| matcher.is_match(path)).map(owned).collect()
                }
            };
            let is_empty =
                lost.len() == before && !found.iter().any(|(_, candidate)| matches!(candidate, Candidate::Take(_)));
            match include {
                Include::Directory(pattern) | Include::Glob { text: pattern, .. } if is_empty => {
                    let ignored = !matches!(include, Include::Glob { prefix, .. } if prefix.is_empty());
                    errors.push(BundleError::NoMatch { app: app.clone(), pattern: pattern.clone(), ignored });
                }
                _ => {}
            }
            for (path, candidate) in found {
                // What one entry takes, another does not leave out.
                if matches!(candidate, Candidate::Take(_)) || !chosen.contains_key(path) {
                    chosen.insert(path, candidate);
                }
            }
        }
        errors.extend(lost.into_iter().map(|(path, error)| BundleError::read(self.root.join(path), error.clone())));
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut selection = Selection::default();
        for (path, candidate) in chosen.into_iter().filter(|(path, _)| !self.exclude.is_match(path)) {
            match candidate {
                Candidate::Take(facts) => {
                    selection.taken.insert(path.to_owned(), facts);
                }
                Candidate::Leave(reason) => selection.left_out.push(LeftOut { path: path.to_owned(), reason }),
            }
        }
        Ok(selection)
    }
}

fn owned<'a>((path, candidate): (&'a String, &Candidate)) -> (&'a str, Candidate) {
    (path, candidate.clone())
}

/// What lies in a directory, without looking at the rest.
fn below<'a>(tree: &'a Tree, directory: &'a str) -> impl Iterator<Item = (&'a String, &'a Candidate)> {
    tree.range::<str, _>((Bound::Included(directory), Bound::Unbounded))
        .take_while(move |(path, _)| path.starts_with(directory))
        .filter(move |(path, _)| lies_in(path, directory))
}

fn faulty(app: &AppName, key: &'static str, pattern: &str, reason: impl Into<String>) -> BundleError {
    BundleError::Pattern { app: app.clone(), key, pattern: pattern.to_owned(), reason: reason.into() }
}

fn understand(files: &dyn Files, app: &AppName, root: &Path, written: &str) -> Result<Include, BundleError> {
    let text = normalise(written).map_err(|reason| faulty(app, "source.include", written, reason))?;
    if text.is_empty() {
        return Ok(Include::Everything);
    }
    let path = root.join(&text);
    let found = match (files.look(&path), files.resolve(&path)) {
        (Err(error), _) | (_, Err(error)) if FileFault::help(&error).is_some() => {
            return Err(BundleError::read(path, error));
        }
        (Ok(kind), Ok(target)) if target.starts_with(root) => Some(kind),
        (Ok(_), Ok(target)) => {
            return Err(BundleError::Outside { app: app.clone(), pattern: written.to_owned(), target });
        }
        _ => None,
    };
    match found {
        Some(EntryKind::File(facts)) => Ok(Include::File(text, facts)),
        Some(EntryKind::Directory) => Ok(Include::Directory(text)),
        Some(EntryKind::Other | EntryKind::Link) => {
            Err(faulty(app, "source.include", written, "it is neither a file nor a directory"))
        }
        None if !text.contains(['*', '?', '[', '{']) => {
            Err(BundleError::NoMatch { app: app.clone(), pattern: written.to_owned(), ignored: false })
        }
        None => {
            let mut matcher = GlobSetBuilder::new();
            add(&mut matcher, &text).map_err(|reason| faulty(app, "source.include", written, reason))?;
            let matcher = matcher.build().map_err(|error| faulty(app, "source.include", written, error.to_string()))?;
            let is_plain = |segment: &&str| !segment.contains(['*', '?', '[', '{', '\\']);
            let prefix = text.split('/').take_while(is_plain).collect::<Vec<_>>().join("/");
            Ok(Include::Glob { text, prefix, matcher })
        }
    }
}

/// Whether a glob may match something below a directory, of which nothing else is known.
fn reaches(glob: &str, directory: &str) -> bool {
    // Braces may have `/` inside, and a backslash may stand before one.
    if glob.contains(['{', '\\']) {
        return true;
    }
    let mut parts = glob.split('/');
    for name in directory.split('/') {
        let may = match parts.next() {
            // It matches what is above, and with it all of this.
            None | Some("**") => return true,
            Some(part) => GlobBuilder::new(part).build().map_or(true, |part| part.compile_matcher().is_match(name)),
        };
        if !may {
            return false;
        }
    }
    true
}

/// Without `./`, empty segments and a closing `/`.
fn normalise(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.starts_with('/') {
        return Err("it must be relative to `source.root`".to_owned());
    }
    let segments: Vec<&str> = text.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    if segments.contains(&"..") {
        return Err("it leads out of `source.root`".to_owned());
    }
    Ok(segments.join("/"))
}

/// A glob matches what it says, and everything below a directory that it matches. `*` stops at `/`.
fn add(set: &mut GlobSetBuilder, text: &str) -> Result<(), String> {
    for pattern in [text.to_owned(), format!("{text}/**")] {
        let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
        set.add(glob.map_err(|error| error.kind().to_string())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_glob_may_match_below_a_directory() {
        let check = |glob: &str, directory: &str, expected| {
            assert_eq!(reaches(glob, directory), expected, "{glob} in {directory}")
        };
        check("**/*.py", "vendor/lib", true);
        check("src/**", "vendor/lib", false);
        check("src/**/x", "src/lib", true);
        check("*.py", "vendor", false);
        check("*.py", "vendor.py", true);
        check("v*/l?b/*.py", "vendor/lib", true);
        check("v*/l?b/*.py", "vendor/library", false);
        check("vendor", "vendor/lib/inner", true);
        check("vendor/*/inner/x", "vendor/lib", true);
        check("{vendor/lib,src}/*.py", "vendor/lib", true);
        check("[v]endor/*", "vendor/lib", true);
        check("[w]endor/*", "vendor/lib", false);
    }
}
