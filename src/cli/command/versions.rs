//! `flyte versions`: what is on record of an app and what runs; `clean` removes what is old.

use serde_json::json;

use super::history::{by, commit, document, mark, when};
use crate::cli::answer::Answer;
use crate::cli::consent;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::pipeline::{self, Cleaning};
use crate::report::{Table, count};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// The app
    #[arg(value_name = "APP")]
    app: Option<String>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Remove old versions from the record, and their code from the embedded control plane
    Clean(Clean),
}

#[derive(Debug, clap::Args)]
struct Clean {
    /// Only this app
    #[arg(value_name = "APP")]
    app: Option<String>,

    /// How many versions of each app stay, besides what runs and what any of these depended on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    /// The name under which a JSON document presents itself.
    pub fn name(&self) -> &'static str {
        match &self.command {
            Some(Command::Clean(_)) => "versions clean",
            None => "versions",
        }
    }
}

/// # Errors
/// The manifest has mistakes, the store of releases or the control plane does not answer, there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    match (&args.command, &args.app) {
        (Some(Command::Clean(args)), _) => clean(context, args),
        (None, Some(app)) => list(context, app),
        (None, None) => Err(Failure::new("which app?").help("`flyte versions APP`; `flyte status` lists the apps")),
    }
}

fn list(context: &Context, app: &str) -> Result<Answer> {
    let request = context.request(&[])?;
    let ports = context.ports()?;
    let found = context.wait(async { Ok(pipeline::versions(&ports, &request, app).await?) })?;
    let mut table = Table::new(&["VERSION", "LAST APPLIED", "COMMIT", "WHO", ""]);
    for version in &found.versions {
        let runs = if found.runs(version) { "runs" } else { "" };
        table.row(vec![mark(version), when(version), commit(version), by(version), runs.to_owned()]);
    }
    let mut text = match found.versions.is_empty() {
        true => format!("no version of `{}` for this target is on record in {}\n", found.app, found.place),
        false => table.render(),
    };
    match &found.running {
        Some((running, _)) if !found.knows_running() => {
            text.push_str(&format!("\n{running} runs, and is not on record; `flyte apply` adds it\n"));
        }
        Some(_) => {}
        None => text.push_str("\nno version of this manifest runs\n"),
    }
    let versions: Vec<_> = found
        .versions
        .iter()
        .map(|version| {
            let mut value = document(version);
            value["runs"] = found.runs(version).into();
            value
        })
        .collect();
    let running = found.running.as_ref().map(|(mark, digest)| json!({ "version": mark, "digest": digest }));
    let answer = Answer::text(text).with("app", &found.app).with("store", &found.place).with("running", running);
    Ok(answer.with("versions", versions).diagnostics(found.diagnostics))
}

fn clean(context: &Context, args: &Clean) -> Result<Answer> {
    let request = context.request(&[])?;
    let ports = context.ports()?;
    let keep = usize::from(args.keep);
    let cleaning = context.wait(async { Ok(pipeline::clean(&ports, &request, args.app.as_deref(), keep).await?) })?;
    let diagnostics = cleaning.diagnostics.clone();
    let answer = |text: String, done: bool| {
        let versions: Vec<_> =
            cleaning.versions.iter().map(|(app, mark)| json!({ "app": app, "version": mark })).collect();
        let answer = Answer::text(text).with("store", &cleaning.place).with("removed", done);
        answer
            .with("versions", versions)
            .with("objects", cleaning.objects())
            .with("bundles", &cleaning.bundles)
            .diagnostics(diagnostics)
    };
    if cleaning.is_empty() {
        return Ok(answer("there is nothing to remove\n".to_owned(), false));
    }
    if args.dry_run {
        return Ok(answer(format!("would remove {}\n", told(&cleaning)), false));
    }
    if !args.yes {
        consent::ask(&context.terminal, &format!("Remove {}?", told(&cleaning)))?;
    }
    context.wait(async { Ok(pipeline::remove(&ports, &cleaning).await?) })?;
    Ok(answer(format!("removed {}\n", told(&cleaning)), true))
}

fn told(cleaning: &Cleaning) -> String {
    let mut by_app: Vec<(String, Vec<&str>)> = Vec::new();
    for (app, mark) in &cleaning.versions {
        match by_app.last_mut().filter(|(last, _)| last == app.as_str()) {
            Some((_, marks)) => marks.push(mark),
            None => by_app.push((app.to_string(), vec![mark])),
        }
    }
    let mut text = format!("{} from {}", count(cleaning.versions.len(), "version"), cleaning.place);
    if !cleaning.bundles.is_empty() {
        text.push_str(&format!(", and {} of code", count(cleaning.bundles.len(), "bundle")));
    }
    for (app, marks) in by_app {
        text.push_str(&format!("\n  {app}: {}", marks.join(", ")));
    }
    text
}
