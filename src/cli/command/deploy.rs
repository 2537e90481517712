//! `flyte deploy`: apply of a manifest or directory, as those who know the SDK type it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apply::{self, Manner};
use super::plan::PolicyFlags;
use crate::cli::answer::Answer;
use crate::cli::args::FormatFlag;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::place::place;
use crate::cli::python::{self, Declared, Source};
use crate::import::{Overlay, Unsaid};
use crate::pipeline;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flyte.toml, a directory that has one, or a Python file of the Flyte SDK
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,

    /// Only these apps and what they depend on; of a Python file also the variables that hold them
    #[arg(value_name = "APP")]
    apps: Vec<String>,

    #[command(flatten)]
    policy: PolicyFlags,

    #[command(flatten)]
    manner: Manner,

    #[command(flatten)]
    pub format: FormatFlag,
}

/// # Errors
/// As `flyte apply`; of a Python file also what `flyte import --python` refuses, and whatever of it a manifest cannot
/// say.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    if args.path.extension().is_some_and(|extension| extension == "py") {
        return deploy_python(context, args);
    }
    if context.global.manifest.is_some() {
        return Err(Failure::new("`deploy` takes the manifest as PATH, not as --manifest")
            .help("`flyte apply --manifest FILE` is the same"));
    }
    let mut request = context.request_for(&args.path, &args.apps)?;
    args.policy.put_into(&mut request)?;
    apply::deploy(context, &request, &args.manner)
}

/// As any other manifest, but one that is nowhere written down.
fn deploy_python(context: &Context, args: &Args) -> Result<Answer> {
    if args.policy.prune {
        return Err(Failure::new("`--prune` deletes what a manifest no longer declares, and a Python file is none")
            .help("`flyte delete APP` for one app, or `flyte import --python FILE --out flyte.toml` and `flyte apply --prune`"));
    }
    let place = place(context)?;
    let (mut ports, progress) = apply::ports(context)?;
    let source = Source { file: &args.path, variable: None, images: context.config()?.images };
    context.wait(async {
        let declared = python::declared(&context.files(), &source, None, &place).await?;
        let named = |app: &String| declared.loaded.by_variable(app).map_or_else(|| app.clone(), str::to_owned);
        let chosen = declared.chosen(&args.apps.iter().map(named).collect::<Vec<_>>());
        refuse_what_is_lost(&args.path, &declared, &chosen)?;
        for unsaid in declared.imported.unsaid.iter().filter(|unsaid| concerns(&unsaid.app, &chosen)) {
            context.terminal.note(&format!("`{}`: {}: {}\n", unsaid.app, unsaid.path, unsaid.why));
        }
        // By name, so that what other files of this name declare is left alone.
        let apps: Vec<String> = chosen.into_iter().collect();
        let mut request = context.request_for(&args.path, &apps)?;
        request.manifest.clone_from(&declared.path);
        args.policy.put_into(&mut request)?;
        // The text says these.
        request.selection.target = None;
        ports.files = Arc::new(Overlay::new(ports.files.clone(), declared.path, declared.imported.text));
        let planned = pipeline::plan(&ports, &request).await?;
        apply::carry_out(context, &ports, &progress, planned, &args.manner, "Apply this plan?").await
    })
}

/// What runs must be what the file says.
fn refuse_what_is_lost(path: &Path, declared: &Declared, chosen: &BTreeSet<String>) -> Result<()> {
    let is_lost = |unsaid: &&Unsaid| unsaid.lost && concerns(&unsaid.app, chosen);
    let lost: Vec<String> = declared
        .imported
        .unsaid
        .iter()
        .filter(is_lost)
        .map(|unsaid| format!("`{}`: {}: {}", unsaid.app, unsaid.path, unsaid.why))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("flyte cannot deploy {} as the SDK would", path.display())).help(lost.join("\n")))
}

/// Whether it is of one of these apps, or of none at all.
fn concerns(app: &str, chosen: &BTreeSet<String>) -> bool {
    app.is_empty() || chosen.contains(app)
}
