//! What is wrong with a configuration: a finding whose places are ranges of the file's text.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::find::Namer;
use super::yaml::NotYaml;
use crate::diagnostic::{Code, Diagnostic, FileId, Severity, Span, codes};

/// One thing wrong with the file or with a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    /// A place in the file, and what to say there.
    pub label: Option<(Range<usize>, String)>,
    /// A place in the file that may hold a secret.
    pub concealed: Option<Range<usize>>,
    pub help: String,
}

impl Finding {
    pub fn error(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            label: None,
            concealed: None,
            help: help.into(),
        }
    }

    pub fn warning(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, help) }
    }

    #[must_use]
    pub fn label(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.label = Some((range, text.into()));
        self
    }

    #[must_use]
    pub fn conceal(mut self, range: Range<usize>) -> Self {
        self.concealed = Some(range);
        self
    }

    /// Whether it may hide what the configuration would have said.
    pub fn is_fatal(&self) -> bool {
        self.severity == Severity::Error
    }

    /// As it is shown, where the text is `file` of the sources.
    pub fn diagnostic(&self, file: FileId) -> Diagnostic {
        let mut diagnostic = match self.severity {
            Severity::Error => Diagnostic::error(self.code, self.message.as_str()),
            Severity::Warning => Diagnostic::warning(self.code, self.message.as_str()),
        };
        if let Some((range, text)) = &self.label {
            diagnostic = diagnostic.label(Span::new(file, range.clone()), text.as_str());
        }
        if let Some(range) = &self.concealed {
            diagnostic = diagnostic.conceal(Span::new(file, range.clone()));
        }
        diagnostic.help(self.help.as_str())
    }
}

/// What stands beside the places that findings point at, where a line says more than one thing: it may hold a secret, and
/// is shown with them.
pub fn beside(text: &str, findings: &[Finding]) -> Vec<Range<usize>> {
    let mut covered = Vec::new();
    for (place, _) in findings.iter().filter_map(|finding| finding.label.as_ref()) {
        let (start, end) = (place.start.min(text.len()), place.end.min(text.len()));
        let line =
            text[..start].rfind('\n').map_or(0, |at| at + 1)..text[end..].find('\n').map_or(text.len(), |at| end + at);
        if !text[line.clone()].contains(['{', '[']) {
            continue;
        }
        let key = text[line.clone()].find(':').map_or(line.start, |at| line.start + at + 1);
        let others = [key..start, end.max(key)..line.end].into_iter().filter(|range| range.start < range.end);
        let trimmed = others.map(|range| {
            let inside = &text[range.clone()];
            let start = range.start + (inside.len() - inside.trim_start().len());
            start..start + inside.trim().len()
        });
        covered.extend(trimmed.filter(|range| !range.is_empty()));
    }
    covered
}

pub fn unreadable(shown: &Path, namer: Namer, error: &io::Error) -> Finding {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Finding::error(
        codes::UNREADABLE_CONFIG,
        format!("cannot read the configuration {}: {what}", shown.display()),
        match namer {
            Namer::Flag => "correct the path behind --config".to_owned(),
            Namer::Variable(name) => format!("correct the path in {name}, or unset it"),
            Namer::Manifest => "correct the path, which begins at the manifest's directory".to_owned(),
            Namer::Place => "make it a text that you may read, or remove it".to_owned(),
        },
    )
}

/// The line is not shown: what is wrong with it may be a secret.
pub fn not_yaml(shown: &Path, error: &NotYaml) -> Finding {
    let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    Finding::error(
        codes::NOT_YAML,
        format!("the configuration {}{place} is not YAML: {}", shown.display(), error.message),
        "correct the file; the SDK ignores a file that it cannot read, and goes on without an endpoint",
    )
}
