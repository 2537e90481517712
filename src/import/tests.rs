use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flyte_schema::flyteidl2::app::{self, Input, InputList, Spec};
use flyte_schema::flyteidl2::core::{Container, ContainerPort, KeyValuePair};
use serde_json::json;

use super::*;
use crate::bundle::gzip::gzip;
use crate::model::target::{Auth, Connection, SecretSource};
use crate::port::memory::MemoryFiles;

fn options() -> Options {
    Options {
        name: "shop".to_owned(),
        scope: Scope { org: String::new(), project: "p".to_owned(), domain: "d".to_owned() },
        target: Target::local(),
        heading: "h".to_owned(),
        hints: BTreeMap::new(),
        unsaid: Vec::new(),
    }
}

/// An app as protobuf JSON, with the id and port filled in.
fn message(name: &str, spec: serde_json::Value) -> Message {
    let mut json = json!({ "metadata": { "id": { "project": "p", "domain": "d", "name": name } }, "spec": spec });
    let spec = &mut json["spec"];
    if spec["autoscaling"].is_null() {
        spec["autoscaling"] = json!({ "replicas": { "max": 1 } });
    }
    if spec["container"]["ports"].is_null() {
        spec["container"]["ports"] = json!([{ "container_port": 8080 }]);
    }
    flyte_schema::from_json(json).unwrap()
}

fn written(apps: &[Message]) -> Imported {
    import(&MemoryFiles::default(), Path::new("/w/flyte.toml"), apps, &options()).unwrap()
}

/// The text below the head, and what it does not say.
#[track_caller]
fn check(apps: &[Message], expected: &str, unsaid: &[&str]) {
    let imported = written(apps);
    let head = "# h\nname = \"shop\"\nproject = \"p\"\ndomain = \"d\"\ntarget = \"local\"\n";
    assert_eq!(imported.text.strip_prefix(head).unwrap(), expected);
    let told: Vec<String> = imported.unsaid.iter().map(|one| format!("{} {}", one.app, one.path)).collect();
    assert_eq!(told, unsaid, "{:#?}", imported.unsaid);
}

#[test]
fn defaults_are_left_out() {
    check(
        &[message("a", json!({ "container": { "image": "i", "command": ["x"] } }))],
        "\n[app.a]\nimage = \"i\"\ncommand = [\"x\"]\n",
        &[],
    );
}

#[test]
fn texts_arrive_as_they_are() {
    let env = json!([
        { "key": "A", "value": "${vars.x} $${y} \"quoted\"" },
        { "key": "B", "value": "line\nline" },
        { "key": "C", "value": "back\\slash 'q' \u{1F600}" },
    ]);
    let app = message("a", json!({ "container": { "image": "i", "command": ["x"], "env": env } }));
    let imported = written(&[app]);
    assert_eq!((imported.unsaid, imported.differences), (vec![], vec![]), "{}", imported.text);
}

#[test]
fn what_the_manifest_refuses_is_taken_out_and_told() {
    let one = message(
        "a",
        json!({
            "container": { "image": "i", "command": ["x"], "env": [{ "key": "PORT", "value": "1" }, { "key": "B", "value": "2" }] },
            "links": [{ "path": "/a" }, { "path": "" }],
            "profile": { "short_description": "x".repeat(101), "name": "n" },
            "security_context": { "run_as": { "iam_role": "r" } },
        }),
    );
    check(
        &[one],
        "\n[app.a]\nimage = \"i\"\ncommand = [\"x\"]\nenv = { B = \"2\" }\nlinks = [{ path = \"/a\" }]\n",
        &[
            "a spec.container.env[PORT]",
            "a spec.links",
            "a spec.profile.name",
            "a spec.profile.short_description",
            "a spec.security_context.run_as.iam_role",
        ],
    );
}

#[test]
fn an_endpoint_of_an_app_that_is_not_imported_is_external() {
    let user = |name: &str, used: &str| {
        let value = json!({ "type": "string", "app_name": used, "public": false }).to_string();
        let parameter = json!({ "name": "u", "value": value, "download": false, "type": "app_endpoint",
            "env_var": "URL", "dest": null, "ignore_patterns": [] });
        let transport = STANDARD.encode(gzip(json!({ "parameters": [parameter] }).to_string().as_bytes()).unwrap());
        let command = [
            "fserve",
            "--version",
            "v",
            "--project",
            "p",
            "--domain",
            "d",
            "--org",
            "",
            "--raw-data-path",
            "{{.rawOutputDataPrefix}}",
            "--parameters",
            &transport,
            "--",
        ];
        message(
            name,
            json!({
                "container": { "image": "i", "command": command, "args": ["x"] },
                "inputs": { "items": [{ "name": "u", "string_value": used }] },
            }),
        )
    };
    let text = |app: &str, used: &str, more: &str| {
        let parameter = format!("{{ endpoint = \"{used}\", env = \"URL\"{more} }}");
        format!("\n[app.{app}]\nimage = \"i\"\nargs = [\"x\"]\nparameters = {{ u = {parameter} }}\n")
    };
    let imported = written(&[user("a", "b"), user("b", "c")]);
    let expected = text("a", "b", "") + &text("b", "c", ", external = true");
    assert!(imported.text.ends_with(&expected), "{}", imported.text);
    assert_eq!(imported.differences, vec![]);
}

