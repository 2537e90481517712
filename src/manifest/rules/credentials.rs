//! Passwords and tokens are not written into `env`: everyone who sees the app sees them.

use super::View;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::sensitive::{is_sensitive_name, looks_like_credential};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        for entry in &app.table.table("env").entries {
            let Some(text) = entry.node.as_text().filter(|text| !text.is_empty()) else { continue };
            let name = &entry.key;
            let finding = if looks_like_credential(text) {
                Diagnostic::error(codes::CREDENTIAL_IN_ENV, format!("the value of `{name}` looks like a credential"))
            } else if is_sensitive_name(name) && text.len() >= 8 && text.parse::<f64>().is_err() {
                Diagnostic::warning(codes::CREDENTIAL_IN_ENV, format!("`{name}` sounds like a credential"))
            } else {
                continue;
            };
            // The first label's text is hidden when this is shown.
            findings.push(
                finding
                    .label(entry.node.span, "readable by everyone who may see the app")
                    .help(format!("store it as a secret, and write `secrets = [{{ key = \"…\", env = \"{name}\" }}]`")),
            );
        }
    }
    findings
}
