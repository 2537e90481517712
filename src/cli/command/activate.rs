//! `flyte activate` and `flyte deactivate`: start and stop apps by name, in the order of dependencies.

use std::num::NonZeroUsize;

use super::apply::{self, Manner};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::pipeline;
use crate::plan::Operation;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["apps", "all"])))]
pub struct Args {
    /// The apps
    #[arg(value_name = "APP")]
    apps: Vec<String>,

    /// Every declared app
    #[arg(long)]
    all: bool,

    /// How many apps are written or waited for at once
    #[arg(long, value_name = "N", default_value = "10")]
    parallelism: NonZeroUsize,
}

/// # Errors
/// As `flyte apply`; there is no such app.
pub fn run(context: &Context, args: &Args, operation: Operation) -> Result<Answer> {
    let manner = Manner { yes: true, parallelism: args.parallelism };
    operate(context, &args.apps, operation, &manner, "")
}

/// Plans an operation on apps by name, shows it, asks and runs it. No names: all declared apps.
///
/// # Errors
/// As `flyte apply`; there is no such app.
pub fn operate(
    context: &Context,
    apps: &[String],
    operation: Operation,
    manner: &Manner,
    question: &str,
) -> Result<Answer> {
    let request = context.request(&[])?;
    let (ports, progress) = apply::ports(context)?;
    context.wait(async {
        let planned = pipeline::operate(&ports, &request, operation, apps).await?;
        apply::carry_out(context, &ports, &progress, planned, manner, question).await
    })
}