/// A pod's variables: those that can be said come first, so what depends on another's place stays with it.
#[test]
fn variables_of_a_pod_keep_the_order_that_counts() {
    let secret = |name: &str| json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } });
    let plain = |name: &str, value: &str| json!({ "name": name, "value": value });
    let env = json!([
        plain("A", "1"),
        secret("B"),
        plain("C", "$(B)"),
        plain("D", "$(C)"),
        plain("E", "$(A) $$(B)"),
        plain("B", "2"),
    ]);
    let container = json!({ "name": "app", "image": "i", "command": ["x"], "env": env,
        "ports": [{ "containerPort": 8080 }] });
    let app = flyte_schema::from_json(json!({
        "metadata": { "id": { "project": "p", "domain": "d", "name": "a" } },
        "spec": {
            "pod": { "pod_spec": { "containers": [container] } },
            "autoscaling": { "replicas": { "max": 1 } },
        },
    }))
    .unwrap();
    let imported = written(&[app]);
    assert_eq!((imported.unsaid, imported.differences), (vec![], vec![]), "{}", imported.text);
    assert!(imported.text.contains("env = { A = \"1\", E = \"$(A) $$(B)\" }\n"), "{}", imported.text);
}

/// A name stands for one parameter, and the starter takes several.
#[test]
fn a_second_parameter_of_a_name_is_told() {
    let parameter =
        |value: &str, variable: &str| json!({ "name": "x", "value": value, "type": "string", "env_var": variable });
    let parameters = json!({ "parameters": [parameter("v", "A"), parameter("w", "B")] }).to_string();
    let transport = STANDARD.encode(gzip(parameters.as_bytes()).unwrap());
    let before = ["fserve", "--project", "p", "--domain", "d", "--org", "", "--raw-data-path"];
    let after = ["{{.rawOutputDataPrefix}}", "--parameters", &transport, "--"];
    let command = [&before[..], &after[..]].concat();
    let spec = json!({
        "container": { "image": "i", "command": command, "args": ["x"] },
        "inputs": { "items": [{ "name": "x", "string_value": "v" }, { "name": "x", "string_value": "w" }] },
    });
    let imported = written(&[message("a", spec)]);
    assert!(imported.text.contains("parameters = { x = { value = \"v\", env = \"A\" } }\n"), "{}", imported.text);
    let told: Vec<&str> = imported.unsaid.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(told, ["spec.parameters[x#2]"], "{:#?}", imported.unsaid);
    let differing: Vec<&str> = imported.differences.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(differing, ["spec.inputs[x#2]", "spec.parameters[x#2]"]);
}

#[test]
fn an_app_that_has_no_name_here_is_told() {
    let spec = json!({ "container": { "image": "i", "command": ["x"] } });
    check(
        &[message("ok", spec.clone()), message("Not-A-Name", spec)],
        "\n[app.ok]\nimage = \"i\"\ncommand = [\"x\"]\n",
        &["Not-A-Name spec"],
    );
}

#[test]
fn owners_are_those_of_the_marks() {
    let marked = |owner: &str| {
        let pair = |key: &str, value: &str| KeyValuePair { key: key.into(), value: value.into(), ..Default::default() };
        let digest = crate::model::Digest::of(b"").to_string();
        let env = vec![pair(Marks::OWNER, owner), pair(Marks::VERSION, "v"), pair(Marks::DIGEST, &digest)];
        let container = Container {
            env,
            ports: vec![ContainerPort { container_port: 8080, ..Default::default() }],
            ..Default::default()
        };
        let inputs = InputList { items: Vec::<Input>::new(), ..Default::default() };
        let spec = Spec { app_payload: Some(container.into()), inputs: inputs.into(), ..Default::default() };
        app::App { spec: spec.into(), ..Default::default() }
    };
    let scope = Scope { org: String::new(), project: "a.b".to_owned(), domain: "d".to_owned() };
    assert_eq!(owner(&[marked("shop"), marked("shop")], &scope), "shop");
    assert_eq!(owner(&[marked("shop"), marked("other")], &scope), "a-b");
    assert_eq!(owner(&[], &scope), "a-b");
}

