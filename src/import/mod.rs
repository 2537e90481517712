//! From app messages back to a manifest: the text that declares them, what it cannot say, and the proof.
//!
//! [`import`] writes a `flyte.toml`, and then reads it as any other: loaded, resolved and lowered again it must give
//! the messages it was made from. What the manifest refuses is taken out and told with the manifest's own reason; what
//! comes back otherwise is told field by field.

mod app;
mod command;
mod overlay;
mod parameters;
mod pod;
mod proof;
mod resources;
pub mod sdk;
mod target;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use flyte_schema::flyteidl2::app::App as Message;
use serde::Serialize;
use toml::Table;

pub use overlay::Overlay;
pub use proof::Difference;

use crate::desired::LowerError;
use crate::diagnostic::Invalid;
use crate::manifest::LoadError;
use crate::model::parameter::Resolved;
use crate::model::{Marks, Scope, spec};
use crate::port::Files;
use crate::resolve::Target;

/// The program that apps without a command of their own start through.
const STARTER: &str = "fserve";

/// What the messages do not say.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `name` of the manifest: the owner mark of its apps.
    pub name: String,
    pub scope: Scope,
    pub target: Target,
    /// The first line, as a comment.
    pub heading: String,
    /// By app.
    pub hints: BTreeMap<String, Hints>,
    /// What cannot be said, found out elsewhere; also of apps that have no message.
    pub unsaid: Vec<Unsaid>,
}

/// What is known of an app beside its message.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Apps that are deployed first.
    pub depends_on: Vec<String>,
    /// Its code: paths or globs relative to the manifest. Empty: none is packed.
    pub include: Vec<String>,
    /// Parameters whose value was looked up: the key of the manifest that asks for it, and its table.
    pub asked: BTreeMap<String, (String, Table)>,
    /// What the subdomain is made from, where it differs between projects and domains.
    pub subdomain: Option<Table>,
}

/// Something of an app, or of the way to it, that the manifest does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unsaid {
    /// Empty: it is about the target.
    pub app: String,
    /// Where it stands in the message: `spec.links`. Of the target, its key.
    pub path: String,
    pub why: String,
    /// Something else runs for it than was asked for, or nothing.
    pub lost: bool,
}

/// A manifest, and how far it says what it was made from.
#[derive(Debug, Clone)]
pub struct Imported {
    pub text: String,
    /// By app and path.
    pub unsaid: Vec<Unsaid>,
    /// Where the manifest, lowered, differs from the message. Empty: they are equal.
    pub differences: Vec<Difference>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an app but the whole is mistaken: the name of the project, say.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Lower(#[from] LowerError),
    #[error("the app `{0}` is there twice")]
    Twice(String),
}

/// An app on its way to text.
struct Draft {
    name: String,
    table: Table,
    /// Needed to lower it: what look-ups gave.
    resolved: BTreeMap<String, Resolved>,
}

/// Writes the manifest that stands at `path`, absolute, and proves it. `files` is what lies around it.
///
/// # Errors
/// See [`Error`].
pub fn import(files: &dyn Files, path: &Path, apps: &[Message], options: &Options) -> Result<Imported, Error> {
    let mut unsaid = target::unsaid(&options.target);
    unsaid.extend(options.unsaid.iter().cloned());
    let mut drafts: Vec<Draft> = Vec::new();
    let mut sorted: Vec<&Message> = apps.iter().collect();
    sorted.sort_by(|a, b| a.metadata.id.name.cmp(&b.metadata.id.name));
    let none = Hints::default();
    for message in sorted {
        let name = &message.metadata.id.name;
        if drafts.last().is_some_and(|last| last.name == *name) {
            return Err(Error::Twice(name.clone()));
        }
        drafts.push(app::draft(message, &options.scope, options.hints.get(name).unwrap_or(&none), &mut unsaid));
    }
    proof::refine(files, path, &mut drafts, options, &mut unsaid)?;
    let text = text::pretty(&drafts, options);
    let differences = proof::differences(files, path, &text, &drafts, apps, options)?;
    for difference in &differences {
        let told = |known: &&mut Unsaid| known.app == difference.app && covers(&known.path, &difference.path);
        if unsaid.iter_mut().filter(told).map(|known| known.lost = true).count() == 0 {
            let unpacks = |app: &&Message| spec::command(&app.spec).first() == Some(&STARTER);
            let mut named = apps.iter().filter(|app| app.metadata.id.name == difference.app);
            unsaid.push(difference.unsaid(named.any(|app| unpacks(&app))));
        }
    }
    unsaid.sort();
    unsaid.dedup();
    Ok(Imported { text, unsaid, differences })
}

/// Whether `inner` is the place `outer` or lies in it. A parameter is told to the starter and, as an input, to the
/// control plane; an endpoint is a variable besides.
fn covers(outer: &str, inner: &str) -> bool {
    let lies_in =
        |inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let told = ["spec.parameters", "spec.inputs"].into_iter().find_map(|list| inner.strip_prefix(list));
    let names =
        told.map(|name| ["spec.parameters", "spec.inputs", "spec.container.env"].map(|list| format!("{list}{name}")));
    lies_in(inner) || names.is_some_and(|names| names.iter().any(|name| lies_in(name)))
}

/// The name under which live apps are to be declared: the mark that all of them bear, else that of their project.
pub fn owner(apps: &[Message], scope: &Scope) -> String {
    let mut owners = apps.iter().map(|app| Marks::read(&app.spec).map(|marks| marks.owner));
    match owners.next() {
        Some(Some(first)) if owners.all(|other| other.as_ref() == Some(&first)) => first,
        _ => word(&scope.project),
    }
}

/// The nearest text that may name a manifest.
pub fn word(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let word: String = text.chars().map(allowed).take(63).collect();
    if word.is_empty() { "apps".to_owned() } else { word }
}

#[cfg(test)]
mod tests;
