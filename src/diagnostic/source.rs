//! The texts that spans point into.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::printable;

/// A text of a [`SourceMap`]; the first by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FileId(pub u32);

/// A byte range in a text; the beginning of the first by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: usize,
    /// Exclusive.
    pub end: usize,
}

impl Span {
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        Self { file, start: range.start, end: range.end }
    }
}

#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As it was added: of a manifest, relative to its root. The same wherever somebody stands.
    pub name: PathBuf,
    /// As shown to people: relative to the working directory where that is shorter.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Ranges that are not for other eyes, in their order: covered wherever their lines are shown.
    pub covered: Vec<(usize, usize)>,
}

/// Every text a run has read, by [`FileId`].
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than 2^32 files"));
        let path = path.into();
        self.files.push(SourceFile { name: path.clone(), path, text: text.into(), covered: Vec::new() });
        id
    }

    /// Covers parts of the texts, whatever is said about them.
    pub fn cover(&mut self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            self.files[span.file.0 as usize].covered.push((span.start, span.end));
        }
        for file in &mut self.files {
            file.covered.sort_unstable();
            file.covered.dedup();
        }
    }

    /// The covered texts in the line where a span begins.
    pub fn covered_beside(&self, span: Span) -> impl Iterator<Item = &str> {
        let SourceFile { text, covered, .. } = self.file(span.file);
        let at = span.start.min(text.len());
        let start = text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end =
            text.as_bytes()[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |newline| at + newline);
        let first = covered.partition_point(|(from, _)| *from < start);
        let here = covered[first..].iter().take_while(move |(from, _)| *from <= end);
        here.filter_map(move |(from, to)| text.get(*from..*to))
    }

    /// Shows paths that are relative to `root` as somebody in `directory` would type them. Both are absolute.
    pub fn seen_from(&mut self, root: &Path, directory: &Path) {
        for file in &mut self.files {
            let path = root.join(&file.path);
            let shared = path.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
            let up = directory.components().count() - shared;
            // Far away, the whole path says more than a row of dots.
            file.path = if up > 3 {
                path
            } else {
                std::iter::repeat_n(Component::ParentDir, up).chain(path.components().skip(shared)).collect()
            };
        }
    }

    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    pub fn path(&self, id: FileId) -> &Path {
        &self.file(id).path
    }

    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.start..span.end).unwrap_or("")
    }

    /// One-based line and column (in characters) of a span's start.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let text = &self.file(span.file).text;
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// `path:line:column`, as compilers write it.
    pub fn locate(&self, span: Span) -> String {
        let (line, column) = self.line_column(span);
        format!("{}:{line}:{column}", printable(&self.path(span.file).to_string_lossy()))
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(at as u32), file))
    }
}

/// The byte at a line and column, both counted from 1, columns in characters.
pub fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or("");
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_from_where_somebody_stands() {
        let check = |directory: &str, expected: &str| {
            let mut sources = SourceMap::default();
            let file = sources.add("apps/web/flyte.toml", "");
            sources.seen_from(Path::new("/home/me/shop"), Path::new(directory));
            assert_eq!(sources.path(file), Path::new(expected));
        };
        check("/home/me/shop", "apps/web/flyte.toml");
        check("/home/me", "shop/apps/web/flyte.toml");
        check("/home/me/shop/apps/web", "flyte.toml");
        check("/home/me/shop/apps/api/src", "../../web/flyte.toml");
        check("/var/lib/some/where", "/home/me/shop/apps/web/flyte.toml");
    }
}
