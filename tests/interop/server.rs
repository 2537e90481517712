//! The embedded control plane, judged by the published SDK: what its commands and its `flyte.remote` do against a
//! cluster, they do here. Both profiles, since both claim to be a Flyte control plane.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, Finished};
use crate::program::ControlPlane;
use crate::python::{Packages, Python, sources, succeed};

/// How long a command or script of the SDK may take.
const WITHIN: Duration = Duration::from_secs(120);

pub const PASSWORD: &str = "correct horse";

/// Of the password: apps do not tell it itself.
const PASSWORD_SHA256: &str = "4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631";

/// A user of the SDK in their project, with a control plane.
pub struct User {
    python: Python,
    directory: TempDir,
    pub control_plane: ControlPlane,
}

impl User {
    pub fn of(profile: &str) -> Self {
        let python = Python::with(Packages::Sdk);
        let control_plane = ControlPlane::start(profile);
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["apps.py", "serve.py"] {
            fs::copy(sources().join("shop").join(name), directory.path().join(name)).expect("a file is copied");
        }
        let config = format!(
            "admin:\n  endpoint: {}\n  insecure: true\ntask:\n  project: flytesnacks\n  domain: development\n",
            control_plane.endpoint()
        );
        fs::write(directory.path().join("config.yaml"), config).expect("a file is written");
        Self { python, directory, control_plane }
    }

    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// A command of the SDK's own `flyte`.
    #[track_caller]
    pub fn flyte(&self, args: &[&str]) -> Finished {
        let mut command = self.python.script("flyte_command.py", self.home());
        command.args(args);
        succeed(command, WITHIN)
    }

    #[track_caller]
    pub fn deploy(&self) -> Finished {
        self.flyte(&["deploy", "--version", "v1", "apps.py", "frontend"])
    }

    /// A script that prints JSON.
    #[track_caller]
    fn script(&self, name: &str, args: &[&str]) -> Value {
        let mut script = self.python.script(name, self.home());
        script.arg(self.control_plane.endpoint()).args(args);
        succeed(script, WITHIN).json()
    }

    /// What the running apps are and answer.
    #[track_caller]
    fn visit(&self) -> Value {
        self.script("visit.py", &[])
    }
}

/// Deploys the shop, deploys it again, and checks that it runs and goes on running.
fn deployed(profile: &str) -> User {
    let user = User::of(profile);
    user.flyte(&["create", "secret", "db-password", "--value", PASSWORD]);
    user.deploy();

    let seen = user.visit();
    assert_eq!(seen["backend"]["answer"]["name"], "backend", "{seen}");
    assert_eq!(seen["backend"]["answer"]["password_sha256"], PASSWORD_SHA256, "the secret reaches the app: {seen}");
    assert_eq!(seen["frontend"]["answer"]["backend"], seen["backend"]["answer"], "an app reaches the other");
    let revision = if profile == "full" { 1 } else { 0 };
    assert_eq!(seen["backend"]["revision"], revision, "{seen}");

    let again = user.deploy();
    if profile == "full" {
        for name in ["backend", "frontend"] {
            let words = format!("No changes in the App spec for '{name}', skipping update");
            assert!(again.stderr.contains(&words) || again.stdout.contains(&words), "{}", again.account());
        }
    }
    assert_eq!(user.visit(), seen, "the same processes, revisions and URLs after the same deploy");
    user
}

/// Everything the SDK does with apps that run.
fn operated(profile: &str) {
    let user = deployed(profile);

    let listed = user.flyte(&["get", "app"]);
    for expected in ["backend", "frontend", "ACTIVE"] {
        assert!(listed.stdout.contains(expected), "{}", listed.account());
    }
    let got = user.flyte(&["get", "app", "frontend"]);
    assert!(got.stdout.contains("serve.py") && got.stdout.contains("asks the backend"), "{}", got.account());

    let expected = json!({
        "stopped": "DESIRED_STATE_STOPPED",
        "silent": true,
        "late_watch": "STOPPED",
        // The SDK asks for the older of two names of the same state.
        "started": "DESIRED_STATE_STARTED",
        "same_url": true,
        "other_process": true,
        "already_active": "ACTIVE",
        "in_the_end": "ACTIVE",
    });
    assert_eq!(user.script("lifecycle.py", &[]), expected);

    // The viewer follows the log until there is no app any more.
    let log = user.home().join("frontend.log");
    std::thread::scope(|scope| {
        let viewer = scope.spawn(|| {
            let mut script = user.python.script("logs.py", user.home());
            script.args([user.control_plane.endpoint().as_str(), "frontend"]);
            process::run_into(script, &log, WITHIN)
        });
        let seen = || fs::read_to_string(&log).is_ok_and(|text| text.contains("frontend listens"));
        while !seen() && !viewer.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(seen(), "{}", fs::read_to_string(&log).unwrap_or_default());
        assert_eq!(user.script("gone.py", &["frontend"]), json!({ "gone": true }));
        viewer.join().expect("the viewer was run").expect(0)
    });

    user.flyte(&["update", "app", "backend", "--deactivate", "--wait"]);
    user.flyte(&["delete", "app", "backend"]);
    let listed = user.flyte(&["get", "app"]);
    assert!(!listed.stdout.contains("backend") && !listed.stdout.contains("frontend"), "{}", listed.account());
}

#[test]
fn apps_of_the_sdk_live_on_the_full_profile() {
    operated("full");
}

#[test]
fn apps_of_the_sdk_live_on_the_open_source_profile() {
    operated("oss");
}

#[test]
fn lists_longer_than_a_page() {
    let all: Vec<String> = (0..205).map(|number| format!("app-{number:03}")).collect();
    for profile in ["full", "oss"] {
        let user = User::of(profile);
        let seen = user.script("many.py", &[profile]);
        assert_eq!(seen["all"], json!(all), "{profile}");
        assert_eq!(seen["limited"], json!(all[..150]), "{profile}");
        if profile == "full" {
            assert_eq!(seen["sorted"], json!(all));
            assert_eq!(seen["newest"], json!(["app-204", "app-203", "app-202"]));
            assert_eq!((&seen["stopped"], &seen["active_or_failed"]), (&json!(205), &json!(0)));
        }
    }
}

#[test]
fn secrets_are_kept() {
    let user = User::of("full");
    let all: Vec<String> = (0..25).map(|number| format!("key-{number:02}")).collect();
    let expected = json!({
        "all": all,
        "name": "key-07",
        "type": "regular",
        "again": "already_exists",
        "missing": "not_found",
        "deleted": "not_found",
    });
    assert_eq!(user.script("vault.py", &[]), expected);
}

#[test]
fn files_go_up_and_bundles_come_down() {
    let user = deployed("full");
    let seen = user.script("transfer.py", &[]);
    let address = seen["address"].as_str().unwrap_or_default();
    assert!(address.ends_with("/model.bin"), "{seen}");
    assert_eq!(
        (&seen["digest"], &seen["again"], &seen["other_content"], &seen["bundle"]),
        (&json!(true), &json!(true), &json!(400), &json!(["apps.py", "serve.py"])),
        "{seen}"
    );
}
