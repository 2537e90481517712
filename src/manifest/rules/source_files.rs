//! Code that is to be packed exists, and lies inside the workspace.

use std::path::Path;

use super::super::paths::{is_glob, normal};
use super::super::{Node, Value};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::port::FileKind;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(|app| of_app(view, app)).collect()
}

fn of_app(view: &View<'_>, app: &AppView) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let source = app.table.get("source");
    let root = source.and_then(|source| match &source.value {
        Value::Text(_) => Some(source),
        _ => source.as_table()?.get("root"),
    });
    let mut directory = normal(&app.directory);
    if let Some(node) = root {
        let Some(text) = node.as_text() else { return findings };
        directory = normal(&app.directory.join(text));
        if !directory.starts_with(&view.manifest.root) {
            findings.push(
                Diagnostic::error(codes::OUTSIDE_ROOT, format!("`{text}` leads out of the workspace"))
                    .label(node.span, format!("outside {}", shown(&view.manifest.root)))
                    .help("name a directory inside it, or put the manifest further up"),
            );
            return findings;
        }
        match view.manifest.files.get(&directory) {
            Some(None) => {
                findings.push(
                    Diagnostic::error(codes::MISSING_FILE, format!("the directory `{text}` does not exist"))
                        .label(node.span, "nothing is there")
                        .help("create it, or correct the path: it is relative to the manifest"),
                );
                return findings;
            }
            Some(Some(FileKind::File | FileKind::Other)) => {
                findings.push(
                    Diagnostic::error(codes::MISSING_FILE, format!("`{text}` is not a directory"))
                        .label(node.span, "a file")
                        .help(format!(
                            "name its directory, and the file as `source.include = [\"{}\"]`",
                            file_name(text)
                        )),
                );
                return findings;
            }
            _ => {}
        }
    }
    let lists = [app.table.table("source").get("include"), app.table.get("include")];
    for node in lists.into_iter().flatten().flat_map(Node::elements) {
        let Some(text) = node.as_text() else { continue };
        if view.manifest.files.get(&directory.join(text)) == Some(&None) {
            let (message, label) = if is_glob(text) {
                (format!("`{text}` finds no file"), "no match")
            } else {
                (format!("`{text}` does not exist"), "nothing is there")
            };
            findings.push(
                Diagnostic::error(codes::MISSING_FILE, message)
                    .label(node.span, label)
                    .help(format!("correct or remove it: it is looked up in {}", place(view, &directory))),
            );
        }
    }
    findings
}

fn file_name(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(|| "/".to_owned(), |name| format!("`{}`", name.to_string_lossy()))
}

/// A directory as people know it.
fn place(view: &View<'_>, directory: &Path) -> String {
    match directory.strip_prefix(&view.manifest.root) {
        Ok(inside) if inside.as_os_str().is_empty() => "the manifest's directory".to_owned(),
        Ok(inside) => format!("`{}`", inside.display()),
        Err(_) => directory.display().to_string(),
    }
}
