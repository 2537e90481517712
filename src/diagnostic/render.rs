//! Diagnostics as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters, ThemeStyles,
};
use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, FileId, Severity, Span, codes};

/// How text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub unicode: bool,
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl Style {
    /// As tests and plain files have it.
    pub const PLAIN: Self = Self { unicode: false, color: false, width: 100 };
}

/// Every diagnostic with its source lines, one blank line after each.
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let handler = handler(style);
    let texts = shown_texts(diagnostics);
    let mut text = String::new();
    for diagnostic in &diagnostics.list {
        let report = report(diagnostics, diagnostic, &texts);
        if handler.render_report(&mut text, &report).is_err() {
            text.push_str(&diagnostic.message);
        }
        text.push('\n');
    }
    // Lines without text are drawn with trailing blanks.
    let mut clean: String = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    clean.truncate(clean.trim_end().len());
    if !clean.is_empty() {
        clean.push('\n');
    }
    clean
}

/// The texts as they may be shown: what looks like a credential is covered, whoever points near it.
fn shown_texts(diagnostics: &Diagnostics) -> BTreeMap<FileId, Arc<str>> {
    let mut covered: BTreeMap<FileId, String> = BTreeMap::new();
    for diagnostic in diagnostics.list.iter().filter(|diagnostic| diagnostic.code == codes::CREDENTIAL_IN_ENV) {
        let Some(span) = diagnostic.labels.first().map(|label| label.span) else { continue };
        let text = covered.entry(span.file).or_insert_with(|| diagnostics.sources.file(span.file).text.to_string());
        if let Some(secret) = text.get(span.start..span.end) {
            let quotes = |c: char| matches!(c, '"' | '\'');
            let cover: String = secret
                .chars()
                .map(|c| if quotes(c) || c == '\n' { c.to_string() } else { "*".repeat(c.len_utf8()) })
                .collect();
            text.replace_range(span.start..span.end, &cover);
        }
    }
    covered.into_iter().map(|(file, text)| (file, Arc::from(text))).collect()
}

fn handler(style: Style) -> GraphicalReportHandler {
    let characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(style.width)
        .with_context_lines(0)
        .with_links(false)
        .without_syntax_highlighting()
}

/// A diagnostic as miette draws it: the first label's file here, those of other files as related snippets.
#[derive(Debug)]
struct Report {
    code: Option<String>,
    message: String,
    severity: miette::Severity,
    help: Option<String>,
    source: NamedSource<Arc<str>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Report>,
}

fn report(diagnostics: &Diagnostics, diagnostic: &Diagnostic, texts: &BTreeMap<FileId, Arc<str>>) -> Report {
    let severity = match diagnostic.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    };
    let mut files: Vec<FileId> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let snippet = |file: FileId| {
        let here = diagnostics.sources.file(file);
        let mut labels: Vec<LabeledSpan> = Vec::new();
        for (at, label) in diagnostic.labels.iter().enumerate().filter(|(_, label)| label.span.file == file) {
            let range = one_line(&here.text, label.span);
            let text = Some(label.text.clone()).filter(|text| !text.is_empty());
            let place = (range.start, range.len());
            labels.push(if at == 0 {
                LabeledSpan::new_primary_with_span(text, place)
            } else {
                LabeledSpan::new_with_span(text, place)
            });
        }
        let text = texts.get(&file).unwrap_or(&here.text).clone();
        (NamedSource::new(here.path.display().to_string(), text), labels)
    };
    let mut files = files.into_iter();
    let (source, labels) = files.next().map_or_else(|| (NamedSource::new("", Arc::from("")), Vec::new()), snippet);
    let related = files
        .map(|file| {
            let (source, labels) = snippet(file);
            let message = "and here:".to_owned();
            let severity = miette::Severity::Advice;
            Report { code: None, message, severity, help: None, source, labels, related: Vec::new() }
        })
        .collect();
    let code = Some(format!("flyte::{}", diagnostic.code));
    let message = diagnostic.message.clone();
    Report { code, message, severity, help: diagnostic.help.clone(), source, labels, related }
}

/// A span cut at the end of its first line, at character borders, so that a snippet stays one line long.
fn one_line(text: &str, span: Span) -> std::ops::Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let line = text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
    start..line
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.related.iter().map(|report| report as &dyn miette::Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<dyn Iterator<Item = &dyn miette::Diagnostic>>)
    }
}

/// An array with one object per diagnostic. Lines and columns count from one, columns in characters; `start` and `end`
/// are byte offsets, `end` exclusive.
pub fn to_json(diagnostics: &Diagnostics) -> Value {
    let sources = &diagnostics.sources;
    let label = |label: &super::Label| {
        let (line, column) = sources.line_column(label.span);
        let (end_line, end_column) = sources.line_column(Span { start: label.span.end, ..label.span });
        json!({
            "file": sources.path(label.span.file).display().to_string(),
            "line": line, "column": column, "end_line": end_line, "end_column": end_column,
            "start": label.span.start, "end": label.span.end,
            "text": label.text,
        })
    };
    let one = |diagnostic: &Diagnostic| {
        json!({
            "code": format!("flyte::{}", diagnostic.code),
            "severity": diagnostic.severity,
            "message": diagnostic.message,
            "help": diagnostic.help,
            "labels": diagnostic.labels.iter().map(label).collect::<Vec<_>>(),
        })
    };
    Value::Array(diagnostics.list.iter().map(one).collect())
}
