//! Variables that nothing uses, profiles that change nothing.

use std::collections::BTreeSet;

use super::super::{Manifest, Node, Table, Value};
use crate::diagnostic::{Diagnostic, codes};

pub fn check(manifest: &Manifest) -> Vec<Diagnostic> {
    if manifest.incomplete {
        return Vec::new();
    }
    let mut used = BTreeSet::new();
    for document in &manifest.documents {
        collect(&document.table, &mut used);
    }
    let mut findings = Vec::new();
    for document in &manifest.documents {
        let vars = |table: &Table| table.table("vars").clone();
        let profiles = &document.table.table("profile").entries;
        let own = vars(&document.table);
        let in_profiles = profiles.iter().filter_map(|entry| entry.node.as_table()).map(vars);
        for entry in std::iter::once(own).chain(in_profiles).flat_map(|table| table.entries) {
            if !used.contains(entry.key.as_str()) {
                findings.push(
                    Diagnostic::warning(codes::UNUSED_VARIABLE, format!("nothing uses the variable `{}`", entry.key))
                        .label(entry.key_span, "set here")
                        .help(format!("write `${{vars.{}}}` inside a string, or remove it", entry.key)),
                );
            }
        }
        for entry in profiles.iter().filter(|entry| entry.node.as_table().is_some_and(is_empty)) {
            findings.push(
                Diagnostic::warning(codes::UNUSED_PROFILE, format!("the profile `{}` changes nothing", entry.key))
                    .label(entry.key_span, "empty")
                    .help("say what is different under it, or remove it"),
            );
        }
    }
    findings
}

/// No value anywhere inside.
fn is_empty(table: &Table) -> bool {
    table.entries.iter().all(|entry| entry.node.as_table().is_some_and(is_empty))
}

/// The variables that texts name.
fn collect(table: &Table, used: &mut BTreeSet<String>) {
    table.entries.iter().for_each(|entry| collect_node(&entry.node, used));
}

fn collect_node(node: &Node, used: &mut BTreeSet<String>) {
    match &node.value {
        Value::Text(text) => {
            let names = text.split("${vars.").skip(1).filter_map(|rest| rest.split_once('}'));
            used.extend(names.map(|(name, _)| name.trim().to_owned()));
        }
        Value::List(nodes) => nodes.iter().for_each(|node| collect_node(node, used)),
        Value::Table(table) => collect(table, used),
        _ => {}
    }
}
