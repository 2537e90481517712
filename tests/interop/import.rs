//! Python files of the SDK as manifests: what we make of them is what the SDK itself sends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{self, Finished};
use crate::program;
use crate::python::{self, Packages, Python};

const WITHIN: Duration = Duration::from_secs(120);

struct User {
    python: Python,
    home: TempDir,
    tree: TempDir,
}

impl User {
    /// With a copy of a directory of scripts.
    fn with(directory: &str) -> Self {
        let user = Self {
            python: Python::with(Packages::Sdk),
            home: tempfile::tempdir().expect("a temporary directory"),
            tree: tempfile::tempdir().expect("a temporary directory"),
        };
        copy(&python::sources().join(directory), user.tree.path());
        user
    }

    #[track_caller]
    fn flyte(&self, args: &[&str], code: i32) -> Finished {
        let mut command = program::command(self.home.path(), self.tree.path(), args);
        command.env("VIRTUAL_ENV", self.python.home()).env("PYTHONDONTWRITEBYTECODE", "1");
        process::run(command, WITHIN).expect(code)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(process::run(program::command(self.home.path(), self.tree.path(), &["local", "stop"]), WITHIN));
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("a directory is made");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file is copied");
        }
    }
}

#[test]
fn a_python_file_becomes_a_manifest_that_asks_for_the_same() {
    let user = User::with("declared");
    let place = ["--project", "shop", "--domain", "development"];
    let imported = user.flyte(&[&["import", "--python", "apps.py"][..], &place].concat(), 0);
    let expected = include_str!("declared.toml");
    similar_asserts::assert_eq!(imported.stdout, expected, "{}", imported.stderr);
    assert_eq!(imported.stderr, "");

    // One variable, and what it depends on.
    let some = user.flyte(&[&["import", "--python", "apps.py:page", "--out", "flyte.toml"][..], &place].concat(), 0);
    assert_eq!(some.stdout, "wrote flyte.toml: 2 apps\n");
    user.flyte(&["validate"], 0);
    // Never over what is there.
    user.flyte(&[&["import", "--python", "apps.py", "--out", "flyte.toml"][..], &place].concat(), 1);
}

#[test]
fn what_cannot_be_loaded_is_told() {
    let user = User::with("declared");
    let place = ["--project", "shop", "--domain", "development"];
    let import = |file: &str| user.flyte(&[&["import", "--python", file][..], &place].concat(), 1).stderr;
    let told = import("apps.py:pages");
    assert!(told.contains("`pages` is no app environment") && told.contains("catalogue, page, proxy"), "{told}");
    fs::write(user.tree.path().join("broken.py"), "import nowhere_to_be_found\n").expect("a file is written");
    let told = import("broken.py");
    assert!(told.contains("No module named 'nowhere_to_be_found'"), "{told}");
    fs::write(user.tree.path().join("ends.py"), "raise SystemExit(3)\n").expect("a file is written");
    assert!(import("ends.py").contains("SystemExit"), "{}", import("ends.py"));
    assert!(import("absent.py").contains("there is no file"));

    let bare = Python::with(Packages::Messages);
    let args = [&["import", "--python", "apps.py"][..], &place].concat();
    let mut command = program::command(user.home.path(), user.tree.path(), &args);
    command.env("VIRTUAL_ENV", bare.home());
    let told = process::run(command, WITHIN).expect(1).stderr;
    assert!(told.contains("pip install flyte"), "{told}");
}

#[test]
fn a_python_file_is_deployed_in_one_step() {
    let user = User::with("shop");
    // Nobody has made the secret here.
    let file = user.tree.path().join("apps.py");
    let text = fs::read_to_string(&file).expect("it was copied");
    let without: String =
        text.lines().filter(|line| !line.contains("secrets=")).map(|line| format!("{line}\n")).collect();
    fs::write(&file, without).expect("a file is written");
    let deploy = |more: &[&str], code: i32| {
        let place = ["--project", "flytesnacks", "--domain", "development", "--yes"];
        user.flyte(&[&["deploy", "apps.py"][..], &place, more].concat(), code)
    };
    let first = deploy(&[], 0);
    assert!(first.stdout.contains("2 created"), "{}", first.account());
    let second = deploy(&["--json"], 0).json();
    assert_eq!((&second["written"], &second["plan"]["counts"]["unchanged"]), (&0.into(), &2.into()), "{second}");

    // The live apps, written down, are what runs; their code is named by its address.
    let live = user.flyte(&["import", "--project", "flytesnacks", "--domain", "development", "--json"], 0).json();
    assert_eq!(live["differences"], serde_json::json!([]), "{live}");
    assert_eq!(live["manifest"].as_str().expect("a text").matches("code_bundle = ").count(), 2, "{live}");

    // By the variable, as the SDK's command has it.
    let some = deploy(&["backend", "--json"], 0).json();
    assert_eq!(some["plan"]["counts"]["unchanged"], 1, "{some}");
}
