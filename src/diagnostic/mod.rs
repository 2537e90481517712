//! What is said about the user's text: collected, many at a time, each with its places, its cause and its fix.

mod code;
mod printable;
mod render;
mod source;
mod suggest;

pub use code::{Code, PAGES, Page, codes, page};
pub use printable::{is_command, printable, printable_lines};
pub use render::{Style, render, to_json};
pub use source::{FileId, SourceFile, SourceMap, Span, byte_at};
pub use suggest::did_you_mean;

use std::collections::BTreeSet;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Warning,
    Error,
}

/// One finding about the user's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// A lower-case fragment: "unknown key `prot`".
    pub message: String,
    /// Places involved; the first is the main one.
    pub labels: Vec<Label>,
    /// What to type next.
    pub help: Option<String>,
    /// Places whose text is not for other eyes: covered wherever their lines are shown.
    pub concealed: Vec<Span>,
}

/// A place and what it has to do with the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            concealed: Vec::new(),
        }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Covers a text wherever its line is shown, for this finding and for others.
    #[must_use]
    pub fn conceal(mut self, span: Span) -> Self {
        self.concealed.push(span);
        self
    }

    fn leave_out(&mut self, secret: &str) {
        // A short one may be part of any word: it is taken out where it is quoted.
        let quoted = |quote| (format!("{quote}{secret}{quote}"), format!("{quote}…{quote}"));
        let forms = match secret.len() {
            0 => return,
            1..6 => vec![quoted('`'), quoted('"')],
            _ => vec![(secret.to_owned(), "…".to_owned())],
        };
        let labels = self.labels.iter_mut().map(|label| &mut label.text);
        for words in labels.chain(&mut self.help).chain([&mut self.message]) {
            for (form, cover) in forms.iter() {
                *words = words.replace(form, cover);
            }
        }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Findings with the texts they point into, in the order of the texts.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    pub sources: SourceMap,
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// What a finding conceals is covered in the texts, and taken out of the words of all that point at its line.
    pub fn new(mut sources: SourceMap, mut list: Vec<Diagnostic>) -> Self {
        sources.cover(list.iter().flat_map(|finding| finding.concealed.iter().copied()));
        for finding in &mut list {
            let beside = finding.labels.iter().flat_map(|label| sources.covered_beside(label.span));
            let secrets: BTreeSet<String> = beside.map(|secret| secret.trim_matches(['"', '\'']).to_owned()).collect();
            secrets.iter().for_each(|secret| finding.leave_out(secret));
        }
        list.sort_by_key(|d| d.labels.first().map(|l| (l.span.file, l.span.start, l.span.end)));
        Self { sources, list }
    }

    /// The same with more findings.
    #[must_use]
    pub fn and(mut self, more: Vec<Diagnostic>) -> Self {
        self.list.extend(more);
        Self::new(self.sources, self.list)
    }

    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    pub fn errors(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }

    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }
}

/// The texts that the errors are about.
fn whereabouts(diagnostics: &Diagnostics) -> &'static str {
    let errors = || diagnostics.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let is_config = |diagnostic: &Diagnostic| diagnostic.code.0.starts_with("config::");
    match (errors().any(is_config), errors().all(is_config)) {
        (_, true) => "configuration",
        (true, false) => "manifest and the configuration",
        (false, false) => "manifest",
    }
}

/// The error of a stage that read text and found mistakes in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} {} in the {}", .0.errors(), if .0.errors() == 1 { "mistake" } else { "mistakes" }, whereabouts(.0))]
pub struct Invalid(pub Diagnostics);
