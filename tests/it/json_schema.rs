//! The JSON Schema for editors agrees with the program, as far as a schema can: a standard validator takes every good
//! manifest of the repository, and refuses those with mistakes that one file alone shows.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;

/// Findings that need no other key and no other file.
const REFUSED: [&str; 3] =
    ["flyte::manifest::unknown_key", "flyte::manifest::wrong_type", "flyte::manifest::out_of_range"];

#[test]
fn the_schema_accepts_every_good_manifest() {
    let validator = validator();
    let mut seen = 0;
    for manifest in manifests(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let directory = manifest.parent().unwrap();
        let is_case = directory.starts_with(cases()) && directory != cases();
        if is_case && !expected(directory).starts_with("ok") {
            continue;
        }
        let errors: Vec<String> = validator
            .iter_errors(&json(&manifest).unwrap())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", manifest.display());
        seen += 1;
    }
    assert!(seen > 20, "only {seen} manifests were found");
}

#[test]
fn the_schema_refuses_what_a_schema_can() {
    let validator = validator();
    let mut seen = 0;
    for entry in std::fs::read_dir(cases()).unwrap() {
        let directory = entry.unwrap().path();
        let is_refused = findings(&expected(&directory)).any(|code| REFUSED.contains(&code));
        // What is no TOML is no matter of a schema.
        if let Some(manifest) = json(&directory.join("flyte.toml")).filter(|_| is_refused) {
            assert!(!validator.is_valid(&manifest), "{} is accepted", directory.display());
            seen += 1;
        }
    }
    assert!(seen > 3, "only {seen} manifests were found");
}

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&flyte::schema::docs::json_schema()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/manifest")
}

fn expected(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("expected.txt")).unwrap_or_default()
}

/// The codes of the findings whose first place is in the case's `flyte.toml`.
fn findings(expected: &str) -> impl Iterator<Item = &str> {
    let mut code = None;
    expected.lines().filter_map(move |line| {
        if line.starts_with("flyte::") {
            code = Some(line);
        }
        let (_, place) = line.split_once(",-[")?;
        code.take().filter(|_| place.starts_with("flyte.toml:"))
    })
}

fn json(manifest: &Path) -> Option<Value> {
    toml::from_str(&std::fs::read_to_string(manifest).unwrap()).ok()
}

/// Every `flyte.toml` of the examples, and of the cases that are not about mistakes.
fn manifests(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories =
        ["examples", "tests/cases/manifest", "tests/cases/plan", "tests/cases/apply", "tests/cases/trees"]
            .map(|name| root.join(name))
            .to_vec();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                directories.push(path);
            } else if path.file_name().is_some_and(|name| name == "flyte.toml") {
                found.push(path);
            }
        }
    }
    found
}
