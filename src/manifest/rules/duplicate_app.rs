//! A name belongs to one app of a workspace.

use std::collections::BTreeMap;

use super::super::Manifest;
use crate::diagnostic::{Diagnostic, Span, codes};

pub fn check(manifest: &mut Manifest) -> Vec<Diagnostic> {
    let mut first: BTreeMap<String, Span> = BTreeMap::new();
    let mut findings = Vec::new();
    for document in &mut manifest.documents {
        let Some(apps) = document.table.get_mut("app") else { continue };
        let super::super::Value::Table(apps) = &mut apps.value else { continue };
        apps.entries.retain(|entry| {
            let Some(other) = first.get(&entry.key) else {
                first.insert(entry.key.clone(), entry.key_span);
                return true;
            };
            findings.push(
                Diagnostic::error(codes::DUPLICATE_APP, format!("two apps are called `{}`", entry.key))
                    .label(entry.key_span, "the second")
                    .label(*other, "the first")
                    .help("rename one of them: a name belongs to one app of a project and domain"),
            );
            false
        });
    }
    findings
}
