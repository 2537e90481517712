//! TOML text to a table, with every syntax error of the text.
//!
//! The parser goes on after an error but loses what follows some kinds of them. So the statement with the first such
//! error is blanked out, at the same length so that spans stay true, and the text is parsed again until none is left.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Node, Table, Value};
use super::wording;
use crate::diagnostic::{Diagnostic, FileId, Span, codes};

/// Statements blanked out before the rest of a text is given up.
const MAX_ROUNDS: usize = 100;

/// A text as far as it could be understood.
pub struct Parsed {
    pub table: Table,
    pub findings: Vec<Diagnostic>,
    /// Part of the text was left out.
    pub incomplete: bool,
}

pub fn parse(file: FileId, text: &str) -> Parsed {
    let mut findings: Vec<Diagnostic> = Vec::new();
    let mut remaining = text.to_owned();
    for _ in 0..MAX_ROUNDS {
        let (tree, errors) = DeTable::parse_recoverable(&remaining);
        let mut faults: Vec<Fault> = errors.iter().map(|error| Fault::new(error, &remaining)).collect();
        faults.sort_by_key(|fault| (fault.at.start, fault.at.end));
        let Some(structural) = faults.iter().find(|fault| fault.structural(&remaining, tree.get_ref())) else {
            let incomplete = !findings.is_empty();
            let mut table = Table::from_toml(file, tree.get_ref());
            for fault in &faults {
                if fault.message.starts_with("invalid unquoted key") {
                    forget(&mut table, fault.at.start);
                }
                let value =
                    value_at(tree.get_ref(), &fault.at).map(|value| innermost(tree.get_ref(), value, &fault.at));
                // One value can break in several places; the first tells.
                let known = value.as_ref().is_some_and(|value| mark(&mut table, value));
                if !known {
                    findings.push(wording::value_fault(file, text, &fault.message, &fault.at, value));
                }
            }
            findings.sort_by_key(|finding| finding.labels.first().map(|label| label.span));
            return Parsed { table, findings, incomplete };
        };
        let (finding, lost) = structural.told(file, text, &remaining, tree.get_ref());
        findings.push(finding);
        blank(&mut remaining, lost);
    }
    Parsed { table: Table::default(), findings, incomplete: true }
}

/// An error of the parser.
struct Fault {
    message: String,
    at: Range<usize>,
}

impl Fault {
    fn new(error: &toml::de::Error, text: &str) -> Self {
        let at = error.span().unwrap_or(0..0);
        let clamp = |at: usize| at.min(text.len());
        Self { message: error.message().to_owned(), at: clamp(at.start)..clamp(at.end) }
    }

    /// Whether what follows the error may have been lost.
    fn structural(&self, text: &str, tree: &DeTable<'_>) -> bool {
        const HARMLESS: [&str; 8] = [
            "string values must be quoted",
            "invalid basic string",
            "invalid literal string",
            "missing escaped value",
            "invalid escape",
            "invalid boolean",
            "unexpected leading zero",
            "invalid unquoted key",
        ];
        if value_at(tree, &self.at).is_some_and(|value| swallowed(text, &value, &self.message).is_some()) {
            return true;
        }
        let value_like = self.message.starts_with("invalid ") && value_at(tree, &self.at).is_some();
        !(value_like || HARMLESS.iter().any(|harmless| self.message.starts_with(harmless)))
    }

    /// What to say, and which part of the text to leave out.
    fn told(&self, file: FileId, text: &str, remaining: &str, tree: &DeTable<'_>) -> (Diagnostic, Range<usize>) {
        if self.message.starts_with("duplicate key") || self.message.starts_with("cannot extend") {
            return self.duplicate(file, remaining);
        }
        let line = line_of(remaining, self.at.start);
        if remaining[line.clone()].trim_start().starts_with('[') && value_at(tree, &self.at).is_none() {
            let lost = line.start..section_end(remaining, line.end);
            return (wording::header(file, text, &line, &self.message), lost);
        }
        let Some(value) =
            value_at(tree, &self.at).filter(|value| remaining[value.clone()].starts_with(['[', '{', '"', '\'']))
        else {
            return (wording::statement(file, text, &line, &self.at, &self.message), line);
        };
        let start = line_of(remaining, value.start).start;
        if let Some(next) = swallowed(remaining, &value, &self.message) {
            return (wording::unclosed(file, text, &value), start..next);
        }
        let end = line_of(remaining, value.end.max(self.at.start)).end;
        (wording::value_fault(file, text, &self.message, &self.at, Some(value)), start..end)
    }

