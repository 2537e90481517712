//! A command line that is written as a text is split into words, and no shell reads it: what only a shell understands
//! would reach the program as it stands.

use super::super::Node;
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::sensitive::holds_credential;

/// Programs that read a line themselves.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(of_app).collect()
}

fn of_app(app: &AppView) -> Vec<Diagnostic> {
    let command = app.table.get("command");
    let started = command.or_else(|| app.table.get("args")).and_then(|node| node.elements().first()?.as_text());
    let is_shell = started.is_some_and(begins_with_shell);
    let one = |key: &str| {
        let node = app.table.get(key)?;
        let text = node.as_text()?;
        // The starter replaces a word that is the name of a variable.
        let found = shell_only(text, command.is_none(), is_shell)?;
        let (what, label) = match &found {
            Found::Operator(operator) => (format!("`{operator}`"), "a word like any other"),
            Found::Variable(name) => (format!("`${name}`"), "not replaced"),
        };
        let message =
            format!("no shell reads the `{key}` of `{}`, so that {what} reaches the program as it is", app.name);
        let help = match (key, command) {
            ("args", Some(_)) => "have one read the whole line: `command = [\"sh\", \"-c\", \"…\"]`; or write a list of words if it is meant so".to_owned(),
            _ => format!(
                "write `{key} = [\"sh\", \"-c\", {}]` to have one read it, or a list of words if it is meant so",
                repeated(node, text)
            ),
        };
        Some(Diagnostic::warning(codes::BAD_COMMAND_LINE, message).label(node.span, label).help(help))
    };
    ["command", "args"].into_iter().filter_map(one).collect()
}

/// A text as TOML; not what a variable brought, nor what may be a credential.
fn repeated(node: &Node, text: &str) -> toml::Value {
    let shown = node.variables.is_empty() && !holds_credential(text);
    toml::Value::from(if shown { text.replace("${", "$${") } else { "…".to_owned() })
}

fn begins_with_shell(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    SHELLS.contains(&first.rsplit('/').next().unwrap_or(first))
}

enum Found {
    Operator(String),
    Variable(String),
}

/// The first thing in a line that a shell would act on.
fn shell_only(text: &str, replaces_words: bool, is_shell: bool) -> Option<Found> {
    let mut quote: Option<char> = None;
    // Where the word begins.
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => drop(characters.next()),
            (None, '\'' | '"') => quote = Some(c),
            (_, '$') => {
                let rest = &text[at + 1..];
                let name = variable(rest);
                // A shell that is started reads what is quoted for it.
                if name.is_empty() || is_shell && quote.is_some() {
                    continue;
                }
                let before = text[start..at].trim_matches('"');
                let after = rest[name.len()..].trim_start_matches('"');
                let is_word = before.is_empty() && (after.is_empty() || after.starts_with(char::is_whitespace));
                if !(is_word && replaces_words && !name.starts_with('{')) {
                    return Some(Found::Variable(name.to_owned()));
                }
            }
            (None, '|' | ';' | '>' | '<') => {
                let double = characters.peek().filter(|(_, next)| *next == c).map_or("", |_| &text[at..=at]);
                return Some(Found::Operator(format!("{c}{double}")));
            }
            (None, '&') if text[at + 1..].starts_with('&') => return Some(Found::Operator("&&".to_owned())),
            (None, c) if c.is_whitespace() => start = at + c.len_utf8(),
            _ => {}
        }
    }
    None
}

/// The name of a variable at the beginning of a text, with braces where it has some; empty where there is none.
fn variable(text: &str) -> &str {
    let name = |text: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            0
        } else {
            text.find(|c| !is_part(c)).unwrap_or(text.len())
        }
    };
    match text.strip_prefix('{') {
        Some(inner) if name(inner) > 0 => &text[..text.find('}').map_or(text.len(), |end| end + 1)],
        Some(_) => "",
        None => &text[..name(text)],
    }
}
