//! Findings as annotations on the lines they are about.
//!
//! Source: "Workflow commands for GitHub Actions"; of each kind ten are shown per step.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Span};

/// How many of a kind GitHub shows per step.
const SHOWN: usize = 10;

/// Lines for a runner, and the number of findings that it would not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    pub lines: Vec<String>,
    pub left_out: usize,
}

/// The annotations of findings, errors first. `place` gives the path of a text as the repository has it.
pub fn annotations(diagnostics: &Diagnostics, place: impl Fn(&Path) -> String) -> Annotations {
    let of = |severity: Severity| diagnostics.list.iter().filter(move |finding| finding.severity == severity);
    let mut told = Annotations::default();
    for (severity, kind) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        told.lines.extend(of(severity).take(SHOWN).map(|finding| line(diagnostics, finding, kind, &place)));
        told.left_out += of(severity).count().saturating_sub(SHOWN);
    }
    told
}

/// An annotation of the whole step: what stopped it.
pub fn step_annotation(title: &str, message: &str) -> String {
    format!("::error title={}::{}", property(title), data(message))
}

fn line(diagnostics: &Diagnostics, finding: &Diagnostic, kind: &str, place: impl Fn(&Path) -> String) -> String {
    let sources = &diagnostics.sources;
    let mut properties = Vec::new();
    let mut message = finding.message.clone();
    if let Some(label) = finding.labels.first() {
        let (line, column) = sources.line_column(label.span);
        let end = Span { start: label.span.end.max(label.span.start), ..label.span };
        let (end_line, end_column) = sources.line_column(end);
        properties.push(format!("file={}", property(&place(sources.path(label.span.file)))));
        properties.push(format!("line={line}"));
        properties.push(format!("endLine={end_line}"));
        // Columns are for what lies within one line.
        if line == end_line {
            properties.push(format!("col={column}"));
            properties.push(format!("endColumn={}", end_column.max(column)));
        }
        if !label.text.is_empty() {
            message.push_str(&format!("\n{}", label.text));
        }
    }
    properties.push(format!("title={}", property(&format!("flyte::{}", finding.code))));
    if let Some(help) = &finding.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    format!("::{kind} {}::{}", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{SourceMap, codes};

    #[test]
    fn annotations_name_the_place_and_are_escaped() {
        let mut sources = SourceMap::default();
        let file = sources.add("a,b.toml", "x = 1\ny = [\n]\n");
        let found = vec![
            Diagnostic::warning(codes::UNUSED_VARIABLE, "100% unused").label(Span::new(file, 0..1), "this one"),
            Diagnostic::error(codes::WRONG_TYPE, "two\nlines").label(Span::new(file, 6..13), "").help("a: b"),
            Diagnostic::error(codes::UNKNOWN_APP, "nowhere"),
        ];
        let told = annotations(&Diagnostics::new(sources, found), |path| format!("apps/{}", path.display()));
        assert_eq!(told.left_out, 0);
        assert_eq!(
            told.lines,
            [
                "::error title=flyte%3A%3Amanifest%3A%3Aunknown_app::nowhere",
                "::error file=apps/a%2Cb.toml,line=2,endLine=3,title=flyte%3A%3Amanifest%3A%3Awrong_type::two%0Alines%0Ahelp: a: b",
                "::warning file=apps/a%2Cb.toml,line=1,endLine=1,col=1,endColumn=2,title=flyte%3A%3Amanifest%3A%3Aunused_variable::100%25 unused%0Athis one",
            ]
        );
    }

    #[test]
    fn no_more_are_made_than_are_shown() {
        let errors = (0..12).map(|n| Diagnostic::error(codes::UNKNOWN_APP, format!("e{n}")));
        let warnings = (0..15).map(|n| Diagnostic::warning(codes::UNUSED_VARIABLE, format!("w{n}")));
        let list = warnings.chain(errors).collect();
        let told = annotations(&Diagnostics::new(SourceMap::default(), list), |_| String::new());
        assert_eq!((told.lines.len(), told.left_out), (20, 7));
        assert!(told.lines[0].ends_with("e0") && told.lines[19].ends_with("w9"));
    }
}
