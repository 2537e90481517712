//! No secret, sensitive value or signed address is in anything the program prints or logs, however much is asked for;
//! but for `render`, which prints the messages as they are sent.

use std::process::Stdio;

use crate::real::desk::{Desk, Ran};

/// Each in another place.
const CANARIES: [&str; 3] = ["canary-secret", "canary-variable", "canary-var"];

const MANIFEST: &str = r#"
name = "shop"
project = "p"
domain = "d"

[vars]
password = { env = "PASSWORD" }

[app.web]
args = ["sleep", "100"]
activation = "auto"
source = "."
ready = { within = "1s" }
secrets = [{ key = "DB", env = "DB" }]
env = { API_TOKEN = "canary-variable", SESSION_SECRET = "${vars.password}" }
"#;

#[test]
fn nothing_secret_is_printed_or_logged_at_any_verbosity() {
    let desk = Desk::new();
    desk.write("flyte.toml", MANIFEST);
    desk.write("main.py", "print(1)\n");
    desk.write("../value", "canary-secret");
    let mut all = String::new();
    let mut run = |arguments: &[&str], log: Option<&str>| {
        let mut command = desk.command(arguments);
        command.env("PASSWORD", "canary-var").stdin(Stdio::null());
        if let Some(log) = log {
            command.env("FLYTE_LOG", log);
        }
        let ran = Ran::of(command.output().unwrap());
        all += &format!("$ {arguments:?}\n{}\n{}\n", ran.stdout, ran.stderr);
        ran
    };
    run(&["-vvv", "local", "start"], None).expect(0);
    run(&["-vvv", "-p", "p", "-d", "d", "local", "secret", "set", "DB", "--value-file", "../value"], None).expect(0);
    run(&["-vvv", "plan"], None).expect(0);
    let applied = run(&["-vvv", "apply", "--yes"], None);
    desk.write("main.py", "print(2)\n");
    run(&["plan", "--json"], Some("trace")).expect(0);
    run(&["apply", "--yes", "--json"], Some("trace"));
    for command in ["status", "logs web", "config show --app web", "history", "delete web --yes"] {
        let words: Vec<&str> = ["-vvv"].into_iter().chain(command.split(' ')).collect();
        run(&words, None);
    }
    for line in ["AppService/List", "AppService/Create", "DataProxyService/CreateUploadLocation"] {
        assert!(applied.stderr.contains(line), "{line} is not in\n{}", applied.stderr);
    }
    let upload = applied.stderr.lines().find(|line| line.contains("upload")).unwrap_or_default();
    for part in ["sent=", "milliseconds=", "status=200"] {
        assert!(applied.stderr.lines().any(|line| line.contains(" upload") && line.contains(part)), "{part}: {upload}");
    }
    assert!(applied.stderr.contains("request_id=") && applied.stderr.contains("received="), "{}", applied.stderr);
    let log = std::fs::read_to_string(desk.state().join("server.log")).unwrap_or_default();
    for text in [&all, &log] {
        for canary in CANARIES.into_iter().chain(["signature=", "expires="]) {
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(canary)).collect();
            assert!(lines.is_empty(), "{canary}: {lines:#?}");
        }
    }
}
