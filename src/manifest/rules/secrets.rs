//! A secret goes into a variable or a file, and each file is there once.

use std::collections::BTreeMap;

use super::super::Node;
use super::View;
use crate::diagnostic::{Diagnostic, Span, codes};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        let mut mounted: BTreeMap<(&str, &str), Span> = BTreeMap::new();
        for node in app.table.get("secrets").map_or(&[][..], Node::elements) {
            let Some(table) = node.as_table() else { continue };
            let (Some(mount), Some(key)) = (table.entry("mount"), table.text("key")) else { continue };
            if let Some(variable) = table.entry("env") {
                findings.push(
                    Diagnostic::error(codes::CONFLICTING_KEYS, format!("the secret `{key}` has two places to go"))
                        .label(mount.key_span, "a file")
                        .label(variable.key_span, "a variable")
                        .help("remove one of the two, or name the secret twice: Flyte keeps only the variable"),
                );
            } else if let Some(other) = mounted.insert((table.text("group").unwrap_or(""), key), node.span) {
                findings.push(
                    Diagnostic::error(codes::DUPLICATE_VARIABLE, format!("the secret `{key}` is mounted twice"))
                        .label(node.span, "here")
                        .label(other, "and here")
                        .help("remove one"),
                );
            }
        }
    }
    findings
}
