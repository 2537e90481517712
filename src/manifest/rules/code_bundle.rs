//! An app names code that is stored already, or code to pack.

use super::View;
use crate::diagnostic::{Diagnostic, codes};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        let Some(stored) = app.table.entry("code_bundle") else { continue };
        let Some(packed) = app.table.entry("source").or_else(|| app.table.entry("include")) else { continue };
        findings.push(
            Diagnostic::error(codes::CONFLICTING_KEYS, format!("`{}` names stored code and code to pack", app.name))
                .label(stored.key_span, "runs what is stored here")
                .label(packed.key_span, "runs what is packed here")
                .help("remove one of the two"),
        );
    }
    findings
}
