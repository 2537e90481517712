//! Configuration files and variables mean to us what they mean to the SDK, wherever its rule is no trap.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::process;
use crate::program;
use crate::python::{self, Packages, Python};

const WITHIN: Duration = Duration::from_secs(120);

/// Files below a root, where a user works in `work/sub` with the home `home`, and their variables.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    /// `--config`
    file: Option<&'static str>,
}

const fn case(
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, files, variables, file: None }
}

const WHOLE: &str = "\
admin:
  endpoint: dns:///acme.flyte.example.com
  insecure: false
  insecureSkipVerify: true
  caCertFilePath: certificates/company.pem
  httpProxyURL: http://proxy.example.com:3128
  disableKeyring: yes
  authType: DeviceFlow
  scopes: [offline, all]
  maxRetries: 3
  nobodyKnows: 1
logger: { level: 2 }
task:
  org: acme
  project: books
  domain: development
";

const CASES: &[Case] = &[
    case("at home", &[("home/.flyte/config.yaml", WHOLE)], &[]),
    case(
        "union before flyte",
        &[("home/.flyte/config.yaml", WHOLE), ("home/.union/config.yaml", "admin: {endpoint: u}")],
        &[],
    ),
    case("here", &[("work/sub/config.yaml", "admin: {endpoint: a}"), ("work/sub/.flyte/config.yaml", WHOLE)], &[]),
    case(
        "hidden here",
        &[("work/sub/.flyte/config.yaml", "admin: {endpoint: b}"), ("work/.flyte/config.yaml", WHOLE)],
        &[],
    ),
    case(
        "in the work tree",
        &[
            ("work/.flyte/config.yaml", "admin: {endpoint: c}"),
            ("work/uctl.yaml", WHOLE),
            ("home/.flyte/config.yaml", WHOLE),
        ],
        &[("UCTL_CONFIG", "../uctl.yaml")],
    ),
    case(
        "as uctl has it",
        &[
            ("work/uctl.yaml", "admin: {endpoint: d}"),
            ("work/flytectl.yaml", WHOLE),
            ("home/.union/config.yaml", WHOLE),
        ],
        &[("UCTL_CONFIG", "../uctl.yaml"), ("FLYTECTL_CONFIG", "../flytectl.yaml")],
    ),
    case(
        "as flytectl has it",
        &[("work/flytectl.yaml", "admin: {endpoint: e}"), ("home/.union/config.yaml", WHOLE)],
        &[("UCTL_CONFIG", ""), ("FLYTECTL_CONFIG", "../flytectl.yaml")],
    ),
    Case {
        name: "asked for",
        files: &[("work/asked.yaml", "admin: {endpoint: f}"), ("work/sub/config.yaml", WHOLE)],
        variables: &[],
        file: Some("../asked.yaml"),
    },
    case(
        "variables before the file",
        &[("home/.flyte/config.yaml", WHOLE)],
        &[
            ("FLYTE_ADMIN_ENDPOINT", "dns:///other.flyte.example.com:8089"),
            ("FLYTE_ADMIN_CACERTFILEPATH", "/etc/company.pem"),
            ("FLYTE_ADMIN_HTTPPROXYURL", "http://other.example.com"),
            ("FLYTE_ADMIN_SCOPES", "one, two three"),
            ("FLYTE_TASK_ORG", "o"),
            ("FLYTE_TASK_PROJECT", "p"),
            ("FLYTE_TASK_DOMAIN", "d"),
        ],
    ),
    case(
        "the better name first",
        &[("home/.flyte/config.yaml", WHOLE)],
        &[("FLYTE_AUTH_TYPE", "Pkce"), ("FLYTE_ADMIN_AUTHTYPE", "Passthrough")],
    ),
    case("a list as JSON", &[("home/.flyte/config.yaml", WHOLE)], &[("FLYTE_ADMIN_SCOPES", "[\"a b\", \"c\"]")]),
    case("insecure", &[("home/.flyte/config.yaml", WHOLE)], &[("FLYTE_ADMIN_INSECURE", "true")]),
    case(
        "truth in other words",
        &[("home/.flyte/config.yaml", "admin: { endpoint: a, insecure: on, insecureSkipVerify: no }")],
        &[],
    ),
    case(
        "a command as a list",
        &[(
            "home/.flyte/config.yaml",
            "admin: { endpoint: a, authType: ExternalCommand, command: [uctl, get-token, 1] }",
        )],
        &[("FLYTE_ADMIN_COMMAND", "get 'a token' --now")],
    ),
    case(
        "a command as a line",
        &[("home/.flyte/config.yaml", "admin: { endpoint: a, authType: ExternalCommand, command: \"get 'a token'\" }")],
        &[],
    ),
    case(
        "a command as JSON",
        &[("home/.flyte/config.yaml", "admin: { endpoint: a, authType: ExternalCommand }")],
        &[("FLYTE_AUTH_COMMAND", "[\"get\", \"a token\"]"), ("FLYTE_ADMIN_COMMAND", "other")],
    ),
    case(
        "a secret in a file decides",
        &[
            ("work/sub/secret", "s3cret\n"),
            (
                "home/.flyte/config.yaml",
                "admin: { endpoint: a, authType: Pkce, clientId: ci, clientSecretLocation: secret }",
            ),
        ],
        &[],
    ),
    case(
        "a secret in a variable decides",
        &[("home/.flyte/config.yaml", "admin: { endpoint: a, clientId: ci, clientSecretEnvVar: SECRET }")],
        &[("SECRET", "s3cret")],
    ),
    case(
        "a secret that is not there does not",
        &[(
            "home/.flyte/config.yaml",
            "admin: { endpoint: a, authType: DeviceFlow, clientId: ci, clientSecretEnvVar: SECRET }",
        )],
        &[],
    ),
    case(
        "a client of the environment",
        &[("home/.flyte/config.yaml", "admin: { endpoint: a.b.c.example.com/base }")],
        &[("FLYTE_ADMIN_CLIENTID", "ci"), ("FLYTE_ADMIN_CLIENTSECRETENVVAR", "SECRET"), ("SECRET", "s3cret")],
    ),
    case("the last of two", &[("home/.flyte/config.yaml", "admin: { endpoint: a }\nadmin: { endpoint: b }\n")], &[]),
    case(
        "anchors",
        &[(
            "home/.flyte/config.yaml",
            "admin: { endpoint: &e a.b.c.example.com }\ntask: { project: *e, domain: \"é\" }\n",
        )],
        &[],
    ),
    case(
        "sections with nothing in them",
        &[("home/.flyte/config.yaml", "admin:\n  endpoint: a\n  scopes: []\n  authType: ''\ntask:\n")],
        &[],
    ),
];

