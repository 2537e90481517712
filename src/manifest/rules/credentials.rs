//! Passwords and tokens are not written down: everyone who sees the app sees its variables, parameters and pod.

use super::super::{Node, Table};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::sensitive::{holds_credential, is_sensitive_name, looks_like_credential};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        for (name, node) in values(app) {
            let Some(text) = node.as_text().filter(|text| !text.is_empty()) else { continue };
            let finding = if looks_like_credential(text) {
                Diagnostic::error(codes::CREDENTIAL_IN_ENV, format!("the value of `{name}` looks like a credential"))
            } else if holds_credential(text) {
                Diagnostic::warning(
                    codes::CREDENTIAL_IN_ENV,
                    format!("the value of `{name}` seems to hold a credential"),
                )
            } else if is_sensitive_name(name) && text.len() >= 8 && text.parse::<f64>().is_err() {
                Diagnostic::warning(codes::CREDENTIAL_IN_ENV, format!("`{name}` sounds like a credential"))
            } else {
                continue;
            };
            findings.push(
                finding
                    .conceal(node.span)
                    .label(node.span, "readable by everyone who may see the app")
                    .help(format!("store it as a secret, and write `secrets = [{{ key = \"…\", env = \"{name}\" }}]`")),
            );
        }
    }
    findings
}

/// Variables, parameters (by the variable that receives them, where there is one), and variables of a pod written here.
fn values(app: &AppView) -> Vec<(&str, &Node)> {
    let mut values: Vec<(&str, &Node)> =
        app.table.table("env").entries.iter().map(|entry| (entry.key.as_str(), &entry.node)).collect();
    for entry in &app.table.table("parameters").entries {
        match entry.node.as_table() {
            Some(table) => {
                let name = table.text("env").unwrap_or(&entry.key);
                let texts = ["value", "file", "directory"].into_iter().filter_map(|key| table.get(key));
                values.extend(texts.map(|node| (name, node)));
            }
            None => values.push((&entry.key, &entry.node)),
        }
    }
    if let Some(spec) = app.table.table("pod_template").get("pod_spec").and_then(Node::as_table) {
        let containers = ["containers", "initContainers"].into_iter().filter_map(|key| spec.get(key));
        for container in containers.flat_map(Node::elements).filter_map(Node::as_table) {
            values.extend(container.get("env").map_or(&[][..], Node::elements).iter().filter_map(variable));
        }
    }
    values
}

/// A variable as Kubernetes writes it.
fn variable(node: &Node) -> Option<(&str, &Node)> {
    let table: &Table = node.as_table()?;
    Some((table.text("name")?, table.get("value")?))
}
