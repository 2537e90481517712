//! `flyte rollback`: bring a release of before back whole.

use std::sync::Arc;

use super::apply::{self, Manner};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::host::CommitFiles;
use crate::pipeline::{self, Rollback};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app
    #[arg(value_name = "APP")]
    app: String,

    /// The version, by its label or the first digits of its digest [default: the one that ran before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,

    /// Bring back what it depends on too, as it was when that version was applied
    #[arg(long)]
    with_dependencies: bool,

    /// Take manifest and sources from this commit, and apply them to the app and what it depends on; nothing of the
    /// work tree is touched
    #[arg(long, value_name = "REV", conflicts_with_all = ["to", "with_dependencies"])]
    from_git: Option<String>,

    /// Show changed code line by line; code that runs and is not on this machine is fetched
    #[arg(long)]
    diff: bool,

    #[command(flatten)]
    manner: Manner,
}

/// # Errors
/// As `flyte apply`; nothing is on record to go back to, its code is gone, git has no such commit.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    match &args.from_git {
        Some(revision) => from_git(context, args, revision),
        None => from_record(context, args),
    }
}

const QUESTION: &str = "Roll back?";

fn from_record(context: &Context, args: &Args) -> Result<Answer> {
    let mut request = context.request(&[])?;
    request.code_text = args.diff;
    let (ports, progress) = apply::ports(context)?;
    let what = Rollback { app: args.app.clone(), to: args.to.clone(), with_dependencies: args.with_dependencies };
    context.wait(async {
        let planned = pipeline::rollback(&ports, &request, &what).await?;
        apply::carry_out(context, &ports, &progress, planned, &args.manner, QUESTION).await
    })
}

fn from_git(context: &Context, args: &Args, revision: &str) -> Result<Answer> {
    let mut request = context.request(std::slice::from_ref(&args.app))?;
    request.code_text = args.diff;
    let (mut ports, progress) = apply::ports(context)?;
    let files = CommitFiles::open(&request.manifest, revision, context.files()).map_err(|error| {
        Failure::from_error(&error).help("`git log` lists commits; a branch, a tag or the beginning of an id will do")
    })?;
    ports.files = Arc::new(files);
    context.wait(async {
        let planned = pipeline::plan(&ports, &request).await?;
        apply::carry_out(context, &ports, &progress, planned, &args.manner, QUESTION).await
    })
}
