//! `flyte explain`: the manual of a manifest key, or the page behind the code of a finding.

use crate::cli::answer::Answer;
use crate::cli::failure::{Failure, Result};
use crate::diagnostic::{self, PAGES};
use crate::report::Paint;
use crate::schema::docs;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A key such as `app.scaling.replicas`, or a code such as `flyte::manifest::unknown_key`
    #[arg(value_name = "KEY|CODE")]
    subject: String,
}

/// # Errors
/// There is no such key or code.
pub fn run(args: &Args, paint: Paint) -> Result<Answer> {
    let subject = args.subject.trim();
    let answer = |text: String| {
        Answer::text(text.clone())
            .with("subject", subject)
            .with("text", anstream::adapter::strip_str(&text).to_string())
    };
    if let Some(page) = diagnostic::page(subject) {
        let head = format!("{}  {}", paint.bold(format!("flyte::{}", page.code)), page.title);
        return Ok(answer(format!("{head}\n\n{}\n", page.text.trim())));
    }
    if let Some(text) = docs::explain(subject) {
        return Ok(answer(text));
    }
    let failure = Failure::new(format!("`{subject}` is neither a manifest key nor the code of a finding"));
    Err(match nearest(subject) {
        Some(near) => failure.help(format!("did you mean `flyte explain {near}`?")),
        None => {
            failure.help("keys are written as in `app.scaling.replicas`, codes as in `flyte::manifest::unknown_key`")
        }
    })
}

/// The code that looks most like `subject`.
fn nearest(subject: &str) -> Option<String> {
    let subject = subject.trim_start_matches("flyte::");
    let scored = PAGES.iter().map(|page| (strsim::jaro_winkler(page.code.0, subject), page.code));
    let (score, code) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score > 0.85).then(|| format!("flyte::{code}"))
}
