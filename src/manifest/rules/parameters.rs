//! A parameter has exactly one value, and nothing that its kind of value has no use for.

use super::super::{Entry, Table};
use super::View;
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::Schema;

/// The keys that give the value.
const VALUES: [&str; 6] = ["value", "file", "directory", "endpoint", "run_output", "artifact"];

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        for entry in &app.table.table("parameters").entries {
            if let Some(table) = entry.node.as_table() {
                findings.extend(one_value(entry, table).or_else(|| useless(entry, table)));
                findings.extend(run_output(entry, table));
            }
            if let Some(other) = app.table.table("env").entry(&entry.key)
                && other.node.as_table().is_some()
            {
                findings.push(
                    Diagnostic::error(
                        codes::DUPLICATE_VARIABLE,
                        format!("the parameter `{}` is there twice", entry.key),
                    )
                    .label(entry.key_span, "declared here")
                    .label(other.key_span, "an endpoint in `env` is a parameter of this name")
                    .help("give the parameter another name"),
                );
            }
        }
    }
    findings
}

fn one_value(entry: &Entry, table: &Table) -> Option<Diagnostic> {
    let given: Vec<&Entry> = VALUES.iter().filter_map(|key| table.entry(key)).collect();
    let name = &entry.key;
    // A key that is not known may be the value.
    let kind = Schema::load().table("parameter");
    let misspelt = || table.entries.iter().any(|entry| kind.is_some_and(|kind| kind.key(&entry.key).is_none()));
    match given.as_slice() {
        [_] => None,
        [] if misspelt() => None,
        [] => Some(
            Diagnostic::error(codes::MISSING_KEY, format!("the parameter `{name}` has no value"))
                .label(entry.key_span, "no value")
                .help("add one of `value`, `file`, `directory`, `endpoint`, `run_output` and `artifact`"),
        ),
        [first, others @ ..] => {
            let finding =
                Diagnostic::error(codes::CONFLICTING_KEYS, format!("the parameter `{name}` has several values"))
                    .label(first.key_span, "a value");
            let finding = others.iter().fold(finding, |finding, other| finding.label(other.key_span, "another"));
            Some(finding.help("keep one of them"))
        }
    }
}

/// Keys beside a value that has no use for them.
fn useless(entry: &Entry, table: &Table) -> Option<Diagnostic> {
    let value = VALUES.into_iter().find(|key| table.get(key).is_some())?;
    let kind = match value {
        "value" => table.text("type").unwrap_or("string"),
        "run_output" => table.table("run_output").text("type").unwrap_or("string"),
        other => other,
    };
    let is_fetched = matches!(kind, "file" | "directory" | "artifact");
    let unfit = [
        ("type", value == "value", "only a `value` can stand for something else"),
        ("public", kind == "endpoint", "only an endpoint has it"),
        ("external", kind == "endpoint", "only an endpoint has it"),
        ("depends", kind == "endpoint", "only an endpoint has it"),
        ("download", is_fetched, "only files and directories are fetched"),
        ("mount", is_fetched, "only files and directories are fetched"),
        ("ignore_patterns", is_fetched && kind != "file", "only a directory has names inside"),
    ];
    if let Some((key, _, label)) = unfit.into_iter().find(|(key, fits, _)| !fits && table.get(key).is_some()) {
        let span = table.entry(key)?.key_span;
        return Some(
            Diagnostic::error(
                codes::CONFLICTING_KEYS,
                format!("`{key}` does nothing in the parameter `{}`", entry.key),
            )
            .label(span, label)
            .label(table.entry(value)?.key_span, "the value")
            .help(format!("remove `{key}`")),
        );
    }
    let (download, mount) = (table.entry("download")?, table.entry("mount")?);
    (download.node.as_boolean() == Some(false)).then(|| {
        Diagnostic::warning(codes::CONFLICTING_KEYS, format!("the parameter `{}` is fetched all the same", entry.key))
            .label(download.key_span, "has no effect")
            .label(mount.key_span, "what has a place to be is fetched to it")
            .help("remove one of the two")
    })
}

fn run_output(entry: &Entry, table: &Table) -> Option<Diagnostic> {
    let output = table.get("run_output")?;
    let table = output.as_table()?;
    let conflict = |keys: [&str; 2], message: String| {
        let [first, second] = [table.entry(keys[0])?, table.entry(keys[1])?];
        Some(
            Diagnostic::error(codes::CONFLICTING_KEYS, message)
                .label(first.key_span, "one")
                .label(second.key_span, "and the other")
                .help(format!("remove `{}` or `{}`", keys[0], keys[1])),
        )
    };
    let name = &entry.key;
    if table.get("run_name").is_none() && table.get("task_name").is_none() {
        return Some(
            Diagnostic::error(codes::MISSING_KEY, format!("the parameter `{name}` does not say of which run"))
                .label(output.span, "neither `run_name` nor `task_name`")
                .help("add `run_name` for one run, or `task_name` for the newest of a task"),
        );
    }
    conflict(["run_name", "task_name"], format!("the parameter `{name}` names both a run and a task"))
        .or_else(|| {
            conflict(["run_name", "task_version"], format!("the run of the parameter `{name}` needs no version"))
        })
        .or_else(|| {
            conflict(["run_name", "task_auto_version"], format!("the run of the parameter `{name}` needs no version"))
        })
        .or_else(|| {
            conflict(["task_version", "task_auto_version"], format!("the parameter `{name}` says twice which version"))
        })
}
