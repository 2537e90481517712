//! Cases in plain files. `UPDATE_CASES=1` writes what is expected anew.

#![allow(clippy::disallowed_methods, reason = "a test reads and writes the repository itself")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flyte::config::{self, Directories};
use flyte::diagnostic::{Diagnostics, SourceMap, Style, render};
use flyte::manifest;
use flyte::port::memory::MemoryFiles;
use flyte::resolve::{Selection, Setting, check_all, resolve};

datatest_stable::harness! {
    { test = world_case, root = "tests/cases/plan", pattern = r"^[^/]+/case\.toml$" },
    { test = world_case, root = "tests/cases/apply", pattern = r"^[^/]+/case\.toml$" },
    { test = manifest_case, root = "tests/cases/manifest", pattern = r"^[^/]+/flyte\.toml$" },
    { test = cli_case, root = "tests/cases/cli", pattern = r"^[^/]+/cmd$" },
}

/// `case.toml` says what happens to the trees beside it; see `support/cases.rs`.
fn world_case(path: &Path) -> datatest_stable::Result<()> {
    support::cases::check(path)
}

/// `cmd` has lines that are typed in a copy of the tree `in/`; see `support/cli.rs`.
fn cli_case(path: &Path) -> datatest_stable::Result<()> {
    support::cli::check(path)
}

/// `flyte.toml` and whatever it names, with `expected.txt`: what `validate` says, and where that is no error every
/// effective value. With a `selection.toml` (profile, target, endpoint, insecure, project, domain, apps, environment):
/// what `plan` says, with the SDK's configuration as it is found in the case.
fn manifest_case(path: &Path) -> datatest_stable::Result<()> {
    let directory = path.parent().ok_or("a case is in a directory")?;
    let mut files = MemoryFiles::default();
    support::world::copy(directory, Path::new("/shop"), &mut files);
    let manifest = manifest::load(&files, Path::new("/shop/flyte.toml"))?;
    let selection = selection(directory, &files)?;
    let chosen = selection.clone().unwrap_or_default();
    let checked = match selection {
        None => check_all(&manifest, &chosen.environment),
        Some(_) => Diagnostics::default(),
    };
    let text = match (checked.has_errors(), resolve(&manifest, &chosen)) {
        (true, _) => told(&checked),
        (false, Err(invalid)) => told(&invalid.0),
        (false, Ok(project)) => {
            let diagnostics = if checked.list.is_empty() { &project.diagnostics } else { &checked };
            let apps: Vec<&str> = project.graph.order().iter().map(|name| name.as_str()).collect();
            let settings: String =
                project.settings.iter().map(|one| setting(one, &project.diagnostics.sources)).collect();
            format!("{}ok: {}\n\n{settings}", told(diagnostics), apps.join(", "))
        }
    };
    // In a manifest of these cases a canary is a secret.
    let shown = text.lines().find(|line| line.to_lowercase().contains("canary"));
    if let Some(line) = shown {
        return Err(format!("a secret is shown: {line}").into());
    }
    support::cases::compare(&directory.join("expected.txt"), &text)
}

fn told(diagnostics: &Diagnostics) -> String {
    if diagnostics.list.is_empty() {
        return String::new();
    }
    let text = render(diagnostics, Style::PLAIN);
    format!("{text}\nerrors: {}, warnings: {}\n", diagnostics.errors(), diagnostics.warnings())
}

fn setting(setting: &Setting, sources: &SourceMap) -> String {
    let from = setting.origins(sources);
    format!("{} = {}  # {from}\n", setting.key, setting.value)
}

fn selection(directory: &Path, files: &MemoryFiles) -> datatest_stable::Result<Option<Selection>> {
    let path: PathBuf = directory.join("selection.toml");
    if !path.exists() {
        return Ok(None);
    }
    let table: toml::Table = toml::from_str(&fs::read_to_string(path)?)?;
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let apps = table.get("apps").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let environment = table.get("environment").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let environment: BTreeMap<String, String> =
        environment.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    let directories = Directories { working: "/shop".into(), home: Some("/home".into()) };
    Ok(Some(Selection {
        endpoint: text("endpoint"),
        insecure: table.get("insecure").and_then(toml::Value::as_bool).unwrap_or(false),
        config: config::read(files, &environment, &directories, None),
        profile: text("profile"),
        target: text("target"),
        org: text("org"),
        project: text("project"),
        domain: text("domain"),
        apps: apps.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
        environment,
    }))
}
