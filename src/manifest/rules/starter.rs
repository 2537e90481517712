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
    let words = words(command);
    let is_starter = starts_with_starter(command, words.first());
    let mut needing: Vec<Needing> = Vec::new();
    for key in ["source", "include"] {
        if let Some(entry) = app.table.entry(key) {
            needing.push(Needing::new(entry.key_span, format!("`{key}`"), "would not be unpacked", "--tgz"));
        }
    }
    let mut not_looked_up =
        |span, what| needing.push(Needing::new(span, what, "would not be looked up", "--parameters"));
    for entry in &app.table.table("env").entries {
        if entry.node.as_table().is_some_and(|table| table.get("endpoint").is_some()) {
            not_looked_up(entry.key_span, format!("the endpoint in `{}`", entry.key));
        }
    }
    if let Some(entry) = app
        .table
        .entry("parameters")
        .filter(|entry| entry.node.as_table().is_some_and(|table| !table.entries.is_empty()))
    {
        not_looked_up(entry.key_span, "`parameters`".to_owned());
    }
    if is_starter {
        // One that says it itself may know what it does.
        needing.retain(|need| !words.iter().any(|word| word.split('=').next() == Some(need.option)));
    }
    let findings = needing.iter().map(|need| if is_starter { need.untold(command) } else { need.unmet(command) });
    findings.chain(python).collect()
}

/// A key that is of use only through the starter.
struct Needing {
    span: Span,
    what: String,
    label: &'static str,
    /// By which the starter is told.
    option: &'static str,
}

impl Needing {
    fn new(span: Span, what: String, label: &'static str, option: &'static str) -> Self {
        Self { span, what, label, option }
    }

    fn unmet(&self, command: &Node) -> Diagnostic {
        let message = format!("{} does nothing beside this `command`", self.what);
        Diagnostic::error(codes::COMMAND_WITHOUT_STARTER, message)
            .label(self.span, self.label)
            .label(command.span, "starts the container without Flyte's starter")
            .help("write `args` in place of `command`, or remove the other key")
    }

    /// The SDK takes it all the same.
    fn untold(&self, command: &Node) -> Diagnostic {
        let message = format!("{} is not told to the starter by this `command`", self.what);
        Diagnostic::warning(codes::COMMAND_WITHOUT_STARTER, message)
            .label(self.span, self.label)
            .label(command.span, format!("has no `{}`", self.option))
            .help("write only what follows `--`, as `args` in place of `command`: flyte writes the rest")
    }
}

/// Empty for a mistaken command, which is somebody else's finding.
fn words(command: &Node) -> Vec<String> {
    match command.as_text() {
        Some(text) => format::words(text).unwrap_or_default(),
        None => command.elements().iter().filter_map(|node| node.as_text().map(str::to_owned)).collect(),
    }
}

fn starts_with_starter(command: &Node, first: Option<&String>) -> bool {
    // Empty: the image's own program. A mistaken command is somebody else's finding.
    if command.as_text().is_none() && !command.is_mistaken() && command.elements().is_empty() {
        return false;
    }
    first.is_none_or(|first| first.rsplit('/').next() == Some(STARTER))
}
