//! A pod template has a place for the app, and what the app replaces in it is told.

use serde_json::Value as Json;

use super::super::pod::template;
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::pod::APP_CONTAINER;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(|app| of_app(view, app)).collect()
}

fn of_app(view: &View<'_>, app: &AppView) -> Vec<Diagnostic> {
    let Some(node) = app.table.get("pod_template") else { return Vec::new() };
    let template = match template(view.manifest, &app.directory, node) {
        Ok(Some(template)) => template,
        Ok(None) => return Vec::new(),
        Err(findings) => return findings,
    };
    let mut findings = Vec::new();
    let containers = template.spec.get("containers").and_then(Json::as_array).into_iter().flatten();
    for container in containers.filter(|container| container["name"] == APP_CONTAINER) {
        for member in ["command", "args"].into_iter().filter(|member| container.get(member).is_some()) {
            findings.push(
                Diagnostic::warning(
                    codes::CONFLICTING_KEYS,
                    format!("`{member}` of the container `{APP_CONTAINER}` is replaced by the app's"),
                )
                .label(node.span, "in this pod")
                .help(format!("remove it there, and say it as `{member}` of `{}`", app.name)),
            );
        }
        if let (Some(_), Some(image)) = (container["image"].as_str(), app.table.entry("image")) {
            findings.push(
                Diagnostic::warning(codes::CONFLICTING_KEYS, "the pod's own image is run, not this one")
                    .label(image.key_span, "has no effect")
                    .label(node.span, format!("its container `{APP_CONTAINER}` names an image"))
                    .help("remove one of the two"),
            );
        }
    }
    findings
}

/// Whether the pod brings an image of its own, as far as can be told.
pub fn has_image(view: &View<'_>, app: &AppView) -> bool {
    app_container_has(view, app, |container| container["image"].is_string())
}

/// Whether the pod says what to run, which is told to have no effect.
pub fn gives_command(view: &View<'_>, app: &AppView) -> bool {
    app_container_has(view, app, |container| ["command", "args"].iter().any(|member| container.get(member).is_some()))
}

fn app_container_has(view: &View<'_>, app: &AppView, has: fn(&Json) -> bool) -> bool {
    let Some(node) = app.table.get("pod_template") else { return false };
    match template(view.manifest, &app.directory, node) {
        Ok(Some(template)) => {
            let containers = template.spec.get("containers").and_then(Json::as_array);
            containers.into_iter().flatten().any(|one| one["name"] == APP_CONTAINER && has(one))
        }
        // Something else is said about it.
        _ => true,
    }
}
