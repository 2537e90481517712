//! Cases in plain files. `UPDATE_CASES=1` writes what is expected anew.

#![allow(clippy::disallowed_methods, reason = "a test reads and writes the repository itself")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use flyte::diagnostic::{Diagnostics, Style, render};
use flyte::manifest;
use flyte::port::memory::MemoryFiles;
use flyte::resolve::{Layer, Origin, Selection, Setting, check_all, resolve};

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
/// effective value. With a `selection.toml` (profile, target, project, domain, apps, environment): what `plan` says.
fn manifest_case(path: &Path) -> datatest_stable::Result<()> {
    let directory = path.parent().ok_or("a case is in a directory")?;
    let mut files = MemoryFiles::default();
    support::world::copy(directory, Path::new("/shop"), &mut files);
    let manifest = manifest::load(&files, Path::new("/shop/flyte.toml"))?;
    let selection = selection(directory)?;
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
            let settings: String = project.settings.iter().map(|one| setting(one, diagnostics)).collect();
            format!("{}ok: {}\n\n{settings}", told(diagnostics), apps.join(", "))
        }
    };
    support::cases::compare(&directory.join("expected.txt"), &text)
}

fn told(diagnostics: &Diagnostics) -> String {
    if diagnostics.list.is_empty() {
        return String::new();
    }
    let text = render(diagnostics, Style::PLAIN);
    format!("{text}\nerrors: {}, warnings: {}\n", diagnostics.errors(), diagnostics.warnings())
}

fn setting(setting: &Setting, diagnostics: &Diagnostics) -> String {
    let from = match &setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::Flag(flag) => (*flag).to_owned(),
        Origin::Text { span, layer } => {
            let layer = match layer {
                Layer::App => String::new(),
                Layer::Root => String::new(),
                Layer::Defaults => " [defaults]".to_owned(),
                Layer::Profile(name) => format!(" [profile.{name}]"),
            };
            format!("{}{layer}", diagnostics.sources.locate(*span))
        }
    };
    format!("{} = {}  # {from}\n", setting.key, setting.value)
}

fn selection(directory: &Path) -> datatest_stable::Result<Option<Selection>> {
    let path: PathBuf = directory.join("selection.toml");
    if !path.exists() {
        return Ok(None);
    }
    let table: toml::Table = toml::from_str(&fs::read_to_string(path)?)?;
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let apps = table.get("apps").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let environment = table.get("environment").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    Ok(Some(Selection {
        profile: text("profile"),
        target: text("target"),
        org: text("org"),
        project: text("project"),
        domain: text("domain"),
        apps: apps.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
        environment: environment
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect(),
    }))
}
