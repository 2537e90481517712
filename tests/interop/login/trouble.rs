//! What goes wrong is told in one go: where, why, and what to type.

use std::net::TcpListener;

use serde_json::json;

use super::bed::Bed;
use crate::process::Finished;

/// All that a program says, in one line, without the breaks between words and without colours.
fn words(finished: &Finished) -> String {
    let told = anstream::adapter::strip_str(&finished.stderr).to_string();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(finished: &Finished, expected: &[&str]) {
    let told = words(finished);
    for words in expected {
        assert!(told.contains(words), "`{words}` is not said:\n{}", finished.account());
    }
}

fn person(bed: &Bed, kind: &str) {
    bed.configure(&[("authType", kind)]);
}

fn machine(bed: &Bed) {
    bed.configure(&[("authType", "ClientSecret"), ("clientId", "ci"), ("clientSecretEnvVar", "SDK_SECRET")]);
}

#[test]
fn nobody_to_ask() {
    let bed = Bed::start();
    person(&bed, "Pkce");
    let ways = "in CI give the target a `[target.NAME.auth]` with client credentials, a command that prints a token, or \
                a variable that holds one; FLYTE_API_KEY logs in at the target `config`";
    let asks = format!("`dns:///{}` asks for a log-in, and nobody can be asked here", bed.gate());
    for args in [&["plan"][..], &["auth", "login"], &["auth", "whoami"], &["apply", "--yes"]] {
        says(&bed.flyte(args, 1), &[&asks, "run `flyte auth login` in a terminal", ways]);
    }
    // The same at a terminal that belongs to a CI system.
    let mut command = bed.command(&["plan"]);
    command.env("CI", "true");
    says(&crate::process::run(command, std::time::Duration::from_secs(60)).expect(1), &[&asks]);
    assert_eq!(bed.seen().token_requests, [""; 0]);
}

#[test]
fn a_log_in_that_was_revoked() {
    let bed = Bed::start();
    person(&bed, "DeviceFlow");
    bed.at_terminal("approve", &["plan"], 0);
    bed.set(json!({ "revoke_refresh": true, "revoke_access": true }));
    let told = bed.flyte(&["plan"], 1);
    says(&told, &["the log-in has ended: it was revoked or is too old", "`flyte auth login` logs in again"]);
    // At a terminal it is a new log-in at once.
    let seen = bed.watched(|bed| {
        bed.at_terminal("approve", &["plan"], 0);
    });
    assert_eq!(seen.token_requests.first().map(String::as_str), Some("refresh_token: invalid_grant"));
    assert_eq!(seen.token_requests.last().map(String::as_str), Some("device_code"));
}

#[test]
fn a_secret_that_is_wrong_or_missing() {
    let bed = Bed::start();
    machine(&bed);
    let mut command = bed.command(&["plan"]);
    command.env("SDK_SECRET", "not-it");
    let told = crate::process::run(command, std::time::Duration::from_secs(60)).expect(1);
    let server = format!("the authorization server `{}` does not accept client `ci`", bed.issuer());
    says(&told, &[&server, "check the client's name and secret"]);
    assert!(!told.stderr.contains("not-it"), "{}", told.account());

    let mut command = bed.command(&["plan"]);
    command.env_remove("SDK_SECRET");
    let told = crate::process::run(command, std::time::Duration::from_secs(60)).expect(1);
    says(&told, &["SDK_SECRET"]);
}

#[test]
fn a_token_endpoint_that_is_none() {
    let bed = Bed::start();
    machine(&bed);
    let server = format!("the authorization server `{}`", bed.issuer());
    bed.set(json!({ "page": 200 }));
    says(&bed.flyte(&["plan"], 1), &[&format!("{server} answers 200 with a page (text/html)"), "token endpoint"]);
    bed.set(json!({ "page": 500 }));
    says(&bed.flyte(&["plan"], 1), &[&format!("{server} has trouble of its own (500)"), "try again in a while"]);
    bed.set(json!({ "page": 200 }));
    person(&bed, "DeviceFlow");
    says(&bed.at_terminal("approve", &["plan"], 1), &[&format!("{server} answers 200 with a page (text/html)")]);
}

#[test]
fn log_ins_that_fail() {
    let bed = Bed::start();
    for kind in ["Pkce", "DeviceFlow"] {
        person(&bed, kind);
        let told = bed.at_terminal("deny", &["plan"], 1);
        says(&told, &["the log-in was refused: access_denied", "ask whoever runs the control plane for access"]);
    }
    bed.set(json!({ "device": false }));
    let told = bed.at_terminal("approve", &["plan"], 1);
    says(&told, &["offers no log-in by code", "choose the log-in in the browser (PKCE)"]);

    person(&bed, "Pkce");
    let told = bed.at_terminal("old-tab", &["plan"], 1);
    says(&told, &["the log-in page answered for another log-in (the state differs)", "close the other log-in pages"]);

    let port = bed.redirect_port();
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let told = bed.at_terminal("approve", &["plan"], 1);
    says(
        &told,
        &[&format!("port {port}, on which the log-in page answers, is in use"), "another log-in may be waiting"],
    );
    drop(taken);
    bed.at_terminal("approve", &["plan"], 0);
}

#[test]
fn tokens_that_are_refused() {
    let bed = Bed::start();
    machine(&bed);
    bed.set(json!({ "audience": "another" }));
    let audience = "the token is for `another`, the control plane is `flyte` (the audience differs)";
    says(&bed.flyte(&["plan"], 1), &["AppService/List: unauthenticated", audience, "may ask for this audience"]);
    // Exactly once again with another token.
    assert_eq!(bed.seen().token_requests, ["client_credentials"; 2]);

    for (settings, skew, what) in [
        (json!({ "gate_ahead": -600 }), Some((600, "behind")), "the token is valid only"),
        (json!({ "gate_ahead": 7200 }), Some((7200, "ahead of")), "the token ended"),
        (json!({ "gate_ahead": 0, "issuer_ahead": 900 }), None, "the token is valid only"),
        (json!({ "issuer_ahead": -7200 }), None, "the token ended"),
    ] {
        bed.set(json!({ "audience": "flyte" }));
        bed.set(settings);
        bed.flyte(&["auth", "logout"], 0);
        let told = bed.flyte(&["plan"], 1);
        says(&told, &[what, "one of the clocks"]);
        match skew {
            // Clocks are read in whole seconds, one after the other.
            Some((seconds, way)) => assert!(
                (seconds - 2..=seconds + 2).any(|seconds| {
                    words(&told).contains(&format!("the control plane's clock is {seconds} s {way} this machine's"))
                }),
                "{}",
                told.account()
            ),
            None => assert!(!words(&told).contains("clock is"), "{}", told.account()),
        }
    }
}

#[test]
fn who_may_not_is_told_apart_from_who_is_not_known() {
    let bed = Bed::start();
    person(&bed, "Pkce");
    let seen = bed.watched(|bed| {
        let told = bed.at_terminal("as-eve", &["plan"], 1);
        says(&told, &["permission_denied: eve may do nothing here", "ask whoever runs the control plane for access"]);
    });
    assert_eq!(seen.token_requests, ["authorization_code"]);
}

#[test]
fn commands_and_variables_without_a_good_token() {
    let bed = Bed::start();
    bed.declare(r#"{ kind = "command", command = ["sh", "-c", "echo 'session is over' >&2; exit 4"] }"#);
    let failed = "`sh`, which should print a token, failed (exit status: 4): session is over";
    says(&bed.flyte(&["plan"], 1), &[failed, "run the command by hand"]);
    bed.declare(r#"{ kind = "command", command = ["echo", "stale"] }"#);
    says(&bed.flyte(&["plan"], 1), &["AppService/List: unauthenticated", "must be replaced there"]);
    bed.declare(r#"{ kind = "passthrough", variable = "TOKEN" }"#);
    says(&bed.flyte(&["plan"], 1), &["TOKEN"]);
    let mut command = bed.command(&["plan"]);
    command.env("TOKEN", "stale");
    let told = crate::process::run(command, std::time::Duration::from_secs(60)).expect(1);
    says(&told, &["AppService/List: unauthenticated", "must be replaced there"]);
    assert!(!told.stderr.contains("stale"), "{}", told.account());
}

#[test]
fn no_token_travels_in_the_clear() {
    let bed = Bed::start();
    let declared = |insecure: bool| {
        let target = format!(
            "[target.far]\nendpoint = \"http://flyte.invalid\"\ninsecure = {insecure}\ndefault = true\n\
             auth = {{ kind = \"passthrough\", variable = \"TOKEN\" }}\n"
        );
        let manifest = include_str!("shop.toml").replace("target = \"config\"\n", "");
        bed.write("flyte.toml", &format!("project = \"p\"\ndomain = \"d\"\n{manifest}{target}"));
        let mut command = bed.command(&["plan"]);
        command.env("TOKEN", "t");
        crate::process::run(command, std::time::Duration::from_secs(60)).expect(1)
    };
    says(&declared(false), &["a token would travel to `http://flyte.invalid` unencrypted", "`insecure = true`"]);
    // It is tried where the user takes it upon themselves; there is no such host.
    assert!(!declared(true).stderr.contains("unencrypted"));
}
