//! `flyte explain`: the manual of a manifest key, or the page behind the code of a finding.

use crate::cli::answer::Answer;
use crate::cli::failure::{Failure, Result};
use crate::diagnostic::{self, PAGES, Page, did_you_mean};
use crate::report::Paint;
use crate::schema::{Schema, docs};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A key such as `app.scaling.replicas`, or a code such as `flyte::manifest::unknown_key`, or its last word
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
    if let Some(page) = diagnostic::page(subject).or_else(|| by_last_word(subject)) {
        let head = format!("{}  {}", paint.bold(format!("flyte::{}", page.code)), page.title);
        return Ok(answer(format!("{head}\n\n{}\n", docs::reflow(page.text.trim()))));
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

/// The page of a code named without what leads to it: `cycle`.
fn by_last_word(subject: &str) -> Option<&'static Page> {
    let mut found = PAGES.iter().filter(|page| page.code.0.rsplit("::").next() == Some(subject));
    found.next().filter(|_| found.next().is_none())
}

/// The key or code that looks most like `subject`.
fn nearest(subject: &str) -> Option<String> {
    let paths = Schema::load().paths();
    // Inside an app, keys are found without what leads to them.
    let inside = paths.iter().filter_map(|path| path.strip_prefix("app."));
    if let Some(near) = did_you_mean(subject, paths.iter().map(String::as_str).chain(inside)) {
        return Some(near.to_owned());
    }
    let subject = subject.trim_start_matches("flyte::");
    let scored = PAGES.iter().map(|page| (strsim::jaro_winkler(page.code.0, subject), page.code));
    let (score, code) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score > 0.85).then(|| format!("flyte::{code}"))
}
