//! Which source files changed between two bundles, and in which lines.

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use crate::bundle::FileChange;
use crate::diagnostic::is_command;
use crate::model::BundleRef;
use crate::model::source_text::concealed_lines;

/// The greatest size of a file that is compared line by line, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// The greatest number of lines, of both sides, between the first difference and the last.
const MAX_LINES: usize = 20_000;
/// How much work all files of a plan may make, counted as the square of such lines.
const WORK: usize = 2 * MAX_LINES * MAX_LINES;

/// Lines around a difference.
const CONTEXT: usize = 3;
/// What is shown of one file, in lines.
const SHOWN: usize = 300;
/// What is shown of all files, in lines.
const SHOWN_IN_ALL: usize = 4_000;
/// What is shown of one line, in characters.
const COLUMNS: usize = 400;

/// What the code of an app was and becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChange {
    pub old: BundleRef,
    pub new: BundleRef,
    pub files: Vec<ChangedFile>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    #[serde(flatten)]
    pub file: FileChange,
    pub content: Content,
    /// Where it was asked for.
    #[serde(skip)]
    pub patch: Option<Patch>,
}

/// What is known of the lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lines", rename_all = "snake_case")]
pub enum Content {
    Counted {
        added: usize,
        removed: usize,
    },
    /// Not text.
    Binary,
    /// Too large to compare.
    TooLarge,
    /// The old content is not here.
    Unknown,
}

/// Differences as `diff -u` writes them, below the names of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    pub lines: Vec<String>,
    /// How many lines more there are.
    pub left_out: usize,
}

/// What may still be spent on the files of one plan.
#[derive(Debug)]
pub struct Budget {
    work: usize,
    lines: usize,
    /// Whether patches are made.
    patches: bool,
}

impl Budget {
    /// With `patches`, each text is shown and not only counted.
    pub fn new(patches: bool) -> Self {
        Self { work: WORK, lines: SHOWN_IN_ALL, patches }
    }
}

impl CodeChange {
    /// Lines added and removed, as far as they were counted.
    pub fn counted(&self) -> (usize, usize) {
        self.files.iter().fold((0, 0), |(plus, minus), file| match file.content {
            Content::Counted { added, removed } => (plus + added, minus + removed),
            _ => (plus, minus),
        })
    }

    /// Whether the old content of some file is not here.
    pub fn has_unknown(&self) -> bool {
        self.files.iter().any(|file| file.content == Content::Unknown)
    }
}

/// Compares the contents of a file; `None` where it was not, or is not any more. `salt` is that of placeholders.
pub fn compare_contents(
    file: FileChange,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    salt: &str,
    budget: &mut Budget,
) -> ChangedFile {
    let (content, patch) = match (text(old), text(new)) {
        _ if [old, new].into_iter().flatten().any(|content| content.len() as u64 > MAX_FILE) => {
            (Content::TooLarge, None)
        }
        (Some(old), Some(new)) => compare_texts(&file.path, old, new, salt, budget),
        _ => (Content::Binary, None),
    };
    ChangedFile { file, content, patch }
}

/// `None` for what is no text.
fn text(content: Option<&[u8]>) -> Option<&str> {
    let content = content.unwrap_or_default();
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

fn compare_texts(path: &str, old: &str, new: &str, salt: &str, budget: &mut Budget) -> (Content, Option<Patch>) {
    let (left, right): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let before = same(&mut left.iter().zip(&right));
    let after = same(&mut left[before..].iter().rev().zip(right[before..].iter().rev()));
    let between = left.len() + right.len() - 2 * (before + after);
    let work = between.saturating_mul(between);
    if between > MAX_LINES || work > budget.work {
        return (Content::TooLarge, None);
    }
    budget.work -= work;
    let operations = capture_diff_slices(Algorithm::Myers, &left, &right);
    let changed = operations.iter().filter(|operation| operation.tag() != DiffTag::Equal);
    let (removed, added) = changed.fold((0, 0), |(minus, plus), operation| {
        (minus + operation.old_range().len(), plus + operation.new_range().len())
    });
    let patch = budget.patches.then(|| {
        let (old, new) = (concealed_lines(path, old, salt), concealed_lines(path, new, salt));
        patch(operations, &old, &new, budget)
    });
    (Content::Counted { added, removed }, patch)
}

/// Lines with their ends: a last line without one is another than one with it.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn patch(operations: Vec<DiffOp>, old: &[String], new: &[String], budget: &mut Budget) -> Patch {
    let mut all = Vec::new();
    for group in group_diff_ops(operations, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = |start: usize, end: usize| format!("{},{}", (start + 1).min(end), end - start);
        all.push(format!(
            "@@ -{} +{} @@",
            range(first.old_range().start, last.old_range().end),
            range(first.new_range().start, last.new_range().end)
        ));
        for operation in &group {
            if operation.tag() == DiffTag::Equal {
                all.extend(old[operation.old_range()].iter().map(|line| shown(' ', line)));
                continue;
            }
            all.extend(old[operation.old_range()].iter().map(|line| shown('-', line)));
            all.extend(new[operation.new_range()].iter().map(|line| shown('+', line)));
        }
    }
    let count = all.len();
    all.truncate(SHOWN.min(budget.lines));
    budget.lines -= all.len();
    Patch { left_out: count - all.len(), lines: all }
}

