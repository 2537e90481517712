//! A user's desk: a directory with a manifest, a state directory of its own, and the built program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub struct Desk {
    directory: tempfile::TempDir,
}

/// What a run of the program came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }
}

impl Desk {
    pub fn new() -> Self {
        let desk = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(desk.tree()).unwrap();
        desk
    }

    /// With a copy of an example.
    pub fn example(name: &str) -> Self {
        let desk = Self::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &desk.tree());
        desk
    }

    pub fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.tree().join(path)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flyte"));
        for (name, _) in std::env::vars_os() {
            let is_sdk = ["FLYTE_", "FLYTECTL_", "UCTL_"].iter().any(|start| name.to_string_lossy().starts_with(start));
            if is_sdk {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.tree())
            .args(arguments)
            .env("FLYTE_STATE_DIR", self.state())
            .env("FLYTE_CACHE_DIR", self.directory.path().join("cache"))
            .env("NO_COLOR", "1")
            // Nothing of the user's own configuration of the SDK.
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn flyte(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Starts and does not wait.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The entry of an app in `flyte status --json`.
    #[track_caller]
    pub fn status(&self, app: &str) -> Value {
        let status = self.flyte(&["status", "--json"]).expect(0).json();
        let apps = status["apps"].as_array().unwrap_or_else(|| panic!("{status:#}"));
        apps.iter().find(|entry| entry["name"] == app).unwrap_or_else(|| panic!("{app} is not in {status:#}")).clone()
    }

    /// The stable URL of an app.
    #[track_caller]
    pub fn url(&self, app: &str) -> String {
        let status = self.status(app);
        let url = status["live"]["url"].as_str().or(status["url"].as_str());
        url.unwrap_or_else(|| panic!("{status:#}")).to_owned()
    }

    #[track_caller]
    pub fn revision(&self, app: &str) -> u64 {
        let status = self.status(app);
        let revision = status["live"]["revision"].as_u64().or(status["revision"].as_u64());
        revision.unwrap_or_else(|| panic!("{status:#}"))
    }

    /// The process id of the control plane.
    pub fn control_plane(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.state().join("server.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok()?["pid"].as_u64().map(|pid| pid as u32)
    }

    pub fn kill_control_plane(&self) {
        kill(self.control_plane().expect("a control plane runs"), "KILL");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Nothing a test starts may outlive it, whatever state it is in.
        let _ = self.command(&["local", "stop"]).output();
        if let Some(pid) = self.control_plane() {
            kill(pid, "KILL");
        }
    }
}

pub fn kill(pid: u32, signal: &str) {
    let _ = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Asks again until the answer is there.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A GET over a connection of its own: the status and the body.
pub fn get(url: &str) -> std::io::Result<(u16, String)> {
    let rest = url.strip_prefix("http://").ok_or(std::io::ErrorKind::InvalidInput)?;
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let status =
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if entry.file_name() != "target" {
                copy(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
