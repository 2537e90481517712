//! `flyte plan`: what apply would do. Writes nothing.

use std::path::PathBuf;

use crate::cli::answer::Answer;
use crate::cli::args::FormatFlag;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Result};
use crate::cli::github;
use crate::cli::plan_file;
use crate::pipeline::{self, Request};
use crate::plan::{Plan, Policy};
use crate::report;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit with 2 if there is something to do, with 0 if not
    #[arg(long)]
    detailed_exitcode: bool,

    /// Exit with 6 if something runs otherwise than we last wrote it; counts for more than --detailed-exitcode
    #[arg(long)]
    fail_on_drift: bool,

    /// Tell what changed since the last apply on record: no network, no credentials, and no word of what runs
    #[arg(long, conflicts_with_all = ["out", "fail_on_drift", "activate", "prune", "adopt"])]
    offline: bool,
    /// Show changed code line by line; old code that is not on this machine is fetched
    #[arg(long)]
    diff: bool,

    /// Save the plan to FILE, for `flyte apply FILE`, which runs exactly that or nothing
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    pub format: FormatFlag,
}

/// What plan and apply are narrowed to and allowed to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Scope {
    /// Only this app and what it depends on; repeatable
    #[arg(long = "app", value_name = "NAME")]
    pub apps: Vec<String>,

    #[command(flatten)]
    pub policy: PolicyFlags,
}

/// The flags behind [`Policy`] and the version's label.
#[derive(Debug, Clone, clap::Args)]
pub struct PolicyFlags {
    /// Start every app, as if all had activation = "auto"
    #[arg(long)]
    activate: bool,

    /// Delete our apps that are no longer declared; not where only some apps are named
    #[arg(long)]
    pub prune: bool,

    /// Take over apps of the same name that belong to nobody or to another manifest
    #[arg(long)]
    adopt: bool,

    /// A name for the versions of this run, such as v1.2.0
    #[arg(long, value_name = "LABEL")]
    pub version: Option<String>,

    /// Leave a field, or a table of fields, to others: it stays as it runs, whatever is declared; repeatable
    #[arg(long, value_name = "APP.FIELD")]
    pub keep_drift: Vec<String>,
}

impl PolicyFlags {
    /// What of them a request says.
    ///
    /// # Errors
    /// What is no longer declared cannot be among the apps that are named.
    pub fn put_into(&self, request: &mut Request) -> Result<()> {
        if self.prune && !request.selection.apps.is_empty() {
            let message = "`--prune` deletes whatever is no longer declared, and only some apps are named";
            let help = "`--prune` without names, or `flyte delete APP` for one of them";
            return Err(Failure::new(message).help(help));
        }
        request.policy = Policy { adopt: self.adopt, prune: self.prune, activate: self.activate };
        request.label.clone_from(&self.version);
        request.keep_drift.clone_from(&self.keep_drift);
        Ok(())
    }
}

/// # Errors
/// Whatever stops the pipeline before a plan is there, and a plan that apply would refuse.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let mut request = context.request(&args.scope.apps)?;
    args.scope.policy.put_into(&mut request)?;
    request.code_text = args.diff;
    let ports = context.ports()?;
    if args.offline {
        let plan = context.wait(async { Ok(pipeline::offline(&ports, &request).await?) })?;
        return Ok(answer(context, args, plan));
    }
    let planned = context.wait(async { Ok(pipeline::plan(&ports, &request).await?) })?;
    let saved = match &args.out {
        Some(file) if !planned.plan.is_refused() => Some(plan_file::save(&ports, &planned, file)?),
        _ => None,
    };
    let mut answer = answer(context, args, planned.plan);
    if let Some(file) = &args.out {
        answer.text.push_str(&match &saved {
            Some(_) => format!("Saved: `flyte apply {}` runs exactly this.\n", plan_file::typed(file)),
            None => "Not saved: a plan that is refused cannot be applied.\n".to_owned(),
        });
        answer = answer.with("saved", saved);
    }
    Ok(answer)
}

fn answer(context: &Context, args: &Args, plan: Plan) -> Answer {
    let exit = match () {
        () if plan.is_refused() => Exit::Error,
        () if args.fail_on_drift && plan.has_drift() => Exit::Drift,
        () if args.detailed_exitcode && !plan.is_empty() => Exit::ChangesPending,
        () => Exit::Success,
    };
    let mut answer = Answer::text(report::plan_text(&plan, context.paint())).document(report::plan_json(&plan));
    if context.terminal.github {
        answer = answer.page(report::github::plan_markdown(&plan));
        if plan.counts().refused > 0 {
            let apps = report::count(plan.counts().refused, "app");
            github::annotate_step(&context.terminal, "plan", &format!("{apps} refused: nothing can be applied"));
        }
    }
    answer.diagnostics(plan.diagnostics).exit(exit)
}
