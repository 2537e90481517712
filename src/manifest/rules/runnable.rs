//! An app says what to run, and for a real control plane in which image.

use super::super::{Entry, format};
use super::pod_template::{gives_command, has_image};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::schema::Schema;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    if view.manifest.incomplete {
        return Vec::new();
    }
    let Some(known) = Schema::load().table("app") else { return Vec::new() };
    // A key that is not known may be one of those meant.
    let misspelt = |entry: &Entry| known.key(&entry.key).is_none_or(|key| key.planned);
    let apps = view.apps.iter().filter(|app| !app.table.entries.iter().any(misspelt));
    apps.filter_map(|app| of_app(view, app)).collect()
}

fn of_app(view: &View<'_>, app: &AppView) -> Option<Diagnostic> {
    let image = app.table.entry("image").map(|entry| entry.key_span);
    let has_image = image.is_some() || has_image(view, app);
    let args = app.table.entry("args");
    let runs = args.is_some_and(says_something) || ["command", "python"].iter().any(|key| app.table.get(key).is_some());
    let at = args.map_or(app.declared_at, |entry| entry.key_span);
    let label = if args.is_some() { "nothing in it" } else { "neither `args` nor `command`" };
    match (runs, has_image) {
        (false, true) if is_pickled(app) || gives_command(view, app) => None,
        (false, true) => Some(only_an_image(app, at, label, image)),
        (false, false) => Some(
            Diagnostic::error(codes::NOTHING_TO_RUN, format!("`{}` does not say what to run", app.name))
                .label(at, label)
                .help(if view.is_local {
                    "add `args = [\"python\", \"app.py\"]`"
                } else {
                    "add `args = [\"python\", \"app.py\"]`, and the `image` to run it in"
                }),
        ),
        (true, false) if !view.is_local => Some(
            Diagnostic::error(codes::MISSING_IMAGE, format!("`{}` has no `image`", app.name))
                .label(app.declared_at, "needed on this target")
                .help("add `image = \"registry/name:tag\"`; only the embedded control plane, `--target local`, does without"),
        ),
        (true, _) => None,
    }
}

/// The SDK sends such an app all the same, so it is no mistake to have one.
fn only_an_image(app: &AppView, at: Span, label: &str, image: Option<Span>) -> Diagnostic {
    let message = format!("`{}` has an image and nothing to run in it, so it would not start", app.name);
    let finding = Diagnostic::warning(codes::NOTHING_TO_RUN, message).label(at, label);
    let finding = image.into_iter().fold(finding, |finding, image| {
        finding.label(image, "Flyte's starter takes the place of what it starts by itself")
    });
    finding.help("write `command = []` to run what the image itself starts, or `args = [\"python\", \"app.py\"]` to run something else in it")
}

/// What is mistaken is somebody else's finding.
fn says_something(args: &Entry) -> bool {
    match args.node.as_text() {
        Some(text) => format::words(text).is_ok_and(|words| !words.is_empty()),
        None => args.node.is_mistaken() || !args.node.elements().is_empty(),
    }
}

/// The code is the object to serve.
fn is_pickled(app: &AppView) -> bool {
    app.table.table("code_bundle").get("pickled").is_some_and(|pickled| pickled.as_boolean() != Some(false))
}