/// A line of a patch: no longer than can be read, and nothing that a terminal takes for a command.
fn shown(sign: char, line: &str) -> String {
    let harmless = |c: char| if is_command(c) && c != '\t' { '\u{fffd}' } else { c };
    let count = line.chars().count();
    let text: String = line.chars().take(COLUMNS).map(harmless).collect();
    match count.checked_sub(COLUMNS).filter(|more| *more > 0) {
        Some(more) => format!("{sign}{text}… ({more} characters more)"),
        None => format!("{sign}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::FileChangeKind;

    fn changed(old: &[u8], new: &[u8], budget: &mut Budget) -> ChangedFile {
        let file = FileChange {
            path: "a.py".into(),
            kind: FileChangeKind::Changed,
            old_size: Some(0),
            new_size: Some(0),
            executable: None,
        };
        compare_contents(file, Some(old), Some(new), "shop", budget)
    }

    fn check(old: &str, new: &str, expected: &[&str]) {
        let patch = changed(old.as_bytes(), new.as_bytes(), &mut Budget::new(true)).patch.unwrap();
        assert_eq!(
            (patch.lines.iter().map(String::as_str).collect::<Vec<_>>(), patch.left_out),
            (expected.to_vec(), 0)
        );
    }

    #[test]
    fn lines_are_counted_and_shown() {
        check("a\nb\nc\n", "a\nB\nc\n", &["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]);
        check("", "a\n", &["@@ -0,0 +1,1 @@", "+a"]);
        check("a\n", "a", &["@@ -1,1 +1,1 @@", "-a", "+a"]);
        check("a\u{1b}[2J\n", "b\n", &["@@ -1,1 +1,1 @@", "-a\u{fffd}[2J", "+b"]);
        check(
            "token = \"hunter2\"\n",
            "token = os.environ\n",
            &[
                "@@ -1,1 +1,1 @@",
                &format!("-token = \"{}\"", crate::model::sensitive::placeholder_of_line("shop", "hunter2")),
                "+token = os.environ",
            ],
        );
        let file = changed(b"a\nb\n", b"a\nc\nd\n", &mut Budget::new(false));
        assert_eq!((file.content, file.patch), (Content::Counted { added: 2, removed: 1 }, None));
    }

    #[test]
    fn what_is_no_text_or_too_large_is_said() {
        let content = |old: &[u8], new: &[u8]| changed(old, new, &mut Budget::new(true)).content;
        assert_eq!(content(b"a\0", b"b"), Content::Binary);
        assert_eq!(content(b"a", b"\xff"), Content::Binary);
        assert_eq!(content(&vec![b'a'; 1 + (1 << 20)], b"b"), Content::TooLarge);
        let different = |of: char| (0..15_000).map(|n| format!("{of}{n}\n")).collect::<String>();
        assert_eq!(content(different('a').as_bytes(), different('b').as_bytes()), Content::TooLarge);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let text = |of: char| (0..1_000).map(|n| format!("{of}{n}\n")).collect::<String>();
        let mut budget = Budget::new(true);
        for _ in 0..13 {
            changed(text('a').as_bytes(), text('b').as_bytes(), &mut budget);
        }
        let patch = changed(text('a').as_bytes(), text('b').as_bytes(), &mut budget).patch.unwrap();
        assert_eq!((patch.lines.len(), patch.left_out), (SHOWN_IN_ALL - 13 * SHOWN, 2_001 - 100));
        let long = "x".repeat(1_000);
        let patch = changed(long.as_bytes(), b"", &mut Budget::new(true)).patch.unwrap();
        assert!(patch.lines[1].ends_with("… (600 characters more)"), "{}", patch.lines[1]);
    }
}
