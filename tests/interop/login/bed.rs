//! A control plane behind a gate that checks tokens, the authorization server that issues them, and their users.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flyte::model::target::{Auth, Connection};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, Finished, Server};
use crate::program::{self, ControlPlane};
use crate::python::{Packages, Python, sources, succeed};

const WITHIN: Duration = Duration::from_secs(120);

pub struct Bed {
    python: Python,
    told: Value,
    _server: Server,
    _control_plane: ControlPlane,
    /// The user's own directory, where tokens are kept.
    pub home: TempDir,
    /// Their project.
    pub tree: TempDir,
}

/// What the servers saw.
#[derive(Debug)]
pub struct Seen {
    /// `List: ada`, `List: unauthenticated`
    pub calls: Vec<String>,
    /// Requests with a token where none belongs.
    pub leaks: Vec<String>,
    /// `refresh_token`, `client_credentials: invalid_client`
    pub token_requests: Vec<String>,
    /// Every token, code, verifier and signature.
    pub handed_out: Vec<String>,
}

impl Bed {
    #[track_caller]
    pub fn start() -> Self {
        let python = Python::with(Packages::LogIn);
        let control_plane = ControlPlane::start("full");
        let home = tempfile::tempdir().expect("a temporary directory");
        let tree = tempfile::tempdir().expect("a temporary directory");
        let mut serve = python.script("login/serve.py", tree.path());
        serve.arg(format!("http://{}", control_plane.address)).arg(tree.path());
        let server = Server::start(serve, Duration::from_secs(60));
        let told = serde_json::from_str(&server.greeting).expect("a line of JSON");
        let bed = Self { python, told, _server: server, _control_plane: control_plane, home, tree };
        bed.write("flyte.toml", include_str!("shop.toml"));
        bed.write("serve.py", "import http.server, os\nhttp.server.test(port=int(os.environ['PORT']))\n");
        bed
    }

    fn text(&self, key: &str) -> &str {
        self.told[key].as_str().expect("it is told")
    }

    /// Host and port of the gate.
    pub fn gate(&self) -> &str {
        self.text("gate")
    }

    /// Host and port of the authorization server.
    pub fn issuer(&self) -> &str {
        self.text("issuer")
    }

    pub fn redirect_port(&self) -> u16 {
        self.told["redirect_port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
    }

    /// Of the client `ci`, then that of `ci-post`.
    pub fn secret(&self, number: usize) -> &str {
        self.told["secrets"][number].as_str().expect("it is told")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.tree.path().join(name);
        fs::create_dir_all(path.parent().expect("it was joined")).expect("a directory is made");
        fs::write(path, text).expect("a file is written");
    }

    /// Writes the one configuration file, with these keys of `admin`.
    pub fn configure(&self, admin: &[(&str, &str)]) {
        let mut text = format!("admin:\n  endpoint: dns:///{}\n  caCertFilePath: {}\n", self.gate(), self.text("ca"));
        for (key, value) in admin {
            text += &format!("  {key}: {value}\n");
        }
        text += "task:\n  project: flytesnacks\n  domain: development\n";
        self.write(".flyte/config.yaml", &text);
    }

    /// Names the target of the manifest in its place, with this table `auth`.
    pub fn declare(&self, auth: &str) {
        let target = format!(
            "[target.gate]\nendpoint = \"dns:///{}\"\nca_file = \"{}\"\nauth = {auth}\n",
            self.gate(),
            self.text("ca")
        );
        let manifest = include_str!("shop.toml").replace("target = \"config\"\n", "");
        let manifest =
            format!("project = \"flytesnacks\"\ndomain = \"development\"\n{manifest}\n{target}default = true\n");
        self.write("flyte.toml", &manifest);
    }

    /// The same for the library.
    pub fn connection(&self, auth: Auth) -> Connection {
        let ca_file = Some(self.text("ca").into());
        Connection { auth, ca_file, ..Connection::open(format!("dns:///{}", self.gate()), false) }
    }

    /// A command of ours without a terminal, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = program::command(self.home.path(), self.tree.path(), args);
        command.env("SDK_SECRET", self.secret(0));
        command
    }

