//! What can be typed: the global flags and the list of commands. Each command's own flags are in its file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::command::{
    activate, apply, auth, bundle, completions, config, delete, deploy, explain, graph, history, import, init, local,
    logs, man, plan, render, rollback, schema, status, validate, versions,
};
use super::exit;
use crate::manifest::format::duration;

/// Declares apps and their dependencies in flyte.toml, shows what would change, and applies it in order.
#[derive(Debug, Parser)]
#[command(
    name = "flyte",
    version,
    about = "Declarative deployment of apps on Flyte 2",
    after_help = "Start with `flyte init`, then `flyte plan` and `flyte apply`. `flyte explain KEY` is the manual of flyte.toml.",
    after_long_help = exit::HELP,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Work as if started in this directory
    #[arg(short = 'C', global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: Option<PathBuf>,

    /// The manifest [default: flyte.toml here or in the nearest directory above]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// The control plane: `local`, `config` (the one of the Flyte SDK's configuration), or a `[target.NAME]` of the
    /// manifest
    #[arg(long, global = true, value_name = "NAME")]
    pub target: Option<String>,

    /// A control plane at this address, in place of --target: `dns:///host`, `https://host`, `http://host:port`
    #[arg(long, global = true, value_name = "URL", conflicts_with = "target")]
    pub endpoint: Option<String>,

    /// Speak plain HTTP to the control plane, and send it no credentials
    #[arg(long, global = true)]
    pub insecure: bool,

    /// The configuration file of the Flyte SDK [default: the one the SDK takes]
    #[arg(short, long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Apply a `[profile.NAME]` of the manifest
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// The project, in place of the manifest's
    #[arg(short, long, global = true, value_name = "NAME")]
    pub project: Option<String>,

    /// The domain, in place of the manifest's
    #[arg(short, long, global = true, value_name = "NAME")]
    pub domain: Option<String>,

    /// The organisation, in place of the manifest's
    #[arg(long, global = true, value_name = "NAME")]
    pub org: Option<String>,

    /// How long a call to the control plane may take, as `30s` or `2m` [default: 15s to read, 30s to write]
    #[arg(long, global = true, value_name = "TIME", env = "FLYTE_TIMEOUT", hide_env_values = true, value_parser = timeout)]
    pub timeout: Option<Duration>,

    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,

    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Log what is done to stderr; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text).map_err(|fault| format!("{}: {}", fault.label, fault.help))?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3600);
    if allowed.contains(&time) { Ok(time) } else { Err("between 100ms and 1h".to_owned()) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    // Comments of the doc kind would turn the help of every command into its long form.
    Github,
}

/// The flag behind [`Format`], of commands that CI runs.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatFlag {
    /// `json` is the same as --json; `github` is a page of markdown for a comment, added to the job's summary as well, with
    /// findings as annotations
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "json")]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a starter flyte.toml for this directory
    Init(init::Args),
    /// Check every manifest, offline
    Validate(validate::Args),
    /// Show what apply would do; writes nothing
    Plan(plan::Args),
    /// Make what runs equal to what is declared
    Apply(apply::Args),
    /// Apply the manifest or directory PATH, narrowed to some apps and what they depend on
    Deploy(deploy::Args),
    /// What is declared, what runs, and where it answers
    Status(status::Args),
    /// Start apps, dependencies first
    Activate(activate::Args),
    /// Stop apps, dependents first
    Deactivate(activate::Args),
    /// What was applied, activated, deleted and rolled back, by whom and when
    History(history::Args),
    /// Bring a release of before back whole: spec, code, image
    Rollback(rollback::Args),
    /// The versions of an app on record, and which runs
    Versions(versions::Args),
    /// Print the log of an app
    Logs(logs::Args),
    /// Delete apps, dependents first
    Delete(delete::Args),
    /// Print the messages that apply would send
    Render(render::Args),
    /// List the files that would be packed for an app
    Bundle(bundle::Args),
    /// Print the graph of dependencies
    Graph(graph::Args),
    /// The manual of a manifest key, or of the code of a finding
    Explain(explain::Args),
    /// Print the JSON Schema of flyte.toml, for editors
    Schema(schema::Args),
    /// Write a manifest from the live apps of a project and domain, or from a Python file
    Import(import::Args),
    /// Log in to the control plane, log out, who am I
    Auth(auth::Args),
    /// Effective settings and where they come from
    Config(config::Args),
    /// The embedded control plane of this machine
    Local(local::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Print or write the man pages
    Man(man::Args),
    /// Another program's command
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

impl Command {
    /// Whether it runs the embedded control plane in this process.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Local(args) if args.name() == "local serve")
    }

    /// How it is to print, where it says so itself.
    pub fn format(&self) -> Format {
        match self {
            Self::Validate(args) => args.format.format,
            Self::Plan(args) => args.format.format,
            Self::Apply(args) => args.format.format,
            Self::Deploy(args) => args.format.format,
            _ => Format::Text,
        }
    }

    /// The name under which a JSON document presents itself.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Validate(_) => "validate",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Deploy(_) => "deploy",
            Self::Status(_) => "status",
            Self::Activate(_) => "activate",
            Self::Deactivate(_) => "deactivate",
            Self::History(_) => "history",
            Self::Rollback(_) => "rollback",
            Self::Versions(args) => args.name(),
            Self::Logs(_) => "logs",
            Self::Delete(_) => "delete",
            Self::Render(_) => "render",
            Self::Bundle(_) => "bundle",
            Self::Graph(_) => "graph",
            Self::Explain(_) => "explain",
            Self::Schema(_) => "schema",
            Self::Import(_) => "import",
            Self::Auth(args) => args.name(),
            Self::Config(_) => "config show",
            Self::Local(args) => args.name(),
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::External(_) => "external",
        }
    }
}
