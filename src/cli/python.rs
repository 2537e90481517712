//! The apps of a Python file that uses the Flyte SDK, as the SDK itself translates them.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

use super::failure::{Failure, Result};
use super::place::Place;
use crate::diff::endpoints;
use crate::host::{RealFiles, git, python};
use crate::import::sdk::{Answer, HELPER, Loaded, Question, Refusal, RefusalKind};
use crate::import::{self, Imported, Options};
use crate::manifest::{FILE_NAME, normal};

/// A manifest made from a Python file, and where it stands.
pub struct Declared {
    pub imported: Imported,
    pub loaded: Loaded,
    /// Of the manifest: in the directory that modules and files are named from.
    pub path: PathBuf,
    /// What each app depends on.
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Declared {
    /// These apps and what they depend on; all of the file where none is named.
    pub fn chosen(&self, apps: &[String]) -> BTreeSet<String> {
        let mut open: Vec<String> = if apps.is_empty() { self.needs.keys().cloned().collect() } else { apps.to_vec() };
        let mut chosen = BTreeSet::new();
        while let Some(app) = open.pop() {
            if chosen.insert(app.clone()) {
                // What the file does not declare is deployed elsewhere.
                let needs = self.needs.get(&app).into_iter().flatten();
                open.extend(needs.filter(|app| self.needs.contains_key(*app)).cloned());
            }
        }
        chosen
    }
}

/// What is loaded.
pub struct Source<'a> {
    pub file: &'a Path,
    /// One variable of it.
    pub variable: Option<&'a str>,
    /// References of images by name, as the SDK's configuration has them.
    pub images: BTreeMap<String, String>,
}

/// Loads a file, or one variable of it.
///
/// The root, as with the SDK, is the working directory; for a file that does not lie below it, its own directory.
///
/// The manifest is to stand at `out`, else in the root under the usual name.
///
/// # Errors
/// There is no such file, no Python, no SDK; the file or the SDK refuses; the apps have no manifest, or not at `out`.
pub async fn declared(files: &RealFiles, source: &Source<'_>, out: Option<&Path>, place: &Place) -> Result<Declared> {
    let directory = env::current_dir()?;
    let file = normal(&directory.join(source.file));
    if !file.is_file() {
        return Err(Failure::new(format!("there is no file {}", file.display())));
    }
    let root = if file.starts_with(&directory) { &directory } else { file.parent().unwrap_or(&directory) }.to_owned();
    let path = normal(&directory.join(out.unwrap_or(&root.join(FILE_NAME))));
    if path.parent() != Some(&root) {
        let at = root.strip_prefix(&directory).map_or(root.clone(), Path::to_owned).join(FILE_NAME);
        return Err(Failure::new(format!("{} does not lie where the code of its apps does", path.display()))
            .help(format!("write `--out {}`: modules and files are named from that directory", at.display())));
    }
    let loaded = load(&file, source, &root, place).await?;
    let damaged = |error: import::sdk::Damaged| Failure::from_error(&error);
    let import::sdk::Apps { messages, hints, unsaid, depends_on } = loaded.apps().map_err(damaged)?;
    let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
    if messages.is_empty() {
        let why: Vec<String> = unsaid.iter().map(|unsaid| format!("`{}`: {}", unsaid.app, unsaid.why)).collect();
        return Err(Failure::new(format!("no app of {shown} can be translated")).help(why.join("\n")));
    }
    let options = Options {
        name: owner(&file),
        scope: place.scope.clone(),
        target: place.target.clone(),
        heading: format!("From {shown}, as SDK {} translates it.", loaded.sdk),
        hints,
        unsaid,
    };
    let mut needs: BTreeMap<String, BTreeSet<String>> =
        depends_on.into_iter().map(|(app, others)| (app, others.into_iter().collect())).collect();
    for app in &messages {
        let others = endpoints(app).into_iter().map(|other| other.to_string());
        needs.entry(app.metadata.id.name.clone()).or_default().extend(others);
    }
    let imported = import::import(files, &path, &messages, &options)?;
    Ok(Declared { imported, loaded, path, needs })
}

/// By where the file lies in its repository, if it is in one: files of one name are not one another's.
fn owner(file: &Path) -> String {
    let within = file.parent().and_then(|directory| git::git(directory, &["rev-parse", "--show-prefix"]));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    import::word(&format!("{}{stem}", within.unwrap_or_default()))
}

async fn load(file: &Path, source: &Source<'_>, root: &Path, place: &Place) -> Result<Loaded> {
    let question = Question {
        file: file.display().to_string(),
        root: root.display().to_string(),
        variable: source.variable.map(str::to_owned),
        project: place.scope.project.clone(),
        domain: place.scope.domain.clone(),
        org: place.scope.org.clone(),
        images: source.images.clone(),
    };
    let argument = serde_json::to_string(&question).map_err(|error| Failure::from_error(&error))?;
    let program = python::interpreter(env::var_os("VIRTUAL_ENV").as_ref());
    let answer = python::run(&program, HELPER, &argument, root).await.map_err(|error| unanswered(&error))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Loaded(loaded)) => Ok(loaded),
        Ok(Answer::Refused { refused }) => Err(told(refused)),
        Err(error) => Err(Failure::from_error(&error).while_doing(format!("{} gave no answer", program.display()))),
    }
}

fn unanswered(error: &python::PythonError) -> Failure {
    let failure = Failure::from_error(error);
    match error {
        python::PythonError::Start { .. } => failure.help("install Python 3.10 or newer, then `pip install flyte`"),
        python::PythonError::Failed { said, .. } if !said.trim().is_empty() => failure.help(said.trim().to_owned()),
        _ => failure,
    }
}

fn told(refusal: Refusal) -> Failure {
    let failure = Failure::new(refusal.message);
    match refusal.kind {
        RefusalKind::Sdk => failure.help(format!(
            "type `pip install flyte` for {}, or activate the virtual environment that has it",
            refusal.detail
        )),
        RefusalKind::Variable if refusal.detail.is_empty() => failure,
        RefusalKind::Variable => failure.help(format!("the file declares {}", refusal.detail)),
        RefusalKind::Load => failure.help(refusal.detail.trim_end().to_owned()),
    }
}
