//! Holds the borders of the module map in ARCHITECTURE.md: who may use whom, and which crates stop where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module, and the modules of this crate it may name.
const BORDERS: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("model", &["diagnostic"]),
    ("schema", &["diagnostic", "model"]),
    ("port", &["diagnostic", "model", "resolve"]),
    ("config", &["diagnostic", "model", "port"]),
    ("manifest", &["config", "diagnostic", "model", "port", "schema"]),
    ("resolve", &["config", "diagnostic", "manifest", "model", "schema"]),
    ("canonical", &["model"]),
    ("bundle", &["diagnostic", "model", "port", "resolve"]),
    ("pins", &["diagnostic", "model", "port", "resolve"]),
    ("desired", &["bundle", "canonical", "diagnostic", "model", "resolve"]),
    ("release", &["bundle", "canonical", "model"]),
    ("records", &["bundle", "model", "port", "release"]),
    ("diff", &["bundle", "canonical", "desired", "diagnostic", "model", "release", "resolve", "schema"]),
    (
        "import",
        &["bundle", "canonical", "desired", "diagnostic", "diff", "manifest", "model", "port", "resolve", "schema"],
    ),
    ("readiness", &["model"]),
    ("plan", &["bundle", "canonical", "desired", "diagnostic", "diff", "model", "readiness", "resolve"]),
    ("apply", &["bundle", "canonical", "diff", "model", "plan", "port", "readiness", "records", "release"]),
    ("report", &["apply", "bundle", "diagnostic", "diff", "model", "plan", "port", "release"]),
    (
        "pipeline",
        &[
            "apply",
            "bundle",
            "desired",
            "diagnostic",
            "diff",
            "manifest",
            "model",
            "pins",
            "plan",
            "port",
            "preflight",
            "records",
            "release",
            "report",
            "resolve",
        ],
    ),
    ("guarantees", &["canonical", "diff", "model", "port"]),
    ("preflight", &["desired", "diagnostic", "diff", "model", "plan", "port", "resolve"]),
    ("client", &["model", "port"]),
    ("host", &["bundle", "client", "model", "port", "release", "resolve"]),
    ("server", &["canonical", "client", "model", "port"]),
];

/// Crates that are known only in these places.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("miette", &["cli", "diagnostic/render.rs"]),
    ("connectrpc", &["client", "server"]),
    ("reqwest", &["client", "server"]),
    ("oauth2", &["client/auth"]),
    ("keyring", &["client/auth"]),
    ("axum", &["server"]),
    ("object_store", &["host"]),
    ("rusqlite", &["server"]),
    ("ignore", &["bundle"]),
    ("kdl", &["schema"]),
    ("toml", &["manifest", "import", "cli"]),
];

/// Modules without asynchronous functions, files, variables and clocks.
const PURE: &[&str] = &[
    "canonical",
    "desired",
    "diagnostic",
    "diff",
    "import",
    "model",
    "plan",
    "readiness",
    "release",
    "report",
    "resolve",
    "schema",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text
            .split("#[cfg(test)]")
            .next()
            .unwrap_or("")
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        (path.strip_prefix(&root).unwrap().to_owned(), code.join("\n"))
    };
    found.into_iter().filter(|path| !path.ends_with("tests.rs")).map(read).collect()
}

fn module(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The first segment behind every `crate::`, braces opened.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(inner) => inner.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        for item in list {
            let name: String =
                item.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit()).collect();
            if !name.is_empty() {
                names.insert(name);
            }
        }
    }
    names
}

#[test]
fn modules_keep_to_their_borders() {
    let mut broken = Vec::new();
    for (path, code) in sources() {
        let module = module(&path);
        let Some((_, allowed)) = BORDERS.iter().find(|(name, _)| *name == module) else {
            assert!(["cli", "lib", "main"].contains(&module.as_str()), "{module} is not on the module map");
            continue;
        };
        for name in named(&code) {
            if name != module && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}: {module} must not use {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn crates_stop_where_they_should() {
    let mut broken = Vec::new();
    for (path, code) in sources() {
        for (name, places) in CRATES {
            let uses = code.contains(&format!("use {name}::")) || code.contains(&format!("{name}::"));
            let word = code
                .match_indices(&format!("{name}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if uses && word && !places.iter().any(|place| path.starts_with(place)) {
                broken.push(format!("{}: {name} belongs to {}", path.display(), places.join(", ")));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_modules_are_synchronous_and_touch_nothing() {
    let forbidden = ["async fn", "std::fs", "std::env", "std::net", "tokio::", "SystemTime", "Instant::now"];
    let mut broken = Vec::new();
    for (path, code) in sources().into_iter().filter(|(path, _)| PURE.contains(&module(path).as_str())) {
        for word in forbidden {
            if code.contains(word) {
                broken.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_module_map_is_written_down() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for (module, _) in BORDERS {
        assert!(text.contains(&format!("`{module}`")), "ARCHITECTURE.md does not name {module}");
    }
}
