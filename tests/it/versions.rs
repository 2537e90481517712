//! The same tree has the same versions, wherever it lies and whoever looks at it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Files of one tree, with whether they are executable. In the order in which the first desk makes them.
const FILES: [(&str, &str, bool); 6] = [
    (
        "flyte.toml",
        "name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n\n[defaults]\nsource = { root = \".\" }\n\n[app.web]\nargs = \
         [\"./run.sh\"]\nenv = { BACKEND_URL = { endpoint = \"api\" }, B = \"2\", A = \"1\" }\n\n[app.api]\nargs = \
         [\"python\", \"api.py\"]\nsource = { root = \".\", include = [\"api.py\", \"data/**\"] }\n",
        false,
    ),
    ("run.sh", "#!/bin/sh\n", true),
    ("api.py", "print(1)\n", false),
    ("data/b.csv", "1,2\n", false),
    ("data/A.csv", "3,4\n", false),
    ("data/\u{e4}.csv", "5,6\n", false),
];

/// Somebody who has the tree, and how they are different.
struct Desk {
    tree: PathBuf,
    home: PathBuf,
    umask: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// Run as this user and group.
    user: Option<u32>,
}

impl Desk {
    fn versions(&self) -> Vec<(String, String)> {
        fs::create_dir_all(&self.home).unwrap();
        let program = env!("CARGO_BIN_EXE_flyte");
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => as_user(user, program),
        };
        command.args(["plan", "--json"]).current_dir(&self.tree).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", &self.home);
        let output = command.envs(self.environment.iter().copied()).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let version = |app: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
            let code = app["fields"].as_array().unwrap().iter().find(|field| field["path"] == "spec.code_bundle");
            (text(&app["version"]["digest"]), text(&code.unwrap()["new"]))
        };
        told["apps"].as_array().unwrap_or_else(|| panic!("{told}")).iter().map(version).collect()
    }
}

fn as_user(user: u32, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", program]);
    command
}

/// Makes the tree, file after file in this order, under a umask.
fn make(desk: &Desk, order: &[usize]) {
    for at in order {
        let (path, content, executable) = FILES[*at];
        let path = desk.tree.join(path);
        let mode = if executable { "chmod +x" } else { ":" };
        let script = format!("umask {} && mkdir -p \"$(dirname \"$1\")\" && cat > \"$1\" && {mode} \"$1\"", desk.umask);
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "sh"]).arg(&path).stdin(std::process::Stdio::piped());
        let mut child = shell.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), content.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

/// Another user of this machine, where this process may become one and that one may run the program.
fn somebody_else() -> Option<u32> {
    const NOBODY: u32 = 65534;
    let tried = as_user(NOBODY, env!("CARGO_BIN_EXE_flyte")).arg("--version").output().ok()?;
    tried.status.success().then_some(NOBODY)
}

fn give(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

#[test]
fn the_same_tree_has_the_same_versions_everywhere() {
    let base = tempfile::tempdir().unwrap();
    // Others must be able to enter it.
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let first = Desk {
        tree: base.path().join("here"),
        home: base.path().join("home-1"),
        umask: "022",
        environment: &[("USER", "ada"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")],
        user: None,
    };
    let second = Desk {
        tree: base.path().join("somewhere else/d\u{e9}j\u{e0} vu"),
        home: base.path().join("home-2"),
        umask: "077",
        environment: &[("USER", "grace"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR"), ("TZ", "Asia/Kathmandu")],
        user: somebody_else(),
    };
    make(&first, &[0, 1, 2, 3, 4, 5]);
    make(&second, &[5, 3, 4, 2, 1, 0]);
    fs::create_dir_all(&second.home).unwrap();
    fs::set_permissions(base.path().join("somewhere else"), fs::Permissions::from_mode(0o755)).unwrap();
    if let Some(user) = second.user {
        give(&second.tree, user);
        give(&second.home, user);
    }
    let versions = first.versions();
    assert_eq!(versions.len(), 2);
    assert_eq!(second.versions(), versions);
    // It is not that nothing counts.
    fs::write(first.tree.join("data/b.csv"), "1,3\n").unwrap();
    assert_ne!(first.versions(), versions);
}
