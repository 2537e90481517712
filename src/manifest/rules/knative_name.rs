//! Apps get services of different names.
//!
//! The open-source control plane calls the service of an app `{name}-{project}-{domain}`, and cuts what is longer than
//! 63 characters to 54 and a hash of 8 digits. With one project and domain, whole names differ as app names do; cut
//! ones may agree in all but the hash. Source: the open-source backend's naming of Knative services.

use std::collections::BTreeMap;

use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};

const MAX_LENGTH: usize = 63;
const KEPT: usize = 54;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let (Some(project), Some(domain)) = (&view.project, &view.domain) else { return Vec::new() };
    let mut first: BTreeMap<String, &AppView> = BTreeMap::new();
    let mut findings = Vec::new();
    for app in &view.apps {
        let service = format!("{}-{project}-{domain}", app.name).to_lowercase();
        let visible: String = if service.len() > MAX_LENGTH { service.chars().take(KEPT).collect() } else { service };
        match first.get(&visible) {
            None => {
                first.insert(visible, app);
            }
            Some(other) if other.name == app.name => {}
            Some(other) => findings.push(
                Diagnostic::error(
                    codes::NAME_COLLISION,
                    format!("the services of `{}` and `{}` would both be called `{visible}…`", other.name, app.name),
                )
                .label(app.declared_at, "this app")
                .label(other.declared_at, "and this one")
                .help(format!(
                    "rename one of them: with the project and domain, only the first {KEPT} characters are kept"
                )),
            ),
        }
    }
    findings
}
