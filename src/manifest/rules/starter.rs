//! Keys that Flyte's starter acts on are not used beside a `command` that starts something else.

use super::super::Node;
use super::super::format;
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, Span, codes};

/// The program that unpacks code and looks up endpoints before it starts the app.
const STARTER: &str = "fserve";

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(of_app).collect()
}

fn of_app(app: &AppView) -> Vec<Diagnostic> {
    let Some(command) = app.table.get("command") else { return Vec::new() };
    let python = app.table.entry("python").map(|entry| {
        Diagnostic::error(codes::CONFLICTING_KEYS, "`python` does nothing beside a `command`")
            .label(entry.key_span, "told to the starter by flyte")
            .label(command.span, "takes the starter's place")
            .help("write `args` in place of `command`, or remove `python`")
    });
    if starts_with_starter(command) {
        return python.into_iter().collect();
    }
    let mut needing: Vec<(Span, String, &str)> = Vec::new();
    for key in ["source", "include"] {
        if let Some(entry) = app.table.entry(key) {
            needing.push((entry.key_span, format!("`{key}`"), "would not be unpacked"));
        }
    }
    for entry in &app.table.table("env").entries {
        if entry.node.as_table().is_some_and(|table| table.get("endpoint").is_some()) {
            needing.push((entry.key_span, format!("the endpoint in `{}`", entry.key), "would not be looked up"));
        }
    }
    if let Some(entry) = app
        .table
        .entry("parameters")
        .filter(|entry| entry.node.as_table().is_some_and(|table| !table.entries.is_empty()))
    {
        needing.push((entry.key_span, "`parameters`".to_owned(), "would not be looked up"));
    }
    let finding = |(span, what, label): &(Span, String, &str)| {
        Diagnostic::error(codes::COMMAND_WITHOUT_STARTER, format!("{what} does nothing beside this `command`"))
            .label(*span, *label)
            .label(command.span, "starts the container without Flyte's starter")
            .help("write `args` in place of `command`, or remove the other key")
    };
    needing.iter().map(finding).chain(python).collect()
}

fn starts_with_starter(command: &Node) -> bool {
    let first = match command.as_text() {
        Some(text) => format::words(text).ok().and_then(|words| words.into_iter().next()),
        None => command.elements().first().and_then(|node| node.as_text().map(str::to_owned)),
    };
    // Empty: the image's own program. A mistaken command is somebody else's finding.
    if command.as_text().is_none() && !command.is_mistaken() && command.elements().is_empty() {
        return false;
    }
    first.is_none_or(|first| first.rsplit('/').next() == Some(STARTER))
}