#[test]
fn configuration_means_the_same() {
    let python = Python::with(Packages::Sdk);
    let home = tempfile::tempdir().expect("a temporary directory");
    let root = home.path().canonicalize().expect("it is there");
    let mut asked = Vec::new();
    let mut ours = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let root = root.join(at.to_string());
        let directory = root.join("work/sub");
        lay(&root, case);
        let mut environment: BTreeMap<String, String> =
            case.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.insert("HOME".to_owned(), root.join("home").display().to_string());
        environment.insert("PATH".to_owned(), std::env::var("PATH").unwrap_or_default());
        asked.push(json!({ "directory": directory, "environment": environment, "file": case.file }));

        let file = case.file.map(|file| ["--config", file]);
        let mut arguments = vec!["config", "show", "--json"];
        arguments.extend(file.iter().flatten());
        let mut command: Command = program::command(&root.join("home"), &directory, &arguments);
        command.envs(&environment);
        ours.push(from_settings(&process::run(command, WITHIN).expect(0).json()));
    }
    let questions = root.join("cases.json");
    fs::write(&questions, Value::from(asked).to_string()).expect("a file is written");
    let mut script = python.script("configuration.py", &root);
    script.arg(&questions);
    let theirs = python::succeed(script, WITHIN).json();
    for (at, case) in CASES.iter().enumerate() {
        let directory = root.join(at.to_string()).join("work/sub");
        similar_asserts::assert_eq!(ours[at], from_sdk(&theirs[at], &directory), "{}", case.name);
    }
}

fn lay(root: &Path, case: &Case) {
    for directory in ["work/sub", "home"] {
        fs::create_dir_all(root.join(directory)).expect("a directory is made");
    }
    let made = Command::new("git").args(["init", "-q"]).current_dir(root.join("work")).status();
    assert!(made.expect("git is there").success());
    for (path, text) in case.files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory is made");
        fs::write(path, text).expect("a file is written");
    }
}

/// What `flyte config show` tells, by our names.
fn from_settings(shown: &Value) -> Value {
    let settings = shown["settings"].as_array().expect("a list");
    let get = |key: &str| {
        let key =
            if matches!(key, "org" | "project" | "domain") { key.to_owned() } else { format!("target.config.{key}") };
        settings
            .iter()
            .find(|setting| setting["key"] == key.as_str())
            .map_or(Value::Null, |setting| setting["value"].clone())
    };
    json!({
        "endpoint": get("endpoint"), "insecure": get("insecure"), "insecure_skip_verify": get("insecure_skip_verify"),
        "ca_file": get("ca_file"), "proxy": get("proxy"), "auth": get("auth.kind"), "client_id": get("auth.client_id"),
        "command": get("auth.command"), "scopes": get("auth.scopes"), "keep_tokens": get("auth.keep_tokens"),
        "org": get("org"), "project": get("project"), "domain": get("domain"),
    })
}

/// The same of the SDK, less what it carries along and does not use.
fn from_sdk(config: &Value, directory: &Path) -> Value {
    let mut config = config.clone();
    let kind = match config["auth"].as_str() {
        _ if config["insecure"] == true => "none",
        Some("ClientSecret") => "client_credentials",
        Some("DeviceFlow") => "device",
        Some("ExternalCommand") => "command",
        Some("Pkce") => "pkce",
        other => panic!("{other:?}"),
    };
    config["auth"] = kind.into();
    if kind != "client_credentials" {
        config["client_id"] = Value::Null;
    }
    match config["command"].as_array() {
        // What a list holds is made text before a program is started.
        Some(words) if kind == "command" => {
            let text = |word: &Value| word.as_str().map_or_else(|| word.to_string(), str::to_owned);
            config["command"] = words.iter().map(text).collect();
        }
        _ => config["command"] = Value::Null,
    }
    if kind == "none" {
        config["scopes"] = Value::Null;
        config["keep_tokens"] = Value::Null;
    }
    if let Some(path) = config["ca_file"].as_str() {
        config["ca_file"] = directory.join(path).display().to_string().into();
    }
    config
}
