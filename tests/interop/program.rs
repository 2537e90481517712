//! Our program, as a user runs it, with nothing of the user's own settings.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{self, Finished};

/// How long a command of ours may take.
const WITHIN: Duration = Duration::from_secs(120);

/// Runs `flyte` in a directory, its state and cache in `home`.
///
/// # Panics
/// It does not end in time.
#[track_caller]
pub fn flyte(home: &Path, directory: &Path, args: &[&str]) -> Finished {
    process::run(command(home, directory, args), WITHIN)
}

/// The same, not yet started.
pub fn command(home: &Path, directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flyte"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("FLYTE_STATE_DIR", home.join("state"))
        .env("NO_COLOR", "1")
        .current_dir(directory);
    command
}

/// An embedded control plane of its own, which ends with this value.
pub struct ControlPlane {
    home: TempDir,
    /// `127.0.0.1:<port>`
    pub address: String,
}

impl ControlPlane {
    /// # Panics
    /// It does not start: shows why.
    #[track_caller]
    pub fn start(profile: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        // Made before anything may fail: whatever was started is stopped again.
        let mut control_plane = Self { home, address: String::new() };
        let home = control_plane.home.path();
        let start = ["local", "start", "--profile", profile, "--port", "0", "--json"];
        let started = flyte(home, home, &start).expect(0).json();
        assert_eq!(started["profile"], profile);
        let endpoint = started["endpoint"].as_str().expect("where it is");
        control_plane.address = endpoint.strip_prefix("http://").expect("it is on loopback").to_owned();
        control_plane
    }

    /// Runs `flyte` in a directory, with this control plane as its embedded one.
    #[track_caller]
    pub fn flyte(&self, directory: &Path, args: &[&str]) -> Finished {
        flyte(self.home.path(), directory, args)
    }

    /// As the SDK wants it.
    pub fn endpoint(&self) -> String {
        format!("dns:///{}", self.address)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let stopped = flyte(self.home.path(), self.home.path(), &["local", "stop"]);
        if !stopped.status.success() {
            eprintln!("the control plane was not stopped:\n{}", stopped.account());
        }
    }
}
