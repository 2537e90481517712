//! `flyte validate`: every mistake of every manifest, offline.

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::args::FormatFlag;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Result;
use crate::pipeline;
use crate::report;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub format: FormatFlag,
}

/// # Errors
/// There is no manifest. Mistakes are in the answer, whose exit code tells of them.
pub fn run(context: &Context, _: &Args) -> Result<Answer> {
    let request = context.request(&[])?;
    let found = pipeline::validate(&context.files(), &request)?;
    let (errors, warnings) = (found.errors(), found.warnings());
    // Texts that manifests name, of pods and the like, are checked with them.
    let manifests = found.sources.iter().filter(|(_, file)| file.name.extension().is_some_and(|end| end == "toml"));
    let texts: Vec<_> = manifests.map(|(_, file)| file.path.display().to_string()).collect();
    let summary = format!(
        "{} checked: {}, {}\n",
        report::count(texts.len(), "manifest"),
        report::count(errors, "mistake"),
        report::count(warnings, "warning")
    );
    let answer = Answer::text(summary).with("valid", errors == 0).with("manifests", texts);
    let answer = answer.with("counts", json!({ "errors": errors, "warnings": warnings }));
    let answer = answer.page(report::github::findings_markdown("validate", &found));
    Ok(answer.exit(if errors == 0 { Exit::Success } else { Exit::Error }).diagnostics(found))
}