    fn duplicate(&self, file: FileId, remaining: &str) -> (Diagnostic, Range<usize>) {
        let line = line_of(remaining, self.at.start);
        let is_header = remaining[line.clone()].trim_start().starts_with('[');
        let lost = if is_header { line.start..section_end(remaining, line.end) } else { line.clone() };
        let name = remaining.get(self.at.clone()).unwrap_or("").trim_matches(['"', '\'']).to_owned();
        let first = first_of(remaining, &line, is_header);
        if let Some((value, false)) = first.clone().filter(|_| is_header) {
            return (self.value_and_table(file, remaining, value), lost);
        }
        let subject = if is_header { remaining[line.clone()].trim().to_owned() } else { name };
        let mut finding = Diagnostic::error(codes::DUPLICATE_KEY, format!("`{subject}` is written twice"))
            .label(Span::new(file, self.at.clone()), "the second time");
        if let Some((range, _)) = first {
            finding = finding.label(Span::new(file, range), "the first time");
        }
        let help = if is_header {
            "put the keys of both into one table, or give the second another name"
        } else {
            "remove one of the two"
        };
        (finding.help(help), lost)
    }

    fn value_and_table(&self, file: FileId, text: &str, value: Range<usize>) -> Diagnostic {
        let name = text[value.clone()].trim_matches(['"', '\'']);
        let help = if name == "target" {
            "TOML allows no `target = \"…\"` beside `[target.NAME]`: remove it, and write `default = true` in the table of the target that it named"
        } else {
            "remove one of the two"
        };
        Diagnostic::error(codes::DUPLICATE_KEY, format!("`{name}` is both a value and a table"))
            .label(Span::new(file, self.at.clone()), "a table")
            .label(Span::new(file, value), "a value")
            .help(help)
    }
}

