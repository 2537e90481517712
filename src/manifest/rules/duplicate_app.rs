//! A name belongs to one app of a workspace.

use std::collections::BTreeMap;

use super::super::Manifest;
use crate::diagnostic::{Diagnostic, Span, codes};

pub fn check(manifest: &Manifest) -> Vec<Diagnostic> {
    let mut first: BTreeMap<&str, Span> = BTreeMap::new();
    let mut findings = Vec::new();
    for entry in manifest.documents.iter().flat_map(|document| &document.table.table("app").entries) {
        let Some(other) = first.get(entry.key.as_str()) else {
            first.insert(&entry.key, entry.key_span);
            continue;
        };
        findings.push(
            Diagnostic::error(codes::DUPLICATE_APP, format!("two apps are called `{}`", entry.key))
                .label(entry.key_span, "the second")
                .label(*other, "the first")
                .help("rename one of them: a name belongs to one app of a project and domain"),
        );
    }
    findings
}
