//! What people get wrong on the command line and around it, and what they are told.

use std::process::Command;

use super::desk::{Desk, Ran};

#[test]
fn wrong_usage_is_one_document_too() {
    let desk = Desk::new();
    let told = desk.flyte(&["--json", "apply", "--bogus"]).expect(1);
    let document = told.json();
    assert_eq!((&document["format"], &document["command"]), (&1.into(), &"apply".into()), "{document:#}");
    assert_eq!(document["error"]["message"], "unexpected argument '--bogus' found", "{document:#}");
    assert_eq!(told.stderr, "");
    let help = document["error"]["help"].as_str().unwrap();
    assert!(help.contains("Usage: flyte apply"), "{help}");
}

#[test]
fn codes_are_explained_by_their_last_word() {
    let desk = Desk::new();
    let whole = desk.flyte(&["explain", "flyte::manifest::cycle"]).expect(0);
    assert_eq!(desk.flyte(&["explain", "cycle"]).expect(0).stdout, whole.stdout);
}

#[test]
fn a_state_directory_of_a_newer_release_is_named_without_older_news() {
    let desk = Desk::new();
    desk.flyte(&["local", "start"]).expect(0);
    desk.flyte(&["local", "stop"]).expect(0);
    let database = desk.state().join("server.db");
    let newer = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('pragma user_version = 99')";
    assert!(Command::new("python3").args(["-c", newer]).arg(&database).status().unwrap().success());
    let told = desk.flyte(&["local", "start"]).expect(1).stderr;
    assert!(told.contains("has format 99") && told.contains("flyte local reset"), "{told}");
    assert!(!told.contains("runs at"), "what an earlier start printed is told again:\n{told}");
}

#[test]
fn a_secret_without_a_value_is_refused() {
    let desk = Desk::new();
    let told = desk.flyte(&["local", "secret", "set", "DB"]).expect(1).stderr;
    assert!(told.contains("there is no value for DB"), "{told}");
    desk.write("empty", "");
    desk.flyte(&["local", "secret", "set", "DB", "--value-file", "empty"]).expect(0);
}

#[test]
fn a_missing_secret_is_told_with_what_sets_it() {
    let desk = Desk::new();
    let app =
        "[app.web]\nargs = [\"sleep\", \"100\"]\nactivation = \"auto\"\nsecrets = [{ key = \"DB\", env = \"DB\" }]\n";
    desk.write("flyte.toml", &format!("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n{app}"));
    for arguments in [&["plan"][..], &["apply", "--yes"]] {
        let Ran { stderr, .. } = desk.flyte(arguments).expect(1);
        assert!(stderr.contains("`flyte local secret set DB --project p --domain d` makes it"), "{stderr}");
        assert!(stderr.contains("missing_secret"), "{stderr}");
    }
    assert!(desk.control_plane().is_none(), "nothing was written");
    desk.write("value", "hunter2");
    let set = ["local", "secret", "set", "DB", "--project", "p", "--domain", "d", "--value-file", "value"];
    desk.flyte(&set).expect(0);
    desk.flyte(&["plan"]).expect(0);
}