/// Where the key of a line was written before, and whether as a table.
fn first_of(text: &str, line: &Range<usize>, is_header: bool) -> Option<(Range<usize>, bool)> {
    let before = DeTable::parse_recoverable(&text[..line.start]).0;
    let here = DeTable::parse_recoverable(&text[line.clone()]).0;
    let mut path = Vec::new();
    if !is_header {
        let header = text[..line.start].lines().rev().find(|line| line.trim_start().starts_with('['));
        keys_of(DeTable::parse_recoverable(header.unwrap_or("")).0.get_ref(), &mut path);
    }
    keys_of(here.get_ref(), &mut path);
    let mut table = before.get_ref();
    let mut found = None;
    for key in path {
        let Some((name, value)) = table.iter().find(|(name, _)| *name.get_ref() == key) else { break };
        let is_table = matches!(value.get_ref(), DeValue::Table(_));
        found = Some((name.span(), is_table));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

/// The keys of a text with one statement, from the outside in.
fn keys_of(table: &DeTable<'_>, into: &mut Vec<String>) {
    if let Some((name, value)) = table.iter().next() {
        into.push(name.get_ref().to_string());
        if let DeValue::Table(inner) = value.get_ref()
            && value.span().start <= name.span().start
        {
            keys_of(inner, into);
        } else if let DeValue::Table(inner) = value.get_ref()
            && value.span() == name.span()
        {
            keys_of(inner, into);
        }
    }
}

/// The value of the innermost statement that `at` lies in. A table that is a value is one; one with a header is not.
fn value_at(table: &DeTable<'_>, at: &Range<usize>) -> Option<Range<usize>> {
    for (key, value) in table {
        let span = value.span();
        let follows_key = span.start > key.span().start;
        if let DeValue::Table(inner) = value.get_ref()
            && !follows_key
            && let Some(found) = value_at(inner, at)
        {
            return Some(found);
        }
        if follows_key && span.start <= at.start && at.end <= span.end && at.start >= key.span().end {
            return Some(span);
        }
    }
    None
}

/// The value around `at` inside of the value at `outer`: that of one key of a table or one element of a list, where the
/// parser kept it apart.
fn innermost(table: &DeTable<'_>, outer: Range<usize>, at: &Range<usize>) -> Range<usize> {
    fn within(value: &Spanned<DeValue<'_>>, at: &Range<usize>, found: &mut Range<usize>) {
        let span = value.span();
        if !(span.start <= at.start && at.end <= span.end && span.len() <= found.len()) {
            return;
        }
        *found = span;
        match value.get_ref() {
            DeValue::Table(inner) => inner.values().for_each(|value| within(value, at, found)),
            DeValue::Array(items) => items.iter().for_each(|item| within(item, at, found)),
            _ => {}
        }
    }
    fn tables(table: &DeTable<'_>, outer: &Range<usize>, at: &Range<usize>, found: &mut Range<usize>) {
        for value in table.values() {
            match value.get_ref() {
                _ if value.span() == *outer => within(value, at, found),
                DeValue::Table(inner) => tables(inner, outer, at, found),
                _ => {}
            }
        }
    }
    let mut found = outer.clone();
    tables(table, &outer, at, &mut found);
    found
}

/// Where the next statement begins that a value without end has swallowed.
fn swallowed(text: &str, value: &Range<usize>, message: &str) -> Option<usize> {
    let opening = text.get(value.clone())?;
    let closing = ["[", "{", "\"\"\"", "'''"].into_iter().find(|open| opening.starts_with(open))?;
    let closed = match closing {
        "[" => opening.len() > 1 && opening.ends_with(']'),
        "{" => opening.len() > 1 && opening.ends_with('}'),
        quotes => opening.len() > 5 && opening.ends_with(quotes),
    };
    if closed && closing.len() == 3 {
        return None;
    }
    // A table may have lines of its own. One that is not indented, after a missing comma, is rather the next statement.
    let no_comma = message.starts_with("missing comma");
    let begins = |line: &str| {
        let own = closing == "{" && closed && (line.starts_with([' ', '\t']) || !no_comma);
        is_header(line) || is_statement(line) && !own
    };
    let mut at = value.start;
    for line in opening.split_inclusive('\n') {
        if at > value.start && begins(line) {
            return Some(at);
        }
        at += line.len();
    }
    (!closed).then_some(value.end)
}

/// `[name]` or `[name.name]` alone on a line.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or("").trim();
    let inner = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| {
        inner.starts_with(|c: char| c.is_ascii_alphabetic()) && inner.chars().all(is_key_character)
    })
}

/// `name = …` or `name.name = …` at the beginning of a line.
fn is_statement(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = key.trim_end();
    !key.is_empty() && key.chars().all(is_key_character)
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The line around a place, its newline not included.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end
}

/// Where the next table header begins.
fn section_end(text: &str, from: usize) -> usize {
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        if at > from && line.trim_start().starts_with('[') {
            return at;
        }
        at += line.len();
    }
    text.len()
}

/// Writes spaces over a part of the text; line breaks stay.
fn blank(text: &mut String, part: Range<usize>) {
    let spaces: String =
        text[part.clone()].bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { byte as char } else { ' ' }).collect();
    text.replace_range(part, &spaces);
}

/// Takes out the key that stands at a place.
fn forget(table: &mut Table, at: usize) {
    table.entries.retain(|entry| !(entry.key_span.start <= at && at <= entry.key_span.end));
    for entry in &mut table.entries {
        if let Value::Table(inner) = &mut entry.node.value {
            forget(inner, at);
        }
    }
}

/// Marks the values at `range`; true where one was marked before.
fn mark(table: &mut Table, range: &Range<usize>) -> bool {
    table.entries.iter_mut().any(|entry| mark_node(&mut entry.node, range))
}

fn mark_node(node: &mut Node, range: &Range<usize>) -> bool {
    if node.span.start == range.start && node.span.end == range.end {
        let known = node.is_mistaken();
        node.value = Value::Mistaken;
        return known;
    }
    match &mut node.value {
        Value::Table(table) => mark(table, range),
        Value::List(nodes) => nodes.iter_mut().any(|node| mark_node(node, range)),
        _ => false,
    }
}
