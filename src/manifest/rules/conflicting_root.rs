//! A member of a workspace does not contradict its root.

use super::super::{Entry, Manifest, Value};
use crate::diagnostic::{Diagnostic, codes};

/// Keys that are the root's; a member may repeat them.
const SHARED: [&str; 6] = ["name", "org", "project", "domain", "target", "releases"];

pub fn check(manifest: &mut Manifest) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let (root, members) = manifest.documents.split_at_mut(1);
    let Some(root) = root.first() else { return findings };
    for member in members {
        for key in SHARED {
            let Some(entry) = member.table.remove(key) else { continue };
            findings.extend(conflict(&entry, root.table.entry(key)));
        }
        if let Some(entry) = member.table.remove("workspace") {
            findings.push(
                Diagnostic::error(codes::CONFLICTING_ROOT, "a member of a workspace cannot be a workspace")
                    .label(entry.key_span, "inside the workspace of the root")
                    .help("list these members in the root's `workspace.members`"),
            );
        }
    }
    findings
}

fn conflict(entry: &Entry, root: Option<&Entry>) -> Option<Diagnostic> {
    let key = &entry.key;
    let finding = |message: String| Diagnostic::error(codes::CONFLICTING_ROOT, message);
    match (&entry.node.value, root.map(|root| &root.node.value)) {
        (Value::Mistaken, _) | (_, Some(Value::Mistaken)) => None,
        (Value::Text(here), Some(Value::Text(there))) if here == there => None,
        (Value::Text(here), Some(Value::Text(there))) => {
            let root = root.map(|root| root.node.span)?;
            let finding =
                finding(format!("`{key}` is `{here}` in a member and `{there}` in the root of the workspace"));
            let help = format!("remove `{key}` from the member: the root decides it for the whole workspace");
            Some(finding.label(entry.node.span, "the member").label(root, "the root").help(help))
        }
        (Value::Table(_), _) if key == "releases" => Some(
            finding("a member of a workspace has no releases of its own".to_owned())
                .label(entry.key_span, "declared in a member")
                .help("move the table to the root: the whole workspace is on record in one place"),
        ),
        (Value::Table(_), _) => Some(
            finding("a member of a workspace declares no targets".to_owned())
                .label(entry.key_span, "declared in a member")
                .help("move the table to the root: it decides where the whole workspace goes"),
        ),
        _ => {
            let mut finding = finding(format!("`{key}` is set in a member and not in the root of the workspace"))
                .label(entry.node.span, "the member")
                .help(format!("move `{key}` to the root: it holds for the whole workspace"));
            if let Some(root) = root {
                finding = finding.label(root.key_span, "the root");
            }
            Some(finding)
        }
    }
}
