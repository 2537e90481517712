//! Why a command ended without doing what it was asked: the error with its causes, and what to type next.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::sync::Arc;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::answer::{document, findings};
use super::exit::Exit;
use super::github;
use super::terminal::{Terminal, width};
use crate::bundle::BundleError;
use crate::client::ClientError;
use crate::client::auth::AuthError;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::diff::KeepError;
use crate::import;
use crate::manifest::LoadError;
use crate::model::AppName;
use crate::pipeline::{self, RollbackError};
use crate::plan::Refused;
use crate::plan::stored::Stale;
use crate::port::{FileFault, RpcCode, RpcError};
use crate::release::NoSuchRelease;
use crate::report;
use crate::report::github::failure_markdown;

/// An error on its way to the terminal.
#[derive(Debug)]
pub struct Failure {
    /// Lower-case fragments: the error, then its causes.
    chain: Vec<String>,
    help: Option<String>,
    /// The same for programs, where there is more to say: further keys of the document's `error`.
    details: Option<Box<(&'static str, Value)>>,
    /// Findings about the user's text, shown before the error.
    diagnostics: Diagnostics,
    exit: Exit,
}

/// What a command returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            chain: vec![message.into()],
            help: None,
            details: None,
            diagnostics: Diagnostics::default(),
            exit: Exit::Error,
        }
    }

    /// An error with its sources.
    pub fn from_error(error: &dyn Error) -> Self {
        Self { chain: chain(error), ..Self::new("") }
    }

    /// What was being done: becomes the first line.
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<String>) -> Self {
        self.chain.insert(0, what.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    fn help_if(mut self, help: Option<&str>) -> Self {
        self.help = help.map(str::to_owned).or(self.help);
        self
    }

    #[must_use]
    pub fn diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Each reason as a cause.
    fn stale(mut self, stale: &Stale) -> Self {
        self.chain.extend(stale.0.iter().map(ToString::to_string));
        self.details = Some(Box::new(("stale", json!(stale.0))));
        self.exit(Exit::StalePlan).help("plan again; `flyte explain plan::stale_plan` lists what counts")
    }

    pub fn code(&self) -> Exit {
        self.exit
    }

    /// Tells it: on stderr, or as the one document of `--json`; for GitHub also as a page and as annotations.
    pub fn tell(&self, terminal: &Terminal, command: &str) {
        if terminal.json {
            let mut document = document(command, &self.diagnostics);
            document.insert("error".into(), self.json());
            let _ = terminal.result(&format!("{:#}\n", Value::Object(document)));
        } else {
            terminal.complain(&findings(terminal, &self.diagnostics));
            terminal.complain(&self.text());
            if terminal.github {
                github::annotate(terminal, &self.diagnostics);
                if !self.diagnostics.has_errors() {
                    github::annotate_step(terminal, command, &self.chain.join(": "));
                }
                let page = failure_markdown(command, &self.chain, self.help.as_deref(), &self.diagnostics);
                let _ = github::publish(terminal, &page);
            }
        }
    }

    fn text(&self) -> String {
        let mut text = line(&"error:".red().bold(), "error: ", &self.chain[0]);
        for cause in &self.chain[1..] {
            text.push_str(&line(&"  cause:".dimmed(), "  cause: ", cause));
        }
        if let Some(help) = &self.help {
            text.push_str(&line(&"  help:".cyan(), "  help: ", help));
        }
        text
    }

    fn json(&self) -> Value {
        let mut error = json!({ "message": self.chain[0], "exit_code": self.exit.code() });
        if self.chain.len() > 1 {
            error["causes"] = json!(self.chain[1..]);
        }
        if let Some(help) = &self.help {
            error["help"] = json!(help);
        }
        if let Some((key, details)) = self.details.as_deref() {
            error[*key] = details.clone();
        }
        error
    }
}

/// A text behind its label, broken between words where the terminal ends; `plain` is the label without colours.
fn line(label: &dyn Display, plain: &str, text: &str) -> String {
    let room = width().saturating_sub(plain.len());
    let lines: Vec<String> = text.lines().flat_map(|paragraph| report::wrap(paragraph, room, 0)).collect();
    format!("{label} {}\n", lines.join(&format!("\n{:indent$}", "", indent = plain.len())))
}

/// An error and its sources, outermost first. A source whose text the one before already ends with is not repeated.
pub fn chain(error: &dyn Error) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !chain.last().is_some_and(|line| line.ends_with(&text)) {
            chain.push(text);
        }
        next = source.source();
    }
    chain
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from_error(&error)
    }
}