    /// Without a terminal: nobody can be asked.
    #[track_caller]
    pub fn flyte(&self, args: &[&str], code: i32) -> Finished {
        process::run(self.command(args), WITHIN).expect(code)
    }

    /// At a terminal, before which somebody logs in when they are asked to: `approve`, `deny`, `as-eve`, `old-tab`.
    #[track_caller]
    pub fn at_terminal(&self, manner: &str, args: &[&str], code: i32) -> Finished {
        let ours = self.command(args);
        let mut command = self.python.script("login/terminal.py", self.tree.path());
        command.arg(manner).arg(ours.get_program()).args(ours.get_args());
        for (name, value) in ours.get_envs() {
            value.map(|value| command.env(name, value));
        }
        self.with_browser(&mut command, manner);
        process::run(command, WITHIN).expect(code)
    }

    /// A command of the SDK's own `flyte`, at such a terminal too.
    #[track_caller]
    pub fn sdk(&self, args: &[&str]) -> Finished {
        let home = self.home.path().join("sdk");
        fs::create_dir_all(&home).expect("a directory is made");
        let sdk = Python::with(Packages::Sdk).script("flyte_command.py", &home);
        let mut command = self.python.script("login/terminal.py", self.tree.path());
        command.arg("approve").arg(sdk.get_program()).args(sdk.get_args()).args(args);
        for (name, value) in sdk.get_envs() {
            value.map(|value| command.env(name, value));
        }
        command.env("SDK_SECRET", self.secret(0));
        self.with_browser(&mut command, "approve");
        // The SDK knows its own authority only for calls.
        succeed(command, WITHIN)
    }

    fn with_browser(&self, command: &mut Command, manner: &str) {
        let python = self.python.home().join("bin/python");
        let browser = sources().join("login/browser.py");
        command.env("BROWSER", format!("{} {} {manner} %s &", python.display(), browser.display()));
        command.env("SSL_CERT_FILE", self.text("ca"));
    }

    /// Changes how the servers behave; see `SETTINGS` in `login/serve.py`.
    #[track_caller]
    pub fn set(&self, settings: Value) {
        self.control(Some(&settings));
    }

    #[track_caller]
    pub fn seen(&self) -> Seen {
        let seen = self.control(None);
        let list = |key: &str| {
            let items = seen[key].as_array().expect("a list").iter();
            items.map(|item| item.as_str().expect("a text").to_owned()).collect()
        };
        Seen {
            calls: list("calls"),
            leaks: list("leaks"),
            token_requests: list("token_requests"),
            handed_out: list("handed_out"),
        }
    }

    /// What the servers see while this runs.
    #[track_caller]
    pub fn watched(&self, action: impl FnOnce(&Self)) -> Seen {
        self.set(json!({ "forget_calls": true }));
        action(self);
        self.seen()
    }

    #[track_caller]
    fn control(&self, settings: Option<&Value>) -> Value {
        let code = "import sys, urllib.request as r\n\
                    data = sys.argv[2].encode() if len(sys.argv) > 2 else None\n\
                    print(r.urlopen(sys.argv[1], data).read().decode())";
        let mut ask = self.python.program("python", self.tree.path());
        ask.env("SSL_CERT_FILE", self.text("ca")).args(["-c", code]).arg(format!("https://{}/control", self.gate()));
        ask.args(settings.map(Value::to_string));
        succeed(ask, WITHIN).json()
    }

    /// Every file below a directory.
    pub fn files(directory: &Path) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            match entry.path() {
                path if path.is_dir() => found.extend(Self::files(&path)),
                path => found.push(path),
            }
        }
        found
    }
}
