//! Which manifests belong together: the members of a workspace, and the root above a directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::parse::parse;
use super::{FILE_NAME, LoadError, MAX_APPS, MAX_BYTES, Node, Table, Value, format, paths};
use crate::diagnostic::{Diagnostic, FileId, codes};
use crate::port::{FileKind, Files};
use crate::schema::Format;

/// The manifest that governs `directory`, absolute: the nearest `flyte.toml` in it or above, or the workspace root
/// above that lists that one as a member.
///
/// # Errors
/// [`LoadError::NotFound`].
pub fn find(files: &dyn Files, directory: &Path) -> Result<PathBuf, LoadError> {
    let mut nearest: Option<&Path> = None;
    for candidate in directory.ancestors() {
        let path = candidate.join(FILE_NAME);
        if files.kind(&path) != Some(FileKind::File) {
            continue;
        }
        match nearest {
            None => nearest = Some(candidate),
            Some(member) if lists(files, candidate, member) => return Ok(path),
            Some(_) => {}
        }
    }
    nearest.map(|directory| directory.join(FILE_NAME)).ok_or_else(|| LoadError::NotFound(directory.to_owned()))
}

/// Whether the manifest in `root` is a workspace with `member` in it.
fn lists(files: &dyn Files, root: &Path, member: &Path) -> bool {
    let Ok(text) = files.read_text(&root.join(FILE_NAME)) else { return false };
    if text.len() > MAX_BYTES {
        return false;
    }
    let table = parse(FileId(0), &text).table;
    members(files, root, &table).0.iter().any(|directory| directory == member)
}

/// The directories of the members that a root text names, sorted, the root itself not among them.
pub fn members(files: &dyn Files, root: &Path, table: &Table) -> (Vec<PathBuf>, Vec<Diagnostic>) {
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    let mut findings = Vec::new();
    let patterns = match table.table("workspace").get("members").map(|node| &node.value) {
        Some(Value::List(patterns)) => patterns.as_slice(),
        _ => &[],
    };
    for pattern in patterns {
        let Some(text) = pattern.as_text().filter(|text| format::check(Format::Glob, text).is_ok()) else { continue };
        let directories: Vec<PathBuf> = paths::expand(files, root, text)
            .into_iter()
            .filter(|directory| files.kind(&directory.join(FILE_NAME)) == Some(FileKind::File))
            .collect();
        if directories.is_empty() {
            findings.push(nothing(pattern, text));
        }
        found.extend(directories);
        if found.len() > MAX_APPS {
            findings.push(
                Diagnostic::error(codes::TOO_LARGE, format!("more than {MAX_APPS} members"))
                    .label(pattern.span, "finds too many")
                    .help("narrow it, or divide the workspace"),
            );
            found.clear();
            break;
        }
    }
    found.remove(root);
    (found.into_iter().collect(), findings)
}

fn nothing(pattern: &Node, text: &str) -> Diagnostic {
    let help = if paths::is_glob(text) {
        "correct the glob, or remove it; a member is a directory with a flyte.toml in it".to_owned()
    } else {
        format!("correct the path, or write {text}/{FILE_NAME}")
    };
    Diagnostic::error(codes::MISSING_FILE, format!("the workspace has no member `{text}`"))
        .label(pattern.span, "no flyte.toml is found there")
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::memory::MemoryFiles;

    #[test]
    fn the_governing_manifest_is_found() {
        let mut files = MemoryFiles::default();
        files.insert("/w/flyte.toml", "[workspace]\nmembers = [\"apps/*\"]");
        files.insert("/w/apps/web/flyte.toml", "");
        files.insert("/w/apps/web/src/app.py", "");
        files.insert("/w/other/flyte.toml", "");
        files.insert("/w/plain/app.py", "");
        files.insert("/x/app.py", "");
        let check = |directory: &str, expected: Option<&str>| {
            let found = find(&files, Path::new(directory)).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{directory}");
        };
        check("/w/apps/web/src", Some("/w/flyte.toml"));
        check("/w/apps/web", Some("/w/flyte.toml"));
        check("/w/other", Some("/w/other/flyte.toml"));
        check("/w/plain", Some("/w/flyte.toml"));
        check("/w", Some("/w/flyte.toml"));
        check("/x", None);
    }
}
