//! Tokens end and are renewed: before their end, and once when they are refused.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use flyte::client::auth::Surroundings;
use flyte::client::{Client, Timeouts};
use flyte::model::target::{Auth, SecretSource};
use serde_json::json;

use super::bed::Bed;

fn with_a_person(bed: &Bed) {
    bed.configure(&[("authType", "Pkce")]);
    bed.at_terminal("approve", &["auth", "login"], 0);
}

#[test]
fn before_the_end() {
    let bed = Bed::start();
    bed.set(json!({ "lifetime": 8 }));
    with_a_person(&bed);
    thread::sleep(Duration::from_secs(7));
    // A second before the end, and long after it: in both cases the server never sees the old one.
    for wait in [0, 9] {
        thread::sleep(Duration::from_secs(wait));
        let seen = bed.watched(|bed| {
            bed.flyte(&["plan"], 0);
        });
        assert_eq!(seen.token_requests, ["refresh_token"]);
        assert!(!seen.calls.is_empty() && seen.calls.iter().all(|call| call.ends_with(": ada")), "{seen:?}");
    }
    // The refresh token was replaced each time, and the last one is kept.
    bed.set(json!({ "lifetime": 3600, "revoke_access": true }));
    bed.flyte(&["plan"], 0);
}

#[test]
fn once_when_it_is_refused() {
    let bed = Bed::start();
    with_a_person(&bed);
    bed.set(json!({ "revoke_access": true }));
    let seen = bed.watched(|bed| {
        bed.flyte(&["plan"], 0);
    });
    assert_eq!(seen.token_requests, ["refresh_token"]);
    let lists: Vec<&String> = seen.calls.iter().filter(|call| call.starts_with("List:")).collect();
    assert_eq!(lists, ["List: unauthenticated", "List: ada"]);

    // A client gets another with its secret.
    bed.configure(&[("authType", "ClientSecret"), ("clientId", "ci"), ("clientSecretEnvVar", "SDK_SECRET")]);
    bed.flyte(&["plan"], 0);
    bed.set(json!({ "revoke_access": true }));
    let seen = bed.watched(|bed| {
        bed.flyte(&["plan"], 0);
    });
    assert_eq!(seen.token_requests, ["client_credentials"]);
}

#[test]
fn writes_streams_and_uploads_are_made_again() {
    let bed = Bed::start();
    with_a_person(&bed);
    bed.write("flyte.toml", &format!("{}activation = \"auto\"\n", include_str!("shop.toml")));
    let refused = ["Create", "Watch", "CreateUploadLocation", "TailLogs"];
    bed.set(json!({ "refuse_once": refused }));
    let seen = bed.watched(|bed| {
        let applied = bed.flyte(&["apply", "--yes"], 0);
        assert!(applied.stdout.contains("1 created"), "{}", applied.account());
        bed.flyte(&["logs", "web"], 0);
    });
    for method in refused {
        let calls: Vec<&String> = seen.calls.iter().filter(|call| call.starts_with(&format!("{method}:"))).collect();
        assert!(calls.len() >= 2, "{method}: {seen:?}");
        assert_eq!(calls[..2], [&format!("{method}: unauthenticated"), &format!("{method}: ada")], "{seen:?}");
        assert!(calls.len() == 2 || method == "Watch", "{seen:?}");
    }
    // One for each refusal: they come one after the other.
    assert_eq!(seen.token_requests, ["refresh_token"; 4], "{seen:?}");
    assert_eq!(seen.leaks, [""; 0]);
}

#[test]
fn other_errors_start_no_log_in() {
    let bed = Bed::start();
    with_a_person(&bed);
    bed.set(json!({ "fail_once": ["List"] }));
    let seen = bed.watched(|bed| {
        let failed = bed.at_terminal("approve", &["plan"], 1);
        assert!(failed.stderr.contains("something went wrong"), "{}", failed.account());
    });
    assert_eq!((seen.calls, seen.token_requests), (vec!["List: unknown".to_owned()], Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_share_one() {
    let bed = Bed::start();
    let secret = SecretSource::Variable("S".to_owned());
    let connection = bed.connection(Auth::ClientCredentials { client_id: "ci".to_owned(), secret });
    let environment = BTreeMap::from([("S".to_owned(), bed.secret(0).to_owned())]);
    let surroundings = Surroundings { environment, ..Surroundings::default() };
    let client = Client::at(&connection, &surroundings, Timeouts::default()).expect("a good connection");
    let all_at_once = async || {
        let calls = (0..20).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.user_info().await.map(|user| user.subject) })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.expect("no panic"), Ok("ci".to_owned()));
        }
    };
    all_at_once().await;
    assert_eq!(bed.seen().token_requests, ["client_credentials"]);
    bed.set(json!({ "revoke_access": true }));
    all_at_once().await;
    let seen = bed.seen();
    assert_eq!(seen.token_requests, ["client_credentials"; 2]);
    assert_eq!(seen.calls.iter().filter(|call| *call == "UserInfo: ci").count(), 40);
}
