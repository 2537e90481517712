//! `flyte apply`: make what runs equal to what is declared.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::plan::Scope;
use crate::apply::{Interrupt, Options};
use crate::cli::answer::{Answer, findings};
use crate::cli::args::FormatFlag;
use crate::cli::context::{Context, environment};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Result};
use crate::cli::github;
use crate::cli::plan_file;
use crate::cli::progress::Progress;
use crate::cli::{actor, consent, interrupt};
use crate::diagnostic::Diagnostics;
use crate::pipeline::{self, Planned, Request};
use crate::plan::Consent;
use crate::port::Ports;
use crate::report::{self, Report};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A plan that `flyte plan --out` saved: exactly that is done, without asking, or nothing if it is stale
    #[arg(value_name = "PLAN", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["apps", "activate", "prune", "adopt", "version", "keep_drift"])]
    plan: Option<PathBuf>,

    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    manner: Manner,

    #[command(flatten)]
    pub format: FormatFlag,
}

/// How something is done, whatever it is.
#[derive(Debug, Clone, clap::Args)]
pub struct Manner {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// How many apps are written or waited for at once
    #[arg(long, value_name = "N", default_value = "10")]
    pub parallelism: NonZeroUsize,
}

/// # Errors
/// Whatever happens before the first write. What happens later is in the answer, and in its exit code.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    if let Some(file) = &args.plan {
        return saved(context, file, &args.manner);
    }
    let mut request = context.request(&args.scope.apps)?;
    args.scope.policy.put_into(&mut request)?;
    deploy(context, &request, &args.manner)
}

/// Applies a saved plan. Saving it for that was the consent.
fn saved(context: &Context, file: &Path, manner: &Manner) -> Result<Answer> {
    let text = plan_file::read(file)?;
    let request = context.request(&[])?;
    let manner = Manner { yes: true, ..manner.clone() };
    let (ports, progress) = ports(context)?;
    context.wait(async {
        let planned = pipeline::restore(&ports, &request, &text).await;
        let planned = planned.map_err(|error| match error {
            pipeline::Error::PlanFile(_) => {
                Failure::from(error).while_doing(format!("cannot apply {}", file.display()))
            }
            error => error.into(),
        })?;
        carry_out(context, &ports, &progress, planned, &manner, "").await
    })
}

/// Plans, shows, asks and applies.
///
/// # Errors
/// Whatever happens before the first write.
pub fn deploy(context: &Context, request: &Request, manner: &Manner) -> Result<Answer> {
    let (ports, progress) = ports(context)?;
    context.wait(async {
        let planned = pipeline::plan(&ports, request).await?;
        carry_out(context, &ports, &progress, planned, manner, "Apply this plan?").await
    })
}

/// The ports of a command that writes, and what listens to it.
///
/// # Errors
/// There is no place for state or cache.
pub fn ports(context: &Context) -> Result<(Ports, Arc<Progress>)> {
    let progress = Arc::new(Progress::new(context.terminal));
    Ok((context.ports_with(progress.clone())?, progress))
}

/// Shows a plan, asks for consent unless it is given, runs it, and tells what happened.
///
/// # Errors
/// The plan is refused, or not agreed to.
pub async fn carry_out(
    context: &Context,
    ports: &Ports,
    progress: &Progress,
    planned: Planned,
    manner: &Manner,
    question: &str,
) -> Result<Answer> {
    let terminal = &context.terminal;
    let text = report::plan_text(&planned.plan, context.paint());
    if planned.plan.steps.is_empty() && planned.plan.is_empty() {
        let report = planned.approve(Consent::given())?.nothing_done();
        let answer = Answer::text(text).document(report::outcome_json(&report));
        let answer = answer.page(report::github::plan_markdown(&report.plan));
        return Ok(answer.diagnostics(report.plan.diagnostics));
    }
    let needs_consent = !planned.plan.is_refused() && !planned.plan.is_empty();
    let asks = needs_consent && !manner.yes && terminal.is_interactive();
    if terminal.github {
        terminal.complain(&findings(terminal, &planned.plan.diagnostics));
        github::annotate(terminal, &planned.plan.diagnostics);
        // The page is for others; who is asked sees what for.
        if asks {
            terminal.complain(&text);
        }
    } else if !terminal.json && (asks || !terminal.quiet) {
        terminal.complain(&findings(terminal, &planned.plan.diagnostics));
        terminal.result(&text)?;
        if terminal.is_live() {
            terminal.note("\n");
        }
    }
    if needs_consent && !manner.yes {
        consent::ask(terminal, question)?;
    }
    let shown = !terminal.json && !terminal.quiet;
    let approved = planned.approve(Consent::given()).map_err(|refused| {
        let failure = Failure::from(refused);
        if shown { failure.diagnostics(Diagnostics::default()) } else { failure }
    })?;
    progress.expect(approved.plan().apps.iter().map(|app| &app.name));
    let interrupt = Interrupt::default();
    let _listening = interrupt::listen(interrupt.clone(), ports.events.clone());
    let options = Options { parallelism: manner.parallelism.get(), interrupt, by: actor::of(&environment()) };
    let report = pipeline::apply(ports, &approved, &options).await?;
    progress.finish();
    if terminal.github && !report.outcome.is_success() {
        github::annotate_step(terminal, "apply", &report::github::failures(&report));
    }
    let text = format!("\n{}", report::outcome_text(&report, context.paint()));
    let answer = Answer::text(text).document(report::outcome_json(&report)).exit(exit(&report));
    Ok(answer.page(report::github::outcome_markdown(&report)))
}

/// What the caller is told. An interrupted run is told as such whatever else happened.
fn exit(report: &Report) -> Exit {
    let outcome = &report.outcome;
    match () {
        () if outcome.is_success() => Exit::Success,
        () if outcome.was_interrupted() => Exit::Interrupted,
        () if outcome.is_stale() => Exit::StalePlan,
        () if outcome.only_gates_failed() => Exit::NotReady,
        // Somebody waited in vain for an app that was written before, and did not get further.
        () if outcome.wrote_nothing() && !outcome.has_failed_gate() => Exit::Error,
        () => Exit::PartlyApplied,
    }
}
