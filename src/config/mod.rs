//! The configuration of the Flyte SDK: which file it is, what it says, what variables say in its place.
//!
//! [`read`] gives plain data: every value with what set it, everything wrong with the file or the variables, and what
//! was read otherwise than the SDK reads it. What is wrong matters where the configuration is used, and not before.
//! Secrets are named by the place they lie in and not read.
//!
//! Source of files, keys and variables: `flyte.config` of the SDK 2.12.1.

mod find;
mod finding;
mod keys;
mod parts;
mod values;
mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use find::Namer;
pub use find::{Outcome, Searched};
pub use finding::{Finding, beside};
pub use parts::{Part, Parts, Sourced};
pub use values::auth_type;

use crate::port::Files;

/// The variable that holds an API key.
pub const API_KEY: &str = "FLYTE_API_KEY";

/// Where relative paths begin, and where the user's own files lie. Both are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directories {
    pub working: PathBuf,
    pub home: Option<PathBuf>,
}

/// What the SDK's configuration comes to.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where a file was looked for, in order.
    pub searched: Vec<Searched>,
    /// The file that is used.
    pub file: Option<File>,
    pub parts: Parts<Origin>,
    pub project: Part<String, Origin>,
    pub domain: Part<String, Origin>,
    /// References of images by the names that Python files call them by; `default` takes the place of the SDK's own.
    pub images: BTreeMap<String, String>,
    /// Everything wrong with the file, the variables and the API key.
    pub findings: Vec<Finding>,
    /// What was read otherwise than the SDK reads it, or is not used; one sentence each.
    pub notes: Vec<String>,
    /// The file was named on the command line: what is wrong with it is told in any case.
    pub is_asked_for: bool,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: PathBuf,
    /// As shown to people.
    pub shown: PathBuf,
    /// Empty where it cannot be read.
    pub text: Arc<str>,
}

/// What set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A key of the file, such as `admin.endpoint`, and its value in the text.
    File { key: &'static str, range: Range<usize> },
    /// An environment variable.
    Variable(String),
    /// The API key that this variable holds.
    ApiKey(&'static str),
}

/// Finds the configuration of a user and reads it. `asked_for` is the file that was named on the command line, absolute.
pub fn read(
    files: &dyn Files,
    environment: &BTreeMap<String, String>,
    directories: &Directories,
    asked_for: Option<&Path>,
) -> Config {
    let mut config = Config { is_asked_for: asked_for.is_some(), ..Config::default() };
    let path = find::find(files, environment, directories, asked_for, &mut config);
    let tree = path.and_then(|(path, namer)| load(files, &path, namer, directories, &mut config));
    values::read(tree.as_ref(), Some(environment), directories, &mut config);
    config
}

/// What one file says, without regard to variables. `path` is absolute.
pub fn read_file(files: &dyn Files, path: &Path, directories: &Directories) -> Config {
    let mut config = Config { is_asked_for: true, ..Config::default() };
    let tree = load(files, path, Namer::Manifest, directories, &mut config);
    values::read(tree.as_ref(), None, directories, &mut config);
    config
}

/// Reads a file; what is wrong with it goes into the findings.
fn load(
    files: &dyn Files,
    path: &Path,
    namer: Namer,
    directories: &Directories,
    config: &mut Config,
) -> Option<yaml::Node> {
    let shown = path.strip_prefix(&directories.working).unwrap_or(path).to_owned();
    let text = match files.read_text(path) {
        Ok(text) => text,
        Err(error) => {
            config.findings.push(finding::unreadable(&shown, namer, &error));
            config.file = Some(File { path: path.to_owned(), shown, text: "".into() });
            return None;
        }
    };
    let tree = yaml::parse(&text);
    config.file = Some(File { path: path.to_owned(), shown: shown.clone(), text: text.into() });
    match tree {
        Ok(tree) => {
            keys::check(&tree, &mut config.findings);
            Some(tree)
        }
        Err(error) => {
            config.findings.push(finding::not_yaml(&shown, &error));
            None
        }
    }
}

/// Whether a variable is one that names the way to log in.
pub fn names_auth_type(variable: &str) -> bool {
    keys::variables("admin.authType").iter().any(|name| name == variable)
}

impl Config {
    /// Whether it says where a control plane is.
    pub fn names_endpoint(&self) -> bool {
        self.parts.endpoint.is_some()
    }
}

#[cfg(test)]
mod tests;
