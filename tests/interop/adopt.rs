//! Apps that the SDK deployed, declared and adopted: from then on they are ours, and what the SDK does is drift.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::process::Finished;
use crate::server::{PASSWORD, User};

#[track_caller]
fn app<'a>(plan: &'a Value, name: &str) -> &'a Value {
    plan["apps"]
        .as_array()
        .and_then(|apps| apps.iter().find(|app| app["name"] == name))
        .unwrap_or_else(|| panic!("{plan:#}"))
}

fn adopted(profile: &str) {
    let user = User::of(profile);
    // Without it the SDK takes the first label of the address for an organisation.
    let config = user.home().join("config.yaml");
    let text = fs::read_to_string(&config).expect("it is there").replace("task:\n", "task:\n  org: acme\n");
    fs::write(&config, text).expect("a file is written");
    user.flyte(&["create", "secret", "db-password", "--value", PASSWORD]);
    user.deploy();

    let home = user.home();
    let flyte = |args: &[&str]| user.control_plane.flyte(home, args);
    let scope = ["--org", "acme", "-p", "flytesnacks", "-d", "development"];
    flyte(&[&["import", "--out", "flyte.toml"], &scope[..]].concat()).expect(0);

    // Nobody owns them yet; with consent, only our marks would be written.
    flyte(&["apply", "--yes"]).expect(1);
    let plan = flyte(&["plan", "--adopt", "--json"]).expect(0).json();
    for name in ["backend", "frontend"] {
        assert_eq!(app(&plan, name)["action"], "update", "{plan:#}");
        assert_eq!(app(&plan, name)["fields"], Value::Array(Vec::new()), "{plan:#}");
    }
    flyte(&["apply", "--adopt", "--yes"]).expect(0);
    flyte(&["plan", "--detailed-exitcode"]).expect(0);

    redeployed(&user, &flyte);
}

/// The SDK deploys another environment over the backend, which takes our marks away: ours still, by its label where
/// labels are kept, else by our records.
fn redeployed(user: &User, flyte: &dyn Fn(&[&str]) -> Finished) {
    let (code, manifest) = (user.home().join("apps.py"), user.home().join("flyte.toml"));
    let replace = |file: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(file).expect("it is there");
        assert!(text.contains(from), "{from:?} is not in {text}");
        fs::write(file, text.replace(from, to)).expect("a file is written");
    };
    let changed_by = |plan: &Value, expected: &[(&str, &str)]| {
        let backend = app(plan, "backend");
        assert_eq!((&backend["drifted"], &backend["action"]), (&true.into(), &"update".into()), "{plan:#}");
        let fields = backend["fields"].as_array().expect("a list");
        let told: Vec<(&str, &str)> =
            fields.iter().filter_map(|field| Some((field["key"].as_str()?, field["changed_by"].as_str()?))).collect();
        assert_eq!(told, expected, "{plan:#}");
        assert_eq!(app(plan, "frontend")["action"], "unchanged", "{plan:#}");
    };
    replace(&code, "\"NAME\": \"backend\"", "\"NAME\": \"renamed\"");
    user.flyte(&["deploy", "--version", "v2", "apps.py", "backend"]);
    let plan = flyte(&["plan", "--json"]).expect(0).json();
    // The code of the SDK holds the file that declares the environment.
    let code_bundle = ("code_bundle", "them");
    changed_by(&plan, &[code_bundle, ("env.NAME", "them")]);
    let name = &app(&plan, "backend")["fields"][1];
    assert_eq!((&name["old"], &name["new"]), (&"renamed".into(), &"backend".into()), "{plan:#}");
    flyte(&["plan", "--fail-on-drift", "--detailed-exitcode"]).expect(6);

    // A field that we change in the manifest is ours, and one that both changed is both's.
    let manifest_text = fs::read_to_string(&manifest).expect("it is there");
    replace(&manifest, "NAME = \"backend\"", "NAME = \"another\", REGION = \"eu\"");
    let plan = flyte(&["plan", "--json"]).expect(0).json();
    changed_by(&plan, &[code_bundle, ("env.NAME", "both"), ("env.REGION", "us")]);
    assert_eq!(app(&plan, "backend")["fields"][1]["released"], "backend", "{plan:#}");

    // Left to them, it stays as it runs.
    fs::write(&manifest, manifest_text).expect("a file is written");
    let keep = ["--keep-drift", "backend.env.NAME"];
    flyte(&[&["apply", "--yes"], &keep[..]].concat()).expect(0);
    let plan = flyte(&[&["plan", "--json"], &keep[..]].concat()).expect(0).json();
    assert_eq!(plan["empty"], true, "{plan:#}");
    // Since then nobody has changed it: it is declared again, and no drift.
    let plan = flyte(&["plan", "--fail-on-drift", "--json"]).expect(0).json();
    assert_eq!((&app(&plan, "backend")["drifted"], &plan["empty"]), (&false.into(), &false.into()), "{plan:#}");
    assert_eq!(app(&plan, "backend")["notes"][0]["fields"], serde_json::json!(["env.NAME"]), "{plan:#}");
    flyte(&["apply", "--yes"]).expect(0);
    flyte(&["plan", "--fail-on-drift", "--detailed-exitcode"]).expect(0);
}

#[test]
fn apps_of_the_sdk_are_adopted_on_the_full_profile() {
    adopted("full");
}

#[test]
fn apps_of_the_sdk_are_adopted_on_the_open_source_profile() {
    adopted("oss");
}