/// What the manifest says of a target, and what it does not.
#[track_caller]
fn check_target(connection: Connection, expected: &str, unsaid: &[&str]) {
    let app = message("a", json!({ "container": { "image": "i", "command": ["x"] } }));
    let target = Target { name: "far".to_owned(), connection: Some(connection) };
    let options = Options { target, ..options() };
    let imported = import(&MemoryFiles::default(), Path::new("/w/flyte.toml"), &[app], &options).unwrap();
    let table = imported.text.split("[target.far]\n").nth(1).and_then(|rest| rest.split("default = true\n").next());
    assert_eq!(table, Some(expected), "{}", imported.text);
    let told: Vec<&str> = imported.unsaid.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(told, unsaid, "{:#?}", imported.unsaid);
    assert!(!imported.text.contains("canary"), "{}", imported.text);
}

#[test]
fn a_target_is_written_without_secrets() {
    let endpoint = "endpoint = \"dns:///h.example.com\"\n";
    let open = || Connection { auth: Auth::Pkce, ..Connection::open("dns:///h.example.com", false) };
    let client = |secret: SecretSource| Connection {
        auth: Auth::ClientCredentials { client_id: "ci".to_owned(), secret },
        ..open()
    };
    check_target(open(), endpoint, &[]);
    check_target(
        client(SecretSource::Variable("SECRET".to_owned())),
        &format!("{endpoint}auth = {{ client_id = \"ci\", secret_env = \"SECRET\", kind = \"client_credentials\" }}\n"),
        &[],
    );
    check_target(client(SecretSource::ApiKey("FLYTE_API_KEY".to_owned())), endpoint, &["target.far.auth"]);
    let proxy = Some("http://me:canary@proxy:3128".to_owned());
    check_target(Connection { proxy, ..open() }, endpoint, &["target.far.proxy"]);
    let command = vec!["token".to_owned(), "ghp_canary0123456789".to_owned()];
    check_target(Connection { auth: Auth::Command { command }, ..open() }, endpoint, &["target.far.auth"]);
}

/// As the SDK sends arguments, in a container and in a pod: written as words or a line, and equal to what we send.
#[test]
fn arguments_for_a_shell_are_compared_by_what_it_makes_of_them() {
    let command = json!([
        "fserve",
        "--version",
        "",
        "--project",
        "p",
        "--domain",
        "d",
        "--org",
        "",
        "--raw-data-path",
        "{{.rawOutputDataPrefix}}",
        "--"
    ]);
    let check = |args: serde_json::Value, written_as: &str, is_told: bool| {
        let port = json!([{ "containerPort": 8080 }]);
        let pod =
            json!({ "containers": [{ "name": "app", "image": "i", "command": command, "args": args, "ports": port }] });
        let spec = json!({ "container": { "image": "i", "command": command, "args": args } });
        let mut in_pod = message("b", spec.clone());
        let payload = json!({ "pod": { "pod_spec": pod } });
        let payload: Spec = flyte_schema::from_json(payload).unwrap();
        in_pod.spec.as_option_mut().unwrap().app_payload = payload.app_payload;
        let imported = written(&[message("a", spec), in_pod]);
        assert_eq!(imported.differences, vec![], "{}", imported.text);
        assert_eq!(imported.text.matches(&format!("args = {written_as}\n")).count(), 2, "{}", imported.text);
        assert_eq!(imported.unsaid.len(), if is_told { 2 } else { 0 }, "{:?}", imported.unsaid);
    };
    check(json!(["python", "x.py", "--port=8080"]), r#"["python", "x.py", "--port=8080"]"#, false);
    check(json!(["python x.py", "'a b'"]), r#"["python", "x.py", "a b"]"#, false);
    check(json!(["FOO=1", "python", "x.py"]), r#"["sh", "-c", "FOO=1 python x.py"]"#, true);
    check(json!(["echo", "'$HOME'"]), r#"["sh", "-c", "echo '$HOME'"]"#, true);
    check(json!(["x", "--port=$PORT"]), r#"["sh", "-c", "x --port=$PORT"]"#, true);

    let broken = json!({ "container": { "image": "i", "command": command, "args": ["x", "$PORT/y"] } });
    let imported = written(&[message("a", broken)]);
    assert_eq!((imported.differences.len(), imported.unsaid.len()), (1, 1), "{:?}", imported.unsaid);
}

#[test]
fn why_a_pod_cannot_be_written_is_told() {
    let why = |pod_spec: serde_json::Value| {
        let container = json!({ "container": { "image": "i", "command": ["x"] } });
        let mut app = message("a", container.clone());
        let payload: Spec = flyte_schema::from_json(json!({ "pod": { "pod_spec": pod_spec } })).unwrap();
        app.spec.as_option_mut().unwrap().app_payload = payload.app_payload;
        let imported = written(&[message("other", container), app]);
        imported.unsaid.into_iter().find(|one| one.path == "spec.pod").unwrap().why
    };
    assert_eq!(why(json!({ "containers": [{ "name": "main" }] })), "it has no container named `app`");
    let null = why(json!({ "containers": [{ "name": "app", "lifecycle": null }] }));
    assert_eq!(null, "`pod_spec.containers[0].lifecycle` is null, which TOML cannot write: leave it out");
}
