//! `flyte deploy`: apply of a manifest or directory, as those who know the SDK type it.

use std::path::PathBuf;

use super::apply::{self, Manner};
use super::plan::PolicyFlags;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flyte.toml, or a directory that has one
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,

    /// Only these apps and what they depend on
    #[arg(value_name = "APP")]
    apps: Vec<String>,

    #[command(flatten)]
    policy: PolicyFlags,

    #[command(flatten)]
    manner: Manner,
}

/// # Errors
/// As `flyte apply`; PATH is a Python file.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    if args.path.extension().is_some_and(|extension| extension == "py") {
        return Err(Failure::new(format!("{} is a Python file, not a manifest", args.path.display()))
            .help("`flyte init` writes a flyte.toml for its directory; then `flyte deploy DIRECTORY`"));
    }
    if context.global.manifest.is_some() {
        return Err(Failure::new("`deploy` takes the manifest as PATH, not as --manifest")
            .help("`flyte apply --manifest FILE` is the same"));
    }
    let mut request = context.request_for(&args.path, &args.apps)?;
    request.policy = args.policy.policy();
    request.label.clone_from(&args.policy.version);
    apply::deploy(context, &request, &args.manner)
}
