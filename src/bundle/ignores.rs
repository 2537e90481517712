//! `.gitignore` and `.flyteignore`, which reach from their directory down.

use std::io::{self, ErrorKind};
use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{BundleError, rules};
use crate::port::Files;

pub const GIT: &str = ".gitignore";
pub const FLYTE: &str = ".flyteignore";

/// Whether there is no such file, or something else under its name.
fn is_no_text(error: &io::Error) -> bool {
    use ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | InvalidData | IsADirectory | NotADirectory)
}

/// The ignore files of a directory, with those above it.
pub struct Ignores<'a> {
    above: Option<&'a Ignores<'a>>,
    git: Option<Gitignore>,
    flyte: Option<Gitignore>,
}

impl<'a> Ignores<'a> {
    /// Reads what is there of the two files. Lines that are no pattern count for nothing, as in git.
    ///
    /// # Errors
    /// One cannot be read: what it leaves out must not be packed for that.
    pub fn read(files: &dyn Files, directory: &Path, above: Option<&'a Ignores<'a>>) -> Result<Self, BundleError> {
        let read = |name: &str| {
            let path = directory.join(name);
            let text = match files.read_text(&path) {
                Ok(text) => text,
                Err(error) if is_no_text(&error) => return Ok(None),
                Err(error) => return Err(BundleError::read(path, error)),
            };
            let mut builder = GitignoreBuilder::new(directory);
            for line in text.lines() {
                // A faulty pattern is no reason to refuse a deploy.
                let _ = builder.add_line(None, line);
            }
            Ok(builder.build().ok())
        };
        Ok(Self { above, git: read(GIT)?, flyte: read(FLYTE)? })
    }

    /// A directory without ignore files of its own.
    pub fn below(above: &'a Ignores<'a>) -> Self {
        Self { above: Some(above), git: None, flyte: None }
    }

    /// Whether an entry is left out. `.flyteignore` has the first word, then the built-in rules, then `.gitignore`; of
    /// several files of a name the nearest.
    pub fn exclude(&self, path: &Path, name: &str, is_directory: bool) -> bool {
        if name == ".git" {
            return true;
        }
        let verdict = |file: fn(&Self) -> Option<&Gitignore>| {
            let mut level = Some(self);
            while let Some(here) = level {
                match file(here).map_or(Match::None, |rules| rules.matched(path, is_directory)) {
                    Match::Ignore(_) => return Some(true),
                    Match::Whitelist(_) => return Some(false),
                    Match::None => level = here.above,
                }
            }
            None
        };
        verdict(|here| here.flyte.as_ref())
            .or_else(|| rules::is_skipped(name).then_some(true))
            .or_else(|| verdict(|here| here.git.as_ref()))
            .unwrap_or(false)
    }
}
