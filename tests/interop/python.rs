//! Virtual environments with pinned packages, and the scripts that run in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished};

/// How long `pip` may take to fetch and install everything.
const INSTALL: Duration = Duration::from_secs(600);

const NEEDED: &str =
    "these tests need Python 3.10 or newer with `venv` and `pip` (on Debian: `apt install python3-venv`)";

/// Written into an environment when it is complete.
const COMPLETE: &str = "complete";

/// What is installed.
#[derive(Debug, Clone, Copy)]
pub enum Packages {
    /// The published SDK, which pins its own messages.
    Sdk,
    /// The newest messages and Connect stubs, and a server for them.
    Messages,
    /// A server that speaks S3.
    Bucket,
    /// An authorization server, and a gate that checks tokens.
    LogIn,
}

impl Packages {
    fn requirements(self) -> &'static str {
        match self {
            Self::Sdk => "sdk.txt",
            Self::Messages => "messages.txt",
            Self::Bucket => "bucket.txt",
            Self::LogIn => "login.txt",
        }
    }
}

/// A virtual environment below `target/interop`, kept from run to run for as long as its requirements are the same.
#[derive(Debug, Clone)]
pub struct Python {
    bin: PathBuf,
}

impl Python {
    /// # Panics
    /// There is no usable `python3`, or the packages cannot be installed: says what to do.
    #[track_caller]
    pub fn with(packages: Packages) -> Self {
        let version = version();
        let requirements = sources().join(packages.requirements());
        let mut hasher = blake3::Hasher::new();
        for text in [read(&requirements), read(&sources().join("constraints.txt")), version] {
            hasher.update(blake3::hash(text.as_bytes()).as_bytes());
        }
        let name = format!("venv-{}", &hasher.finalize().to_hex()[..12]);
        let all = directory();
        fs::create_dir_all(&all).expect("the target directory can be written");
        let home = all.join(&name);

        // Other test processes wait here until the first has made it.
        let lock = File::create(all.join(format!("{name}.lock"))).expect("the target directory can be written");
        lock.lock().expect("the file system has locks");
        if !home.join(COMPLETE).exists() {
            install(&home, &requirements);
            fs::write(home.join(COMPLETE), "").expect("the target directory can be written");
        }
        Self { bin: home.join("bin") }
    }

    /// A program of the environment, such as the SDK's `flyte`, with nothing of the user's own settings.
    pub fn program(&self, name: &str, home: &Path) -> Command {
        let mut command = Command::new(self.bin.join(name));
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "400")
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
            .env("DO_NOT_TRACK", "1")
            .env("FLYTE_DISABLE_TELEMETRY", "1")
            .env("FLYTE_DISABLE_SENTRY", "1")
            .current_dir(home);
        command
    }

    /// Its directory, as `VIRTUAL_ENV` has it.
    pub fn home(&self) -> &Path {
        self.bin.parent().expect("it was joined")
    }

    /// A script below `tests/interop/python`.
    pub fn script(&self, name: &str, home: &Path) -> Command {
        let mut command = self.program("python", home);
        command.arg(sources().join(name));
        command
    }
}

/// Runs one, and expects success.
///
/// # Panics
/// It fails or is not done in time: shows what it said.
#[track_caller]
pub fn succeed(command: Command, within: Duration) -> Finished {
    process::run(command, within).expect(0)
}

/// Where the scripts and requirements are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python")
}

fn directory() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("interop")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn python3(args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(args).env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("VIRTUAL_ENV");
    command
}

/// What `python3` calls itself.
fn version() -> String {
    match python3(&["--version"]).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => panic!("{NEEDED}: `python3 --version` failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{NEEDED}: `python3` cannot be started: {error}"),
    }
}

/// Makes the environment anew; what an interrupted run has left is removed.
fn install(home: &Path, requirements: &Path) {
    if home.exists() {
        fs::remove_dir_all(home).expect("the target directory can be written");
    }
    let mut venv = python3(&["-m", "venv"]);
    venv.arg(home);
    let made = process::run(venv, INSTALL);
    assert!(made.status.success(), "{NEEDED}:\n{}", made.account());
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "--requirement"]);
    pip.arg(requirements);
    let installed = process::run(pip, INSTALL);
    assert!(
        installed.status.success(),
        "the pinned packages of {} cannot be installed; these tests need a package index once:\n{}",
        requirements.display(),
        installed.account()
    );
}
