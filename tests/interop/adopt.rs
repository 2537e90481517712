//! Apps that the SDK deployed, declared and adopted: from then on they are ours, and what the SDK does is drift where
//! the control plane keeps what tells so.

use std::fs;

use serde_json::Value;

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

    // The SDK deploys another environment over it.
    let file = home.join("apps.py");
    let text = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, text.replace("\"NAME\": \"backend\"", "\"NAME\": \"renamed\"")).expect("a file is written");
    user.flyte(&["deploy", "--version", "v2", "apps.py", "backend"]);
    // It took our marks away. Where labels are kept, they tell that the app is ours still.
    let keeps_labels = profile == "full";
    let drift = if keeps_labels { flyte(&["plan", "--json"]) } else { flyte(&["plan", "--adopt", "--json"]) };
    let drift = drift.expect(0).json();
    assert_eq!(app(&drift, "backend")["drifted"], keeps_labels, "{drift:#}");
    let fields = app(&drift, "backend")["fields"].as_array().expect("a list").clone();
    let name = fields.iter().find(|field| field["key"] == "env.NAME").unwrap_or_else(|| panic!("{drift:#}"));
    assert_eq!((&name["old"], &name["new"]), (&"renamed".into(), &"backend".into()), "{drift:#}");
    assert_eq!(app(&drift, "frontend")["action"], "unchanged", "{drift:#}");
}

#[test]
fn apps_of_the_sdk_are_adopted_on_the_full_profile() {
    adopted("full");
}

#[test]
fn apps_of_the_sdk_are_adopted_on_the_open_source_profile() {
    adopted("oss");
}
