//! A control plane that behaves as the open-source one, over loopback.

use super::desk::Desk;

const MANIFEST: &str = r#"name = "shop"
project = "p"
domain = "d"

[app.web]
args = ["python3", "-m", "http.server", "$PORT"]
activation = "auto"
env = { GREETING = "hello" }

[app.batch]
args = ["python3", "-m", "http.server", "$PORT"]
env = { GREETING = "hello" }
"#;

#[test]
fn apps_end_as_declared_and_nothing_is_left_to_do() {
    let desk = Desk::new();
    desk.flyte(&["local", "start", "--profile", "oss"]).expect(0);
    desk.write("flyte.toml", MANIFEST);
    let nothing = desk.flyte(&["status", "--server", "--json"]).expect(0).json();
    assert_eq!(fact(&nothing, "keeps_labels")["known"], "unknown", "{nothing:#}");
    for greeting in ["hello", "goodbye", "hello again"] {
        desk.write("flyte.toml", &MANIFEST.replace("hello", greeting));
        desk.flyte(&["apply", "--yes"]).expect(0);
        desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
        assert_eq!(desk.status("web")["state"], "active");
        assert_eq!(desk.status("batch")["state"], "stopped");
    }
    // By now it is known, and the plan says so.
    desk.write("flyte.toml", &MANIFEST.replace("hello", "a third one"));
    let plan = desk.flyte(&["plan"]).expect(0).stdout;
    assert!(plan.contains("runs for a moment before it is stopped again"), "{plan}");
    desk.flyte(&["deactivate", "web"]).expect(0);
    let logs = desk.flyte(&["logs", "web"]).expect(0);
    assert!(logs.stderr.contains("may be stopped") || !logs.stdout.is_empty(), "{}", logs.stderr);
    // The organisation that such a server makes up is no difference.
    desk.flyte(&["--org", "acme", "status"]).expect(0);
    desk.flyte(&["delete", "web", "batch", "--yes"]).expect(0);
}

#[test]
fn what_a_server_does_is_told_with_how_it_is_known() {
    let desk = Desk::new();
    desk.flyte(&["local", "start", "--profile", "oss"]).expect(0);
    desk.write("flyte.toml", MANIFEST);
    desk.flyte(&["apply", "--yes"]).expect(0);
    desk.write("flyte.toml", &MANIFEST.replace("hello", "goodbye"));
    desk.flyte(&["apply", "--yes"]).expect(0);
    let server = desk.flyte(&["status", "--server", "--json"]).expect(0).json();
    for (name, known) in [
        ("keeps_labels", "seen"),
        ("keeps_revisions", "seen"),
        ("compares_revisions", "seen"),
        ("creates_stopped", "seen"),
        ("tells_substates", "seen"),
        ("acts_on_authentication", "like_open_source"),
    ] {
        let fact = fact(&server, name);
        assert_eq!((&fact["holds"], &fact["known"]), (&false.into(), &known.into()), "{server:#}");
        assert!(!fact["because"].as_str().unwrap().is_empty());
    }
    assert_eq!(server["looks_open_source"], true);
    let text = desk.flyte(&["status", "--server"]).expect(0).stdout;
    assert!(text.contains("an app that was sent with labels has none") && text.contains("activation:"), "{text}");
    // Another profile is another server.
    desk.flyte(&["local", "stop"]).expect(0);
    desk.flyte(&["local", "start", "--profile", "full"]).expect(0);
    let server = desk.flyte(&["status", "--server", "--json"]).expect(0).json();
    assert_eq!(fact(&server, "keeps_revisions")["holds"], true, "{server:#}");
    assert_eq!(server["looks_open_source"], false);
}

fn fact<'a>(server: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let facts = server["guarantees"].as_array().unwrap();
    facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("{name} is not in {server:#}"))
}
