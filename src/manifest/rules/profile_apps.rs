//! A profile changes apps that are declared.

use std::collections::BTreeSet;

use super::super::{Document, Manifest, Value};
use crate::diagnostic::{Diagnostic, codes, did_you_mean};

pub fn check(manifest: &mut Manifest) -> Vec<Diagnostic> {
    if manifest.incomplete {
        return Vec::new();
    }
    let names = |document: &Document| -> Vec<String> {
        document.table.table("app").entries.iter().map(|entry| entry.key.clone()).collect()
    };
    let all: BTreeSet<String> = manifest.documents.iter().flat_map(names).collect();
    let mut findings = Vec::new();
    for (at, document) in manifest.documents.iter_mut().enumerate() {
        // The root's profiles reach every app, a member's its own.
        let known = if at == 0 { all.clone() } else { names(document).into_iter().collect() };
        let Some(Value::Table(profiles)) = document.table.get_mut("profile").map(|node| &mut node.value) else {
            continue;
        };
        for profile in &mut profiles.entries {
            let Value::Table(profile_table) = &mut profile.node.value else { continue };
            let Some(Value::Table(apps)) = profile_table.get_mut("app").map(|node| &mut node.value) else { continue };
            for entry in apps.entries.iter_mut().filter(|entry| !known.contains(&entry.key)) {
                let elsewhere = all.contains(&entry.key);
                let help = match did_you_mean(&entry.key, known.iter().map(String::as_str)) {
                    _ if elsewhere => "move it to the root, or to the manifest that declares the app".to_owned(),
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("declare it first, as `[app.{}]`: a profile changes apps, it adds none", entry.key),
                };
                let whose = if elsewhere { "of another member" } else { "that is not declared" };
                let message = format!("profile `{}` changes the app `{}` {whose}", profile.key, entry.key);
                findings.push(
                    Diagnostic::error(codes::UNKNOWN_APP, message).label(entry.key_span, "no such app here").help(help),
                );
                entry.node.value = Value::Mistaken;
            }
        }
    }
    findings
}
