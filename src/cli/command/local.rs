//! `flyte local`: the embedded control plane of this machine, its state and its secrets.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde_json::json;
use tokio::sync::oneshot;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::{consent, directories};
use crate::client::Client;
use crate::model::Scope;
use crate::model::target::Connection;
use crate::report::Table;
use crate::server::daemon::{self, DaemonError, Running, ServerConfig};
use crate::server::state::Profile;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start it, unless it runs; `flyte apply` does so by itself
    Start(Start),
    /// Stop it and the apps it runs; they come back when it is started again
    Stop,
    /// Whether it runs, where, and what it keeps
    Status,
    /// Stop it and delete everything it keeps: apps, revisions, bundles, secrets, logs
    Reset(Reset),
    /// Values that apps get without them being in a manifest
    Secret(Secret),
    /// Run it in the foreground
    #[command(hide = true)]
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Start {
    /// How it behaves: as the interface means it (full), or as the open-source server does (oss)
    // A `--profile` of the manifest means nothing here: the name is free. It must be the same type.
    #[arg(long, value_name = "NAME", value_parser = ["full", "oss"])]
    profile: Option<String>,

    /// The port of its services [default: the one it had last, 8090, or any that is free]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    start: Start,

    /// The state directory
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Leave the session of the terminal
    #[arg(long)]
    detach: bool,

    /// Note every request to the services in this file, one line each
    #[arg(long, env = "FLYTE_LOCAL_RPC_LOG", value_name = "FILE")]
    rpc_log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Reset {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
struct Secret {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SecretCommand {
    /// Set a secret; its value is read from stdin, less one newline at the end
    Set(Set),
    /// List the names of secrets
    List,
}

#[derive(Debug, clap::Args)]
struct Set {
    name: String,

    /// Read the value from this file, as it is
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    value_file: Option<PathBuf>,
}

impl Args {
    /// The name under which a JSON document presents itself.
    pub fn name(&self) -> &'static str {
        match &self.command {
            Command::Start(_) => "local start",
            Command::Stop => "local stop",
            Command::Status => "local status",
            Command::Reset(_) => "local reset",
            Command::Secret(Secret { command: SecretCommand::Set(_) }) => "local secret set",
            Command::Secret(Secret { command: SecretCommand::List }) => "local secret list",
            Command::Serve(_) => "local serve",
        }
    }
}

/// # Errors
/// The control plane cannot be started, stopped or asked.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let state = directories::state()?;
    match &args.command {
        Command::Start(start) => context.wait(begin(&state, start)),
        Command::Stop => context.wait(stop(&state)),
        Command::Status => context.wait(status(&state)),
        Command::Reset(flags) => reset(context, &state, flags),
        Command::Secret(Secret { command }) => context.wait(secret(context, &state, command)),
        Command::Serve(settings) => context.wait(serve(context, &state, settings)),
    }
}

impl Start {
    fn profile(&self) -> Option<Profile> {
        self.profile.as_deref().and_then(|name| name.parse().ok())
    }
}

async fn begin(state: &Path, start: &Start) -> Result<Answer> {
    let before = daemon::locate(state).await;
    let running = daemon::start_detached(&env::current_exe()?, state, start.profile(), start.port).await?;
    // 0 is whichever is free.
    let asked = start.port.filter(|port| *port != 0);
    if let Some(port) = asked.filter(|port| !running.endpoint.ends_with(&format!(":{port}"))) {
        return Err(Failure::new(format!("it runs already at {}, not at port {port}", running.endpoint))
            .help("`flyte local stop` first"));
    }
    let verb = if before.is_some() { "runs already" } else { "runs" };
    Ok(told(format!("the embedded control plane {verb} at {}\n", running.endpoint), state, Some(&running)))
}

async fn stop(state: &Path) -> Result<Answer> {
    let was_running = daemon::stop(state).await?;
    let text = if was_running { "stopped the embedded control plane and its apps\n" } else { NOT_RUNNING };
    Ok(told(text.to_owned(), state, None))
}

const NOT_RUNNING: &str = "the embedded control plane does not run\n";

async fn status(state: &Path) -> Result<Answer> {
    let running = daemon::locate(state).await;
    let text = match &running {
        Some(running) => format!(
            "the embedded control plane runs at {}\n  profile  {}\n  process  {}\n  since    {}\n  version  {}\n  state    {}\n",
            running.endpoint,
            running.profile,
            running.pid,
            running.started.strftime("%F %T UTC"),
            running.version,
            state.display()
        ),
        None => format!(
            "{NOT_RUNNING}  state    {}\n\n`flyte local start` starts it, and so does `flyte apply`\n",
            state.display()
        ),
    };
    Ok(told(text, state, running.as_ref()))
}

fn told(text: String, state: &Path, running: Option<&Running>) -> Answer {
    let answer = Answer::text(text).with("running", running.is_some()).with("state_directory", state);
    match running {
        Some(running) => answer
            .with("endpoint", &running.endpoint)
            .with("profile", running.profile)
            .with("pid", running.pid)
            .with("started", running.started),
        None => answer,
    }
}

fn reset(context: &Context, state: &Path, flags: &Reset) -> Result<Answer> {
    if !state.exists() {
        return Ok(told("there is nothing to delete\n".into(), state, None));
    }
    if !flags.yes {
        let question = format!("Delete all apps, revisions, secrets and logs in {}?", state.display());
        consent::ask(&context.terminal, &question)?;
    }
    context.wait(async { Ok(daemon::reset(state).await?) })?;
    Ok(told(format!("deleted what was in {}\n", state.display()), state, None))
}

async fn secret(context: &Context, state: &Path, command: &SecretCommand) -> Result<Answer> {
    let scope = Scope {
        org: String::new(),
        project: context.global.project.clone().unwrap_or_default(),
        domain: context.global.domain.clone().unwrap_or_default(),
    };
    if scope.domain.is_empty() && !scope.project.is_empty() {
        return Err(Failure::new("a secret of a project is also one of a domain").help("add `--domain NAME`"));
    }
    let value = match command {
        SecretCommand::Set(set) => Some((&set.name, value(set)?)),
        SecretCommand::List => None,
    };
    let running = daemon::start_detached(&env::current_exe()?, state, None, None).await?;
    let connection = Connection::open(running.endpoint, true);
    let client = Client::within(&connection, context.timeouts()).map_err(|error| Failure::from_error(&error))?;
    if let Some((name, value)) = value {
        client.set_secret(&scope, name, &value).await?;
        let text = format!("set {name} for {}\n", whom(&scope));
        return Ok(Answer::text(text).with("name", name).with("scope", &scope));
    }
    let names = client.list_secrets(&scope).await?;
    let mut table = Table::new(&["NAME", "FOR"]);
    for secret in &names {
        table.row(vec![secret.name.clone(), whom(&secret.scope)]);
    }
    let text = if names.is_empty() { format!("no secrets for {}\n", whom(&scope)) } else { table.render() };
    let list: Vec<_> = names.iter().map(|secret| json!({ "name": secret.name, "scope": secret.scope })).collect();
    Ok(Answer::text(text).with("secrets", list))
}

fn whom(scope: &Scope) -> String {
    match (scope.project.as_str(), scope.domain.as_str()) {
        ("", "") => "all projects".into(),
        ("", domain) => format!("all projects in {domain}"),
        (project, domain) => format!("{project}/{domain}"),
    }
}

/// The value, never from the command line: others can read that.
fn value(set: &Set) -> Result<String> {
    if let Some(file) = &set.value_file {
        return fs::read_to_string(file)
            .map_err(|error| Failure::from(error).while_doing(format!("cannot read {}", file.display())));
    }
    if io::stdin().is_terminal() {
        return Err(Failure::new("the value is read from stdin, and what is typed here would be seen")
            .help(format!("`flyte local secret set {} < FILE`, or `--value-file FILE`", set.name)));
    }
    let mut value = String::new();
    io::stdin().read_to_string(&mut value)?;
    if value.ends_with('\n') {
        value.pop();
    }
    if value.is_empty() {
        return Err(Failure::new(format!("there is no value for {} on stdin", set.name)).help(format!(
            "`flyte local secret set {} < FILE`; an empty file after `--value-file` sets an empty value",
            set.name
        )));
    }
    Ok(value)
}

async fn serve(context: &Context, state: &Path, settings: &Serve) -> Result<Answer> {
    let config = ServerConfig {
        directory: settings.directory.clone().unwrap_or_else(|| state.to_owned()),
        port: settings.start.port,
        profile: settings.start.profile(),
        detach: settings.detach,
        journal: settings.rpc_log.clone(),
    };
    let (ready, hears) = oneshot::channel::<Running>();
    let announced = async {
        if let Ok(running) = hears.await {
            context.terminal.note(&format!("the embedded control plane runs at {}\n", running.endpoint));
        }
    };
    let (ended, ()) = tokio::join!(daemon::run(config, ready), announced);
    ended?;
    Ok(Answer::nothing_more())
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        let failure = Self::from_error(&error);
        match error {
            DaemonError::OtherProfile { .. } => failure.help("`flyte local stop` first: then it can start anew"),
            DaemonError::PortTaken(_) => failure.help("`--port` names another; without it, a free one is found"),
            DaemonError::AlreadyRuns(_) => failure.help("`flyte local status` tells where"),
            DaemonError::DoesNotAnswer(_) | DaemonError::DidNotEnd { .. } => {
                failure.help("`flyte local status` names the process, if it must be killed")
            }
            _ => failure,
        }
    }
}
