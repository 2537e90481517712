//! Every kind of log-in, from one configuration file for the SDK and for us.

use std::fs;

use serde_json::json;

use super::bed::Bed;

/// Applies with ours, and looks with both at what runs.
#[track_caller]
fn both_get_in(bed: &Bed, subject: &str) {
    let seen = bed.watched(|bed| {
        bed.at_terminal("approve", &["apply", "--yes"], 0);
        let who = bed.flyte(&["auth", "whoami", "--json"], 0).json();
        assert_eq!(who["user"]["subject"], subject, "{who}");
        let listed = bed.sdk(&["get", "app"]);
        assert!(listed.stdout.contains("web"), "{}", listed.account());
    });
    let expected = format!("List: {subject}");
    assert!(seen.calls.iter().filter(|call| **call == expected).count() >= 2, "{seen:?}");
    assert_eq!(seen.leaks, [""; 0], "{seen:?}");
}

#[test]
fn client_credentials() {
    let bed = Bed::start();
    bed.configure(&[("authType", "ClientSecret"), ("clientId", "ci"), ("clientSecretEnvVar", "SDK_SECRET")]);
    both_get_in(&bed, "ci");

    let file = bed.tree.path().join("secret");
    fs::write(&file, format!("{}\n", bed.secret(0))).expect("a file is written");
    bed.configure(&[("clientId", "ci"), ("clientSecretLocation", file.to_str().expect("UTF-8"))]);
    both_get_in(&bed, "ci");

    // The header is known from the first request on, without asking again; the token is still good.
    let seen = bed.watched(|bed| {
        bed.flyte(&["plan"], 0);
    });
    assert_eq!(seen.calls, ["List: ci"]);
    assert_eq!(seen.token_requests, [""; 0]);
}

#[test]
fn client_credentials_in_the_form_where_the_server_takes_nothing_else() {
    let bed = Bed::start();
    bed.set(json!({ "methods": ["client_secret_post"] }));
    bed.declare(r#"{ kind = "client_credentials", client_id = "ci-post", secret_env = "POST_SECRET" }"#);
    let mut command = bed.command(&["auth", "whoami", "--json"]);
    command.env("POST_SECRET", bed.secret(1));
    let who = crate::python::succeed(command, std::time::Duration::from_secs(60)).json();
    assert_eq!((&who["user"]["subject"], &who["kind"]), (&json!("ci-post"), &json!("client_credentials")));
}

#[test]
fn an_api_key() {
    let bed = Bed::start();
    let key = format!("{}:ci:{}:", bed.gate(), bed.secret(0));
    bed.configure(&[]);
    let mut command = bed.command(&["auth", "whoami", "--json"]);
    use base64::Engine as _;
    command.env("FLYTE_API_KEY", base64::engine::general_purpose::STANDARD.encode(key));
    let who = crate::python::succeed(command, std::time::Duration::from_secs(60)).json();
    assert_eq!((&who["user"]["subject"], &who["kind"]), (&json!("ci"), &json!("client_credentials")));
}

#[test]
fn a_browser() {
    let bed = Bed::start();
    bed.configure(&[("authType", "Pkce")]);
    both_get_in(&bed, "ada");
    logged_in_and_out(&bed, "pkce");
}

#[test]
fn a_code() {
    let bed = Bed::start();
    bed.configure(&[("authType", "DeviceFlow")]);
    both_get_in(&bed, "ada");
    logged_in_and_out(&bed, "device");
}

/// The commands that log in and out, after a log-in.
#[track_caller]
fn logged_in_and_out(bed: &Bed, kind: &str) {
    let seen = bed.watched(|bed| {
        // Without a terminal the log-in of before is enough.
        bed.flyte(&["plan"], 0);
    });
    assert_eq!((seen.calls.as_slice(), seen.token_requests.len()), (&["List: ada".to_owned()][..], 0));

    let again = bed.at_terminal("as-eve", &["auth", "login"], 1);
    assert!(again.stderr.contains("logged in, but the token is of no use"), "{}", again.account());
    assert!(again.stderr.contains("permission_denied:"), "{}", again.account());

    let told = bed.at_terminal("approve", &["auth", "login", "--json"], 0).json();
    assert_eq!((&told["user"]["name"], &told["kind"]), (&json!("Ada"), &json!(kind)), "{told}");
    assert_eq!((&told["kept"]["in"], &told["renewable"]), (&json!("file"), &json!(true)), "{told}");
    let file = std::path::PathBuf::from(told["kept"]["path"].as_str().expect("a path"));
    assert!(file.starts_with(bed.home.path()), "{told}");

    let gone = bed.flyte(&["auth", "logout"], 0);
    assert!(gone.stdout.contains("forgot the log-in") && !file.exists(), "{}", gone.account());
    let gone = bed.flyte(&["auth", "logout", "--json"], 0).json();
    assert_eq!(gone["forgotten"], json!([]));
    bed.flyte(&["plan"], 1);
}

#[test]
fn a_command_and_a_variable() {
    let bed = Bed::start();
    bed.configure(&[("authType", "ClientSecret"), ("clientId", "ci"), ("clientSecretEnvVar", "SDK_SECRET")]);
    bed.flyte(&["plan"], 0);
    let token = bed.seen().handed_out.pop().expect("one was issued");

    // The SDK has one name for the header of such a token, whatever the server says.
    bed.set(json!({ "header": "authorization" }));
    bed.configure(&[("authType", "ExternalCommand"), ("command", &format!("[\"echo\", \"{token}\"]"))]);
    fs::remove_dir_all(bed.home.path().join(".cache")).expect("there is a cache");
    both_get_in(&bed, "ci");

    // We ask for it.
    bed.set(json!({ "header": "flyte-authorization" }));
    fs::remove_dir_all(bed.home.path().join(".cache")).expect("there is a cache");
    let seen = bed.watched(|bed| {
        bed.flyte(&["plan"], 0);
    });
    assert_eq!(seen.calls.last().map(String::as_str), Some("List: ci"), "{seen:?}");
    assert!(!seen.calls.contains(&"List: unauthenticated".to_owned()), "{seen:?}");

    for value in [token.clone(), format!("Bearer {token}")] {
        bed.declare(r#"{ kind = "passthrough", variable = "TOKEN" }"#);
        let mut command = bed.command(&["auth", "whoami", "--json"]);
        command.env("TOKEN", value);
        let who = crate::python::succeed(command, std::time::Duration::from_secs(60)).json();
        assert_eq!((&who["user"]["subject"], &who["kind"]), (&json!("ci"), &json!("passthrough")), "{who}");
    }
}
