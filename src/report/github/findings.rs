//! Findings and failures as a page.

use super::escape::{code, fence, fenced_line, words};
use super::page::{Page, clip};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::report::words::count;

/// What all findings may take beside other things.
const MOST: usize = 6_000;
/// What one part of a finding may take.
const PART: usize = 300;
/// What is kept for the line that tells what is left out.
const LAST: usize = 200;
/// What the causes of a failure may take.
const CAUSES: usize = 20_000;

/// The findings about manifests, of at most [`super::LIMIT`] units.
pub fn findings_markdown(command: &str, diagnostics: &Diagnostics) -> String {
    let mut page = Page::new();
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    page.push(&format!("## flyte {command}: {}, {}\n\n", count(errors, "mistake"), count(warnings, "warning")), 0);
    list(&mut page, diagnostics, super::LIMIT, 0);
    page.into_text()
}

/// What stopped a command, of at most [`super::LIMIT`] units.
pub fn failure_markdown(command: &str, chain: &[String], help: Option<&str>, diagnostics: &Diagnostics) -> String {
    let mut page = Page::new();
    page.push(&format!("## flyte {command}: failed\n\n"), 0);
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    let help = help.map(|help| format!("help: {help}"));
    let all: Vec<&str> = chain.iter().chain(&help).flat_map(|text| text.lines()).collect();
    for (at, line) in all.iter().enumerate() {
        let line = fenced_line(&clip(line, 4 * PART));
        used += super::units(&line) + 1;
        if used > CAUSES {
            lines.push(format!("and {} more", count(all.len() - at, "line")));
            break;
        }
        lines.push(line);
    }
    page.push(&format!("{}\n", fence("text", &lines)), 0);
    list(&mut page, diagnostics, super::LIMIT, 0);
    page.into_text()
}

/// Adds findings to a page on which other things follow.
pub fn push(page: &mut Page, diagnostics: &Diagnostics, reserve: usize) {
    if !diagnostics.list.is_empty() {
        list(page, diagnostics, MOST, reserve);
    }
}

fn list(page: &mut Page, diagnostics: &Diagnostics, most: usize, reserve: usize) {
    let begin = page.used();
    let errors = diagnostics.list.iter().filter(|finding| finding.severity == Severity::Error);
    let warnings = diagnostics.list.iter().filter(|finding| finding.severity == Severity::Warning);
    let all: Vec<&Diagnostic> = errors.chain(warnings).collect();
    for (at, finding) in all.iter().enumerate() {
        let item = item(diagnostics, finding);
        if page.used() - begin + super::units(&item) + LAST > most || !page.push(&item, reserve + LAST) {
            page.push(&format!("- and {}\n", count(all.len() - at, "more finding")), reserve);
            break;
        }
    }
    if !all.is_empty() {
        page.push("\n", reserve);
    }
}

fn item(diagnostics: &Diagnostics, finding: &Diagnostic) -> String {
    let severity = if finding.severity == Severity::Error { "**error**" } else { "warning" };
    let place = finding.labels.first().map(|label| diagnostics.sources.locate(label.span));
    let place = place.map(|place| format!(" {}", code(&clip(&place, PART)))).unwrap_or_default();
    let help = finding.help.as_ref().map(|help| format!("; help: {}", words(&clip(help, PART)))).unwrap_or_default();
    let message = words(&clip(&finding.message, PART));
    format!("- {severity}{place} {message}{help} ({})\n", code(&format!("flyte::{}", finding.code)))
}