impl From<pipeline::Error> for Failure {
    fn from(error: pipeline::Error) -> Self {
        use pipeline::Error;
        let failure = Self::from_error(&error);
        match error {
            Error::Invalid(invalid) => failure.diagnostics(invalid.0),
            Error::Unresolved(unresolved) => failure.diagnostics(unresolved.0),
            Error::Load(LoadError::NotFound(_)) => {
                failure.help("`flyte init` writes one; `-C DIR` or `--manifest FILE` names another place")
            }
            Error::Rpc(rpc) => match &rpc.help {
                Some(help) => failure.help(help),
                None => failure.help_if(after_rpc(&rpc)),
            },
            Error::NoSuchApp { suggestion, .. } => failure.help(match suggestion {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`flyte status` lists the apps".into(),
            }),
            Error::NotDeployed { .. } => failure.help("`flyte apply` deploys it"),
            Error::Refused(refused) => {
                let told = refused.apps.iter().flat_map(|(name, notes)| {
                    notes.iter().map(move |note| format!("`{name}`: {}", report::note(note)))
                });
                let told = told.collect::<Vec<_>>().join("\n");
                let failure = if told.is_empty() { failure } else { failure.help(told) };
                failure.diagnostics(refused.mistakes)
            }
            Error::PlanFile(_) => failure.help(
                "`flyte plan --out FILE` writes one; `flyte explain plan::unusable_plan_file` tells more, and `flyte \
                 deploy PATH` applies the manifest in PATH",
            ),
            Error::Stale(stale) => failure.stale(&stale),
            Error::Store(error) => failure.help_if(error.help.as_deref()),
            Error::Rollback(error) => failure.help(after_rollback(&error)),
            Error::Bundle(error @ BundleError::Read { .. }) if error.help().is_some() => failure.help_if(error.help()),
            Error::Bundle(_) => failure.help("`flyte explain app.source` tells what is packed"),
            Error::Load(LoadError::Read { source, .. }) => failure.help_if(FileFault::help(&source)),
            Error::NotOffline { .. } => failure.help(
                "`flyte plan` without --offline reads them; only records in a directory of the tree, which can be \
                 committed, can be read offline",
            ),
            Error::KeepDrift(error) => failure.help(after_keep(&error)),
            Error::Lower(_) | Error::Name { .. } => failure,
        }
    }
}

