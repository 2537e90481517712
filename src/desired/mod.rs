//! From a project and its bundles to the specs we ask for, and their versions.

mod command;
mod message;
mod parameters;
mod pod;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flyte_schema::flyteidl2::app::App as Message;

use crate::bundle::{Bundle, BundleSet};
use crate::canonical;
use crate::diagnostic::Span;
use crate::model::parameter::{Pin, Resolved};
use crate::model::{Activation, App, AppId, AppName, AppSpec, Commit, Dependency, Digest, Marks, Version, spec};
use crate::resolve::Project;

/// Everything we ask for, by name.
#[derive(Debug, Clone, Default)]
pub struct DesiredSet {
    pub apps: BTreeMap<AppName, Desired>,
    /// Of the manifest and the sources, where they lie in a git work tree.
    pub commit: Option<Commit>,
}

/// One app as we want it.
#[derive(Debug, Clone)]
pub struct Desired {
    pub id: AppId,
    /// Complete, marks included; the bundle's address is a placeholder. Its desired state is what a new app would get:
    /// active for automatic activation, stopped for manual.
    pub spec: AppSpec,
    pub version: Version,
    pub bundle: Option<Arc<Bundle>>,
    /// The record that the spec is taken from, where it is no longer what is declared.
    pub restores: Option<Digest>,
    pub activation: Activation,
    /// How long apply waits for it.
    pub ready_within: Duration,
    pub depends_on: Vec<Dependency>,
    /// What the values of parameters were pinned to.
    pub pins: BTreeMap<String, Pin>,
    /// Where the app's table begins.
    pub declared_at: Span,
    /// Manifest key path within the app to the text that set the value.
    pub spans: Arc<BTreeMap<String, Span>>,
}

#[derive(Debug, Clone, Default)]
pub struct LowerOptions {
    /// A name for this version, from `--version`.
    pub label: Option<String>,
    pub commit: Option<Commit>,
    /// Where people read the source of this state of the project.
    pub source_link: Option<String>,
    /// What run outputs and artifacts turned out to be, by app and parameter.
    pub resolved: BTreeMap<AppName, BTreeMap<String, Resolved>>,
}

/// Why a project has no wire form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// It travels in a Kubernetes label too, which sets the rule.
    #[error(
        "`{0}` cannot name a version: at most 63 letters, digits, `-`, `_` and `.`, starting and ending with a letter \
         or digit"
    )]
    Label(String),
    /// An argument that the shell in the container cannot be given.
    #[error("an argument of `{app}` holds a NUL character")]
    Argument { app: AppName },
    /// A run output or an artifact that nobody has looked up.
    #[error("the value of the parameter `{parameter}` of `{app}` is not known: it has not been looked up")]
    Unresolved { app: AppName, parameter: String },
}

/// Makes the message of every app, and names its version by content.
///
/// # Errors
/// See [`LowerError`].
pub fn lower(project: &Project, bundles: &BundleSet, options: &LowerOptions) -> Result<DesiredSet, LowerError> {
    if let Some(label) = options.label.as_ref().filter(|label| !Version::is_label(label)) {
        return Err(LowerError::Label(label.clone()));
    }
    let lower = |(name, app): (&AppName, &App)| {
        let bundle = bundles.get(name).cloned();
        let none = BTreeMap::new();
        let resolved = options.resolved.get(name).unwrap_or(&none);
        let context = message::Context {
            scope: &project.scope,
            bundle: bundle.as_deref(),
            source_link: options.source_link.as_deref(),
            resolved,
        };
        let message = message::message(&context, app)?;
        let version = Version { digest: canonical::version(&message), label: options.label.clone() };
        let desired = Desired {
            id: project.scope.app(name),
            spec: marked(AppSpec(message), "", &project.owner, &version),
            version,
            bundle,
            restores: None,
            activation: app.activation,
            ready_within: app.ready.within,
            depends_on: app.depends_on.clone(),
            pins: resolved.iter().map(|(name, resolved)| (name.clone(), resolved.origin.clone())).collect(),
            declared_at: app.declared_at,
            spans: Arc::new(app.spans.clone()),
        };
        Ok((name.clone(), desired))
    };
    let apps = project.apps.iter().map(lower).collect::<Result<_, _>>()?;
    Ok(DesiredSet { apps, commit: options.commit.clone() })
}

impl Desired {
    /// The same app with another message, `kept` of which is left to others: JSON pointers into the canonical form.
    #[must_use]
    pub fn leaving(&self, message: Message, owner: &str, kept: &[String]) -> Self {
        self.marked_anew(message, owner, kept, self.version.label.clone())
    }

    /// The same app under the label that its content has, where no label is asked for.
    #[must_use]
    pub fn keeping_label(self, owner: &str, has: Option<&Version>) -> Self {
        let label = has.filter(|has| has.digest == self.version.digest).and_then(|has| has.label.clone());
        if label.is_none() || self.version.label.is_some() {
            return self;
        }
        let kept = Marks::kept(self.spec.spec());
        self.marked_anew(self.spec.0.clone(), owner, &kept, label)
    }

    fn marked_anew(&self, mut message: Message, owner: &str, kept: &[String], label: Option<String>) -> Self {
        spec::remove_variables(&mut message, Marks::is_mark);
        if !kept.is_empty() {
            // Texts have a JSON form.
            let kept = serde_json::to_string(kept).unwrap_or_default();
            spec::push_variable(&mut message, Marks::KEPT, &kept);
        }
        let version = Version { digest: canonical::version(&message), label };
        let spec = marked(AppSpec(message), &self.version.mark(), owner, &version);
        Self { spec, version, ..self.clone() }
    }
}

/// Puts the marks in: what they say is known only after the rest of the message is. `before` stands where the version
/// goes.
fn marked(mut desired: AppSpec, before: &str, owner: &str, version: &Version) -> AppSpec {
    let mark = version.mark();
    let digest = version.digest.to_string();
    for (key, value) in [(Marks::OWNER, owner), (Marks::VERSION, &mark), (Marks::DIGEST, &digest)] {
        spec::push_variable(&mut desired.0, key, value);
    }
    command::set_version(spec::command_mut(&mut desired.0), before, &mark);
    let labels = &mut desired.0.metadata.get_or_insert_default().labels;
    for (key, value) in [("manifest", owner), ("version", &mark), ("digest", &version.digest.short())] {
        if Version::is_label(value) {
            labels.insert(format!("{}{key}", Marks::LABELS), value.to_owned());
        }
    }
    desired
}

#[cfg(test)]
mod tests;
