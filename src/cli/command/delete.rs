//! `flyte delete`: delete apps by name, dependents first.

use super::activate::operate;
use super::apply::Manner;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::plan::Operation;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The apps
    #[arg(value_name = "APP", required = true)]
    apps: Vec<String>,

    #[command(flatten)]
    manner: Manner,
}

/// # Errors
/// As `flyte apply`; there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    operate(context, &args.apps, Operation::Delete, &args.manner, "Delete them?")
}
