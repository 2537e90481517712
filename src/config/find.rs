//! Which file is the configuration: the first that there is, in the order of the SDK.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Config, Directories, keys, yaml};
use crate::port::{FileKind, Files};

/// A place where the file was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// Who names it: `--config`, `UCTL_CONFIG`, or the place itself.
    pub place: &'static str,
    /// `None` where nobody named any.
    pub path: Option<PathBuf>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Used,
    Absent,
    /// Another tool's file.
    NotFlyte,
    /// One before it was found.
    NotAsked,
}

/// Who said which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namer {
    Flag,
    Variable(&'static str),
    /// A target of a manifest.
    Manifest,
    /// Nobody: it lies where it is looked for.
    Place,
}

/// Finds the file, and notes where it looked. A file that somebody named is taken even if it is not there.
pub fn find(
    files: &dyn Files,
    environment: &BTreeMap<String, String>,
    directories: &Directories,
    asked_for: Option<&Path>,
    config: &mut Config,
) -> Option<(PathBuf, Namer)> {
    let working = &directories.working;
    let named =
        |variable: &str| environment.get(variable).filter(|path| !path.is_empty()).map(|path| working.join(path));
    let at_home = |path: &str| directories.home.as_ref().map(|home| home.join(path));
    let git = git_top_level(files, working).map(|top| top.join(".flyte/config.yaml"));
    let by_variable = |name: &'static str| (name, named(name), Namer::Variable(name));
    let places: [(&'static str, Option<PathBuf>, Namer); 8] = [
        ("--config", asked_for.map(Path::to_owned), Namer::Flag),
        ("./config.yaml", Some(working.join("config.yaml")), Namer::Place),
        ("./.flyte/config.yaml", Some(working.join(".flyte/config.yaml")), Namer::Place),
        ("the git work tree", git, Namer::Place),
        by_variable("UCTL_CONFIG"),
        by_variable("FLYTECTL_CONFIG"),
        ("~/.union/config.yaml", at_home(".union/config.yaml"), Namer::Place),
        ("~/.flyte/config.yaml", at_home(".flyte/config.yaml"), Namer::Place),
    ];
    let mut found = None;
    for (at, (place, path, namer)) in places.into_iter().enumerate() {
        let outcome = match &path {
            _ if found.is_some() => Outcome::NotAsked,
            None => Outcome::Absent,
            Some(path) if namer == Namer::Place && files.kind(path) != Some(FileKind::File) => Outcome::Absent,
            // The one name in the list that other tools use as well.
            Some(path) if at == 1 && !is_flyte(files, path) => Outcome::NotFlyte,
            Some(path) => {
                found = Some((path.clone(), namer));
                Outcome::Used
            }
        };
        if outcome == Outcome::NotFlyte {
            config.notes.push(format!(
                "./config.yaml has none of the sections {}: it is taken for another tool's file; the SDK takes it for its own",
                keys::sections()
            ));
        }
        config.searched.push(Searched { place, path, outcome });
    }
    found
}

fn is_flyte(files: &dyn Files, path: &Path) -> bool {
    let Ok(text) = files.read_text(path) else { return false };
    yaml::parse(&text).map_or_else(|_| keys::mentions_flyte(&text), |tree| keys::looks_like_flyte(&tree))
}

/// The nearest directory, from here upwards, that has a `.git`.
fn git_top_level(files: &dyn Files, working: &Path) -> Option<PathBuf> {
    working.ancestors().find(|directory| files.kind(&directory.join(".git")).is_some()).map(Path::to_owned)
}
