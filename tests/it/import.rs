//! Messages written as a manifest, which is then lowered again: what comes out is what went in.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flyte::bundle;
use flyte::desired::{LowerOptions, lower};
use flyte::import::{self, Imported, Options};
use flyte::manifest;
use flyte::model::{Scope, spec};
use flyte::port::memory::MemoryFiles;
use flyte::resolve::{Selection, Target, resolve};
use flyte_schema::flyteidl2::app::App;

use crate::support::world::copy;

const PATH: &str = "/imported/flyte.toml";

fn options(app: &App) -> Options {
    let id = &app.metadata.id;
    Options {
        name: "imported".to_owned(),
        scope: Scope { org: id.org.clone(), project: id.project.clone(), domain: id.domain.clone() },
        target: Target::local(),
        heading: "imported".to_owned(),
        hints: Default::default(),
        unsaid: Vec::new(),
    }
}

/// With a file in place of whatever code the app has.
fn imported(app: &App) -> Result<Imported, import::Error> {
    let mut files = MemoryFiles::default();
    files.insert("/imported/code.py", "");
    let mut options = options(app);
    let command = spec::command(&app.spec);
    let unpacks = command.first() == Some(&"fserve") && !command.contains(&"--pkl");
    if unpacks && spec::bundle_address(app).is_some() {
        let include = vec!["code.py".to_owned()];
        options.hints.insert(app.metadata.id.name.clone(), import::Hints { include, ..Default::default() });
    }
    import::import(&files, Path::new(PATH), std::slice::from_ref(app), &options)
}

/// Every app that the SDK can send comes back as it was, or each difference is told.
#[test]
fn what_the_sdk_sends_can_be_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/apps.json");
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut told = String::new();
    for case in golden["cases"].as_array().unwrap() {
        let bytes = STANDARD.decode(case["expect"]["app_b64"].as_str().unwrap()).unwrap();
        let app = App::decode_from_slice(&bytes).unwrap();
        let name = case["name"].as_str().unwrap();
        match imported(&app) {
            Ok(imported) if imported.unsaid.is_empty() => assert_eq!(imported.differences, [], "{name}"),
            Ok(imported) => {
                for unsaid in imported.unsaid {
                    told.push_str(&format!("{name}: {}: {}\n", unsaid.path, unsaid.why));
                }
            }
            Err(error) => told.push_str(&format!("{name}: {error}\n")),
        }
    }
    compare("golden.txt", &told);
}

/// What every example asks for, written anew, asks for the same.
#[test]
fn examples_survive_an_import() {
    // The third example is a program that has to be built first.
    for (example, path) in [
        ("quickstart", "examples/quickstart"),
        ("monorepo", "examples/monorepo"),
        ("dotted-names", "tests/cases/plan/dotted-names/v1"),
        ("odd-names", "tests/cases/plan/odd-names/v1"),
    ] {
        let mut files = MemoryFiles::default();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path), Path::new("/imported"), &mut files);
        let manifest = manifest::load(&files, Path::new("/imported")).unwrap();
        let project = resolve(&manifest, &Selection::default()).unwrap();
        let bundles = bundle::pack(&files, &project).unwrap();
        let desired = lower(&project, &bundles, &LowerOptions::default()).unwrap();
        let apps: Vec<App> = desired.apps.values().map(|app| app.spec.0.clone()).collect();
        let mut options = options(&apps[0]);
        for (name, app) in &desired.apps {
            // Where the code is, no message says.
            let coded = app.bundle.is_some();
            let include = if coded { vec!["**".to_owned()] } else { Vec::new() };
            options.hints.insert(name.to_string(), import::Hints { include, ..Default::default() });
        }
        let imported = import::import(&files, Path::new(PATH), &apps, &options).unwrap();
        assert_eq!(imported.differences, [], "{example}\n{}", imported.text);
        assert_eq!(imported.unsaid, [], "{example}");
        compare(&format!("{example}.toml"), &imported.text);
    }
}

#[test]
fn code_that_was_sent_along_is_named_by_its_address() {
    let mut files = MemoryFiles::default();
    files.insert(
        "/imported/flyte.toml",
        "name = \"a\"\nproject = \"p\"\ndomain = \"d\"\n[app.web]\nargs = \"x\"\nsource = \"src\"\n",
    );
    files.insert("/imported/src/a.py", "");
    let project = resolve(&manifest::load(&files, Path::new(PATH)).unwrap(), &Selection::default()).unwrap();
    let desired = lower(&project, &bundle::pack(&files, &project).unwrap(), &LowerOptions::default()).unwrap();
    let apps: Vec<App> = desired.apps.into_values().map(|app| app.spec.0).collect();
    let address = apps[0].metadata.code_bundle_uri.clone();
    let told = import::import(&MemoryFiles::default(), Path::new(PATH), &apps, &options(&apps[0])).unwrap();
    assert_eq!((told.unsaid, told.differences), (Vec::new(), Vec::new()));
    assert!(told.text.contains(&format!("code_bundle = {address:?}")), "{}", told.text);
}

/// Compares with a file below `tests/import`, or rewrites it when `UPDATE_CASES` is set.
#[track_caller]
fn compare(name: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(name);
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&path, told).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(expected, told, "{} (UPDATE_CASES=1 rewrites it)", path.display());
}
