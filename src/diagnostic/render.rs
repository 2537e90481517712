//! Diagnostics as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, NamedSource, SourceCode, SourceSpan,
    SpanContents, ThemeCharacters, ThemeStyles,
};
use serde_json::{Value, json};

use super::printable;
use super::{Diagnostic, Diagnostics, FileId, Severity, Span};

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
    let characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let frame = format!("{}{}[", characters.ltop, characters.hbar);
    let handler = handler(style, characters);
    let texts = shown_texts(diagnostics);
    let mut text = String::new();
    for diagnostic in &diagnostics.list {
        for (at, snippet) in snippets(diagnostics, diagnostic, &texts).iter().enumerate() {
            let mut drawn = String::new();
            if handler.render_report(&mut drawn, snippet).is_err() {
                drawn.clone_from(&snippet.message);
            }
            // Snippets of further files continue the first: what stands above their frame is left out.
            let lines = drawn.lines().skip_while(|line| at > 0 && !line.contains(&frame));
            // Lines without text are drawn with trailing blanks.
            lines.for_each(|line| {
                text.push_str(line.trim_end());
                text.push('\n');
            });
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The texts as they may be shown: what is covered, and what a finding conceals, whoever points near it.
fn shown_texts(diagnostics: &Diagnostics) -> BTreeMap<FileId, Arc<str>> {
    let mut covered: BTreeMap<FileId, Vec<(usize, usize)>> = BTreeMap::new();
    for finding in &diagnostics.list {
        for label in &finding.labels {
            let file = label.span.file;
            covered.entry(file).or_insert_with(|| diagnostics.sources.file(file).covered.clone());
        }
    }
    for span in diagnostics.list.iter().flat_map(|finding| &finding.concealed) {
        covered.entry(span.file).or_default().push((span.start, span.end));
    }
    covered.retain(|_, ranges| !ranges.is_empty());
    let cover = |(file, ranges): (FileId, Vec<(usize, usize)>)| {
        let mut text = diagnostics.sources.file(file).text.to_string();
        for (start, end) in ranges {
            let Some(secret) = text.get(start..end) else { continue };
            let stays = |c: char| matches!(c, '"' | '\'' | '\n');
            let cover: String =
                secret.chars().map(|c| if stays(c) { c.to_string() } else { "*".repeat(c.len_utf8()) }).collect();
            text.replace_range(start..end, &cover);
        }
        (file, Arc::from(text))
    };
    covered.into_iter().map(cover).collect()
}

fn handler(style: Style, characters: ThemeCharacters) -> GraphicalReportHandler {
    let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(style.width)
        .with_context_lines(1)
        .with_links(false)
        .with_primary_span_start()
        .without_syntax_highlighting()
}

/// The part of a diagnostic that is about one file, as miette draws it.
#[derive(Debug)]
struct Snippet {
    code: Option<String>,
    message: String,
    severity: miette::Severity,
    help: Option<String>,
    source: Lines,
    labels: Vec<LabeledSpan>,
}

/// One for each file involved, the main one first; the last has the help.
fn snippets(diagnostics: &Diagnostics, diagnostic: &Diagnostic, texts: &BTreeMap<FileId, Arc<str>>) -> Vec<Snippet> {
    let mut files: Vec<Option<FileId>> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&Some(label.span.file)) {
            files.push(Some(label.span.file));
        }
    }
    if files.is_empty() {
        files.push(None);
    }
    let last = files.len() - 1;
    let one = |(at, file): (usize, Option<FileId>)| Snippet {
        code: (at == 0).then(|| format!("flyte::{}", diagnostic.code)),
        message: diagnostic.message.clone(),
        severity: match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        },
        help: diagnostic.help.clone().filter(|_| at == last),
        source: Lines(file.map_or_else(
            || NamedSource::new("", Arc::from("")),
            |file| {
                let here = diagnostics.sources.file(file);
                NamedSource::new(
                    printable(&here.path.to_string_lossy()),
                    texts.get(&file).unwrap_or(&here.text).clone(),
                )
            },
        )),
        labels: file.map(|file| labels(diagnostics, diagnostic, file)).unwrap_or_default(),
    };
    files.into_iter().enumerate().map(one).collect()
}

/// The labels in one file; the first is its main one.
fn labels(diagnostics: &Diagnostics, diagnostic: &Diagnostic, file: FileId) -> Vec<LabeledSpan> {
    let text = &diagnostics.sources.file(file).text;
    let here = diagnostic.labels.iter().filter(|label| label.span.file == file);
    here.enumerate()
        .map(|(at, label)| {
            let range = one_line(text, label.span);
            let place = (range.start, range.len());
            let words = Some(label.text.clone()).filter(|text| !text.is_empty());
            if at == 0 {
                LabeledSpan::new_primary_with_span(words, place)
            } else {
                LabeledSpan::new_with_span(words, place)
            }
        })
        .collect()
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

/// A text of which whole lines are shown, and no others.
#[derive(Debug)]
struct Lines(NamedSource<Arc<str>>);

impl SourceCode for Lines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without context, what is asked for is the place alone.
        if before == 0 && after == 0 {
            return self.0.read_span(span, 0, 0);
        }
        let text = self.0.inner();
        let start = text[..span.offset()].rfind('\n').map_or(0, |newline| newline + 1);
        let end = span.offset() + span.len();
        let end = text[end..].find(['\n', '\r']).map_or(text.len(), |newline| end + newline);
        self.0.read_span(&(start, end - start).into(), 0, 0)
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Snippet {}

impl miette::Diagnostic for Snippet {
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
