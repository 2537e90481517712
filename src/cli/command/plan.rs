//! `flyte plan`: what apply would do. Writes nothing.

use std::path::PathBuf;

use crate::cli::answer::Answer;
use crate::cli::args::FormatFlag;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Result;
use crate::cli::github;
use crate::cli::plan_file;
use crate::pipeline;
use crate::plan::Policy;
use crate::report;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit with 2 if there is something to do, with 0 if not
    #[arg(long)]
    detailed_exitcode: bool,

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

    /// Delete our apps that are no longer declared
    #[arg(long)]
    prune: bool,

    /// Take over apps of the same name that belong to nobody or to another manifest
    #[arg(long)]
    adopt: bool,

    /// A name for the versions of this run, such as v1.2.0
    #[arg(long, value_name = "LABEL")]
    pub version: Option<String>,
}

impl PolicyFlags {
    pub fn policy(&self) -> Policy {
        Policy { adopt: self.adopt, prune: self.prune, activate: self.activate }
    }
}

/// # Errors
/// Whatever stops the pipeline before a plan is there, and a plan that apply would refuse.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let mut request = context.request(&args.scope.apps)?;
    request.policy = args.scope.policy.policy();
    request.label.clone_from(&args.scope.policy.version);
    request.code_text = args.diff;
    let ports = context.ports()?;
    let planned = context.wait(async { Ok(pipeline::plan(&ports, &request).await?) })?;
    let saved = match &args.out {
        Some(file) if !planned.plan.is_refused() => Some(plan_file::save(&ports, &planned, file)?),
        _ => None,
    };
    let plan = planned.plan;
    let exit = match () {
        () if plan.is_refused() => Exit::Error,
        () if args.detailed_exitcode && !plan.is_empty() => Exit::ChangesPending,
        () => Exit::Success,
    };
    let mut text = report::plan_text(&plan, context.paint());
    if let Some(file) = &args.out {
        text.push_str(&match &saved {
            Some(_) => format!("Saved: `flyte apply {}` runs exactly this.\n", plan_file::typed(file)),
            None => "Not saved: a plan that is refused cannot be applied.\n".to_owned(),
        });
    }
    let mut answer = Answer::text(text).document(report::plan_json(&plan));
    if context.terminal.github {
        answer = answer.page(report::github::plan_markdown(&plan));
        if plan.counts().refused > 0 {
            let apps = report::count(plan.counts().refused, "app");
            context.terminal.complain(&github::of_step("plan", &format!("{apps} refused: nothing can be applied")));
        }
    }
    if args.out.is_some() {
        answer = answer.with("saved", saved);
    }
    Ok(answer.diagnostics(plan.diagnostics).exit(exit))
}