impl From<import::Error> for Failure {
    fn from(error: import::Error) -> Self {
        match error {
            import::Error::Invalid(invalid) => pipeline::Error::from(invalid).into(),
            import::Error::Load(error) => pipeline::Error::from(error).into(),
            import::Error::Lower(error) => pipeline::Error::from(error).into(),
            import::Error::Twice(_) => {
                Self::from_error(&error).help("two environments of one name cannot both be deployed")
            }
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        pipeline::Error::from(refused).into()
    }
}

impl From<Arc<AuthError>> for Failure {
    fn from(error: Arc<AuthError>) -> Self {
        Self::from_error(error.as_ref()).help(error.help())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Self::from_error(&error);
        match error {
            ClientError::Auth(error) => failure.help(error.help()),
            _ => failure,
        }
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        pipeline::Error::from(error).into()
    }
}

/// What to do where a release cannot be brought back.
fn after_rollback(error: &RollbackError) -> String {
    let known = |app: &AppName, list: &[String]| match list {
        [] => format!("`flyte versions {app}` lists what is on record"),
        list => format!("on record are {}", list.iter().map(|mark| format!("`{mark}`")).collect::<Vec<_>>().join(", ")),
    };
    match error {
        RollbackError::NoSuchRelease(NoSuchRelease::Version { app, version, known: list }) => {
            match did_you_mean(version, list.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => known(app, list),
            }
        }
        RollbackError::NoSuchRelease(NoSuchRelease::Ambiguous { app, .. }) => {
            format!("write more of its digits; `flyte versions {app}` lists what is on record")
        }
        RollbackError::NoSuchRelease(NoSuchRelease::Nothing { app } | NoSuchRelease::NothingBefore { app }) => format!(
            "`flyte history {app}` tells what is known; `flyte rollback {app} --from-git REV` takes manifest and sources \
             of a commit"
        ),
        RollbackError::Unreadable { .. } => {
            "bring the record back as it was (`git checkout` where the store is committed), or roll back to another \
             version with `--to`"
                .to_owned()
        }
        RollbackError::NotRestored { app, .. } => format!(
            "what may be a credential is not on record: set it in the manifest to what it was, or `flyte rollback {app} \
             --from-git REV`; values in `secrets` need none of this"
        ),
        RollbackError::CodeGone { app, commit, .. } => {
            let commit = commit.as_deref().unwrap_or("REV");
            format!("`flyte rollback {app} --from-git {commit}` packs it anew")
        }
        RollbackError::NeededUnknown { app, needed, .. } => format!(
            "without `--with-dependencies`, `{app}` comes back alone; `flyte versions {needed}` lists what is on record, \
             and `flyte rollback {app} --from-git REV` takes manifest and sources of a commit"
        ),
        RollbackError::NeededGone { needed, on_record: true, .. } => {
            format!("`--with-dependencies` brings `{needed}` back too, as it was then")
        }
        RollbackError::NeededGone { app, needed, on_record: false, .. } => format!(
            "deploy `{needed}` first, or roll back to another version with `--to`: `flyte versions {app}` lists what is on \
             record"
        ),
        RollbackError::ImageGone { app, .. } => format!(
            "push it to its registry again, or roll back to another version with `--to`: `flyte versions {app}` lists \
             what is on record"
        ),
    }
}

/// What to leave to others instead.
fn after_keep(error: &KeepError) -> String {
    let near = |near: &Option<String>| near.as_ref().map(|near| format!("did you mean `{near}`?"));
    match error {
        KeepError::Form { .. } => "name an app and a key of it: `--keep-drift backend.scaling.replicas.max`".into(),
        KeepError::NoSuchApp { suggestion, .. } => {
            near(suggestion).unwrap_or_else(|| "`flyte status` lists the apps".into())
        }
        KeepError::NoSuchField { suggestion: Some(suggestion), .. } => format!("did you mean `{suggestion}`?"),
        KeepError::NoSuchField { differing, .. } if differing.is_empty() => "none of its fields differs".into(),
        KeepError::NoSuchField { differing, .. } => format!("these differ: {}", differing.join(", ")),
        KeepError::Code { .. } => "`code_bundle` declares code that is stored already".into(),
        KeepError::Inseparable { .. } => "name the whole table around it, or declare what runs".into(),
    }
}

/// What to do about a control plane that does not do what it was asked.
fn after_rpc(error: &RpcError) -> Option<&'static str> {
    match error.code {
        RpcCode::Unauthenticated => Some(
            "this control plane asks for credentials, and the target has none: give it a `[target.NAME.auth]` table, in CI \
             set FLYTE_API_KEY, or use the embedded one with `--target local`",
        ),
        RpcCode::PermissionDenied => Some("ask whoever runs the control plane for access to this project and domain"),
        RpcCode::Unavailable => Some(
            "is it running, and is the address right? `flyte config show` prints the target, `flyte local status` tells \
             of the embedded control plane",
        ),
        RpcCode::DeadlineExceeded => {
            Some("is it overloaded, or the network slow? `--timeout 1m` (FLYTE_TIMEOUT) gives it longer")
        }
        _ => None,
    }
}
