//! An app says what to run, and for a real control plane in which image.

use super::super::Entry;
use super::View;
use super::pod_template::has_image;
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::Schema;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    if view.manifest.incomplete {
        return Vec::new();
    }
    let Some(known) = Schema::load().table("app") else { return Vec::new() };
    let mut findings = Vec::new();
    for app in &view.apps {
        let has = |key: &str| app.table.get(key).is_some();
        // A key that is not known may be one of those meant.
        let misspelt = |entry: &Entry| known.key(&entry.key).is_none_or(|key| key.planned);
        if has("image") || has_image(view, app) || app.table.entries.iter().any(misspelt) {
            continue;
        }
        if !has("args") && !has("command") && !has("python") {
            findings.push(
                Diagnostic::error(codes::NOTHING_TO_RUN, format!("`{}` does not say what to run", app.name))
                    .label(app.declared_at, "neither `args` nor `command` nor `image`")
                    .help("add `args = [\"python\", \"app.py\"]`, or the `image` to run"),
            );
        } else if !view.is_local {
            findings.push(
                Diagnostic::error(codes::MISSING_IMAGE, format!("`{}` has no `image`", app.name))
                    .label(app.declared_at, "needed on this target")
                    .help("add `image = \"registry/name:tag\"`; only the embedded control plane, `--target local`, does without"),
            );
        }
    }
    findings
}
