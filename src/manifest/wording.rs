//! Syntax errors in words that say what to type.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, FileId, Span, codes};

fn finding(
    file: FileId,
    message: impl Into<String>,
    at: Range<usize>,
    label: &str,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::error(codes::SYNTAX, message).label(Span::new(file, at), label).help(help)
}

/// A table header that is not one.
pub fn header(file: FileId, text: &str, line: &Range<usize>, message: &str) -> Diagnostic {
    let shown = text[line.clone()].trim();
    let start = line.start + text[line.clone()].find('[').unwrap_or(0);
    let at = start..start + shown.len();
    if message.starts_with("unclosed") {
        let closing = if shown.starts_with("[[") { "]]" } else { "]" };
        let name = shown.split('#').next().unwrap_or("").trim().trim_end_matches(']');
        return finding(file, "the table header is not closed", at, "no `]`", format!("write `{name}{closing}`"));
    }
    finding(
        file,
        format!("`{shown}` is not a table header"),
        at,
        message,
        "write `[app.NAME]`, with a name of letters, digits, `-` and `_`",
    )
}

/// A line that is neither `key = value` nor a header.
pub fn statement(file: FileId, text: &str, line: &Range<usize>, at: &Range<usize>, message: &str) -> Diagnostic {
    let shown = text[line.clone()].trim();
    let start = line.start + (text[line.clone()].len() - text[line.clone()].trim_start().len());
    let whole = start..start + shown.len();
    if message.starts_with("key with no value") {
        let mut words = shown.splitn(2, [' ', ':']);
        let (key, rest) = (words.next().unwrap_or(""), words.next().unwrap_or("").trim_start_matches([':', ' ']));
        let help = match (key, rest) {
            ("", _) => "write `key = value`".to_owned(),
            (key, "") => format!("write `{key} = …`, or remove the line"),
            (key, rest) => format!("write `{key} = {}`", quoted(rest)),
        };
        return finding(file, format!("`{shown}` has no `=`"), whole, "neither `key = value` nor a table header", help);
    }
    if message.starts_with("unquoted keys cannot be empty") || message.starts_with("missing key") {
        return finding(file, "there is no key before the `=`", whole, "the key is missing", "write `key = value`");
    }
    finding(file, "this line is not TOML", nonempty(text, at, &whole), message, "a line is `key = value` or `[table]`")
}

/// A list, table or text without its end.
pub fn unclosed(file: FileId, text: &str, value: &Range<usize>) -> Diagnostic {
    let rest = &text[value.start..];
    let (what, end, length) = match rest.chars().next() {
        Some('[') => ("list", "]", 1),
        Some('{') => ("table", "}", 1),
        Some('\'') => ("text", "'''", 3),
        _ => ("text", "\"\"\"", 3),
    };
    let at = value.start..value.start + length.min(rest.len());
    finding(
        file,
        format!("the {what} is not closed"),
        at,
        "begins here and has no end",
        format!("write `{end}` where it ends"),
    )
}

/// A fault inside a value.
pub fn value_fault(
    file: FileId,
    text: &str,
    message: &str,
    at: &Range<usize>,
    value: Option<Range<usize>>,
) -> Diagnostic {
    let whole = value.unwrap_or_else(|| at.clone());
    let shown = text.get(at.clone()).unwrap_or("").trim();
    let line_end = text[at.start..].find('\n').map_or(text.len(), |newline| at.start + newline);
    // What begins like `inf` or `nan` is taken for a number first.
    let is_word = message.starts_with("invalid float") && shown.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_word || message.starts_with("string values must be quoted") {
        if shown.is_empty() {
            let equals = text[..at.start].rfind('=').unwrap_or(at.start);
            return finding(
                file,
                "there is no value after the `=`",
                equals..equals + 1,
                "the value is missing",
                "write one, or remove the line",
            );
        }
        return finding(
            file,
            format!("`{shown}` is not quoted"),
            at.clone(),
            "a text stands in quotes",
            format!("write `{}`", quoted(shown)),
        );
    }
    if message.starts_with("invalid boolean") {
        let lower = shown.to_ascii_lowercase();
        let help = if lower == "true" || lower == "false" {
            format!("write `{lower}`")
        } else {
            format!("write `true` or `false`, or `\"{shown}\"` for a text")
        };
        return finding(file, format!("`{shown}` is not a value"), at.clone(), "not TOML", help);
    }
    if message.contains("leading zero") {
        let number: String = text[at.start..].chars().take_while(char::is_ascii_digit).collect();
        let help = format!("write `{}`, or `\"{number}\"` for a text", number.trim_start_matches('0'));
        return finding(
            file,
            format!("`{number}` begins with a zero"),
            at.start..at.start + number.len(),
            "not a number in TOML",
            help,
        );
    }
    if message.contains("escape") {
        let from = text[..at.start].rfind('\\').unwrap_or(at.start);
        let to = text[from..].char_indices().nth(2).map_or(text.len(), |(offset, _)| from + offset);
        let shown = &text[from..to];
        return finding(
            file,
            format!("`{shown}` means nothing in a text"),
            from..to,
            "not an escape",
            "write `\\\\` for a backslash, or put the text in single quotes",
        );
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        let quote = if message.starts_with("invalid basic") { '"' } else { '\'' };
        return finding(
            file,
            "the text is not closed",
            whole.start..at.start.max(whole.start),
            "no quote at its end",
            format!("end it with `{quote}`"),
        );
    }
    if message.starts_with("invalid unquoted key") {
        let start = text[..at.start].rfind(['\n', '.', '[', '{', ',']).map_or(0, |before| before + 1);
        let end = text[at.start..].find(['=', '.', ']', '\n']).map_or(text.len(), |after| at.start + after);
        let key = text[start..end].trim();
        let start = start + text[start..end].find(key).unwrap_or(0);
        return finding(
            file,
            format!("`{key}` cannot be a key without quotes"),
            start..start + key.len(),
            "has other characters than letters, digits, `-` and `_`",
            format!("write `\"{key}\"`"),
        );
    }
    if message.starts_with("missing comma")
        || message.starts_with("extra assignment")
        || message.starts_with("missing assignment")
    {
        let at = nonempty(text, at, &(at.start..line_end));
        return finding(file, "a comma is missing", at, "expected a `,` before this", "separate elements with `,`");
    }
    if message.starts_with("extra comma") {
        return finding(
            file,
            "there is a comma too many",
            nonempty(text, at, &(at.start..line_end)),
            "nothing before it",
            "remove it",
        );
    }
    let first = message.split(", expected").next().unwrap_or(message);
    finding(
        file,
        format!("this value is not TOML: {first}"),
        nonempty(text, at, &whole),
        "here",
        "texts stand in quotes, lists in `[ ]`, tables in `{ }`",
    )
}

/// A range that shows something: `at`, or else `other` trimmed.
fn nonempty(text: &str, at: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    if at.start < at.end && !text[at.clone()].trim().is_empty() {
        return at.clone();
    }
    let inside = &text[other.clone()];
    let trimmed = inside.trim();
    let start = other.start + (inside.len() - inside.trim_start().len());
    // One line, and of several words the first.
    let length = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
    start..start + length
}

/// A value as TOML: numbers, booleans and what begins like a quoted text, a list or a table stay.
fn quoted(text: &str) -> String {
    let is_value =
        text.parse::<f64>().is_ok() || matches!(text, "true" | "false") || text.starts_with(['"', '\'', '[', '{']);
    if is_value { text.to_owned() } else { format!("\"{}\"", text.trim_end_matches(['"', '\''])) }
}
