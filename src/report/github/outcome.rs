//! What happened, as a page.

use super::escape::{code, fence, fenced_line, link};
use super::page::{LIMIT, Page, clip, names, units};
use crate::report::outcome::{AppResult, Report, sentence};
use crate::report::words::count;

/// What the table may take of the page.
const TABLE: usize = LIMIT / 2;
/// What is kept for the last line.
const TRAILER: usize = 3_000;
/// What the names of apps in it may take.
const NAMES: usize = 1_500;
/// What one word of a foreign hand may take.
const WORD: usize = 200;
/// How many apps an annotation names.
const FAILURES: usize = 10;
/// What the reason and the log of one app may take.
const LOG: usize = 8_000;

/// The outcome as markdown, of at most [`LIMIT`] units whatever is in it.
pub fn outcome_markdown(report: &Report) -> String {
    let mut page = Page::new();
    let head = if report.outcome.is_success() { "applied" } else { "not everything was applied" };
    page.push(&format!("## flyte apply: {head}: {}\n\n", sentence(report)), TRAILER);
    page.push("| app | result | version | revision | state | address |\n|---|---|---|---|---|---|\n", TRAILER);
    let begin = page.used();
    let mut untold: Vec<&AppResult> = Vec::new();
    // What went wrong is told first.
    let (good, bad): (Vec<&AppResult>, Vec<&AppResult>) = report.apps.iter().partition(|app| app.status.is_success());
    for app in bad.iter().chain(&good) {
        let row = row(app);
        if page.used() - begin + units(&row) > TABLE || !page.push(&row, TRAILER) {
            untold.push(app);
        }
    }
    page.push("\n", TRAILER);
    let reasons = bad.iter().filter(|app| app.reason.is_some() || !app.logs.is_empty());
    let bare: Vec<&AppResult> = reasons.filter(|app| !page.push(&reason(app), TRAILER)).copied().collect();
    for (what, apps) in [("Not in the table", untold), ("Without reason and log", bare)] {
        if !apps.is_empty() {
            let names = names(apps.iter().map(|app| app.name.as_str()), NAMES);
            let count = count(apps.len(), "app");
            page.push(&format!("{what} for want of room: {count}: {names}.\n\n"), 0);
        }
    }
    page.into_text()
}

/// What did not get there and why, for an annotation.
pub fn failures(report: &Report) -> String {
    let bad: Vec<&AppResult> = report.apps.iter().filter(|app| !app.status.is_success()).collect();
    let mut text = format!("not everything was applied: {}", sentence(report));
    for app in bad.iter().take(FAILURES) {
        let reason = app.reason.as_deref().unwrap_or_default();
        let why = reason.lines().next().map(|line| format!(": {}", clip(line, WORD))).unwrap_or_default();
        text.push_str(&format!("\n{} {}{why}", app.status.as_str(), app.name));
    }
    if let Some(more) = bad.len().checked_sub(FAILURES).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {}", count(more, "more app")));
    }
    text
}

fn row(app: &AppResult) -> String {
    let word = |text: &str| if text.is_empty() { String::new() } else { code(&clip(text, WORD)) };
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        code(app.name.as_str()),
        app.status.as_str(),
        word(app.version.as_deref().unwrap_or_default()),
        app.revision,
        app.state.map_or("-".to_owned(), |state| state.to_string()),
        app.url.as_ref().map_or(String::new(), |url| link(&clip(url, WORD)))
    )
}

/// Why an app did not get there, with the last lines of its log, the newest last.
fn reason(app: &AppResult) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    let reason = app.reason.iter().flat_map(|reason| reason.lines());
    lines.extend(reason.take(20).map(|line| fenced_line(&clip(line, WORD * 4))));
    let mut log: Vec<String> = Vec::new();
    for line in app.logs.iter().rev() {
        let line = format!("| {}", fenced_line(&clip(&line.text, WORD)));
        used += units(&line) + 1;
        if used > LOG {
            break;
        }
        log.push(line);
    }
    let left_out = app.logs.len() - log.len();
    if left_out > 0 {
        lines.push(format!("({} before)", count(left_out, "line")));
    }
    lines.extend(log.into_iter().rev());
    let head = format!("{}: {}", code(app.name.as_str()), app.status.as_str());
    format!("<details open><summary>{head}</summary>\n\n{}\n</details>\n\n", fence("text", &lines))
}
