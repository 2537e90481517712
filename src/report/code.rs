//! What changed in the code of an app, as people read it: files, their sizes and lines, and the lines themselves.

use super::paint::Paint;
use super::words::{bytes, count};
use crate::bundle::FileChangeKind;
use crate::diagnostic::printable;
use crate::diff::{ChangedFile, CodeChange, Content, Patch};
use crate::model::AppName;
use crate::plan::AppPlan;

/// How many changed files are named before the rest is counted.
const FILES_SHOWN: usize = 20;

/// The lines about the code. `shown_at`: the app where the same change is shown line by line.
pub fn lines(app: &AppPlan, shown_at: Option<&AppName>, paint: Paint) -> Vec<String> {
    let Some(change) = &app.code else {
        let Some(bundle) = app.bundle.as_ref().filter(|_| app.changes_code()) else { return Vec::new() };
        let size = bundle.files.iter().map(|file| file.size).sum();
        return vec![format!("code  {}, {}", count(bundle.files.len(), "file"), bytes(size))];
    };
    let mut lines = vec![format!("code  {}", headline(app, change))];
    let is_patched = |file: &&ChangedFile| file.patch.is_some();
    // Whoever asked for the lines sees all of them.
    let named = if change.files.iter().any(|file| is_patched(&file)) { change.files.len() } else { FILES_SHOWN };
    for file in change.files.iter().take(named) {
        lines.push(format!("  {}", file_text(file, paint)));
        if let Some(patch) = file.patch.as_ref().filter(|_| shown_at.is_none()) {
            lines.extend(patch_text(patch, paint).into_iter().map(|line| format!("    {line}")));
        }
    }
    if let Some(more) = change.files.len().checked_sub(named).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more; `flyte bundle {}` lists every file", app.name));
    }
    if let Some(first) = shown_at.filter(|_| change.files.iter().any(|file| is_patched(&file))) {
        lines.push(paint.dim(format!("  the lines are shown at `{first}`")));
    }
    lines
}

/// `2 files changed: 3 lines added, 1 removed`
pub fn headline(app: &AppPlan, change: &CodeChange) -> String {
    let files = format!("{} changed", count(change.files.len(), "file"));
    let (added, removed) = change.counted();
    match (added + removed > 0, change.has_unknown()) {
        (true, false) => format!("{files}: {} added, {removed} removed", count(added, "line")),
        (false, false) => files,
        // What a release brings back is nowhere to be fetched from, and `plan` would compare with what is declared.
        (_, true) if app.restores => files,
        (_, true) => format!("{files}; `flyte plan --diff` fetches the old code and counts the lines"),
    }
}

/// `~ serve.py  1.9 KiB → 2.0 KiB  +3 -1`
pub fn file_text(changed: &ChangedFile, paint: Paint) -> String {
    let file = &changed.file;
    let path = printable(&file.path);
    let size = |size: Option<u64>| size.map_or(String::new(), bytes);
    let lines = known(changed.content);
    let mode = match file.executable {
        None => "",
        Some(true) => "  executable bit set",
        Some(false) => "  executable bit cleared",
    };
    match file.kind {
        FileChangeKind::Added => paint.good(format!("+ {path}  {}{lines}", size(file.new_size))),
        FileChangeKind::Removed => paint.bad(format!("- {path}{lines}")),
        FileChangeKind::Mode => paint.change(format!("~ {path}{mode}")),
        FileChangeKind::Changed => {
            paint.change(format!("~ {path}  {} → {}{lines}{mode}", size(file.old_size), size(file.new_size)))
        }
    }
}

/// What is known of the lines. What is not known is not told here: the headline says how to find out.
fn known(content: Content) -> String {
    match content {
        Content::Counted { added: 0, removed: 0 } | Content::Unknown => String::new(),
        Content::Counted { added, removed: 0 } => format!("  +{added}"),
        Content::Counted { added: 0, removed } => format!("  -{removed}"),
        Content::Counted { added, removed } => format!("  +{added} -{removed}"),
        Content::Binary => "  binary".to_owned(),
        Content::TooLarge => "  too large to compare".to_owned(),
    }
}

fn patch_text(patch: &Patch, paint: Paint) -> Vec<String> {
    let painted = |line: &String| match line.chars().next() {
        Some('+') => paint.good(line),
        Some('-') => paint.bad(line),
        Some('@') => paint.info(line),
        _ => line.clone(),
    };
    let mut lines: Vec<String> = patch.lines.iter().map(painted).collect();
    if patch.left_out > 0 {
        lines.push(paint.dim(format!("… {} more", count(patch.left_out, "line"))));
    }
    lines
}
