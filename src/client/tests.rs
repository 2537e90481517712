//! The client against the embedded control plane, over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flyte_schema::flyteidl2::app::{Identifier, Meta, Spec, spec::DesiredState};
use flyte_schema::flyteidl2::core::{Container, KeyValuePair, Secret, secret};
use flyte_schema::flyteidl2::dataproxy::CreateUploadLocationRequest;
use futures::StreamExt;
use md5::{Digest as _, Md5};
use tempfile::TempDir;

use super::*;
use crate::model::{AppName, BundleRef, Digest, LiveApp, State as Phase};
use crate::port::{Clock, Update};
use crate::server::hub::{Hub, HubConfig};
use crate::server::service::services;
use crate::server::state::Profile;

/// The time of this machine, moved.
#[derive(Default)]
struct Moved(AtomicI64);

#[async_trait]
impl Clock for Moved {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

struct Served {
    client: Client,
    hub: Arc<Hub>,
    clock: Arc<Moved>,
    endpoint: String,
    _directory: TempDir,
}

async fn serve(profile: Profile) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let clock = Arc::new(Moved::default());
    let setup = HubConfig { directory: directory.path().to_owned(), profile, endpoint: endpoint.clone() };
    let hub = Hub::start(setup, clock.clone()).await.unwrap();
    let services = services(&hub, None).unwrap();
    tokio::spawn(async move { axum::serve(listener, services).await });
    let client = Client::new(&Connection::open(&endpoint, true)).unwrap();
    Served { client, hub, clock, endpoint, _directory: directory }
}

fn scope() -> Scope {
    Scope { org: String::new(), project: "shop".into(), domain: "dev".into() }
}

fn id(name: &str) -> AppId {
    scope().app(&AppName::new(name).unwrap())
}

fn app(name: &str, script: &str, state: DesiredState) -> App {
    let id = Identifier { project: "shop".into(), domain: "dev".into(), name: name.into(), ..Default::default() };
    App {
        metadata: Meta { id: id.into(), ..Default::default() }.into(),
        spec: Spec {
            app_payload: Some(
                Container {
                    command: vec!["/bin/sh".into(), "-c".into(), script.into()],
                    env: vec![KeyValuePair { key: "MODE".into(), value: "fast".into(), ..Default::default() }],
                    ..Default::default()
                }
                .into(),
            ),
            desired_state: state.into(),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

const ACTIVE: DesiredState = DesiredState::DESIRED_STATE_ACTIVE;
const STOPPED: DesiredState = DesiredState::DESIRED_STATE_STOPPED;

#[tokio::test(flavor = "multi_thread")]
async fn apps_are_created_updated_listed_and_deleted() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    for number in 0..205 {
        client.create(app(&format!("a{number:03}"), "true", STOPPED)).await.unwrap();
    }
    assert_eq!(client.create(app("a000", "true", STOPPED)).await.unwrap_err().code, RpcCode::AlreadyExists);
    let apps = client.list(&scope()).await.unwrap();
    assert_eq!(apps.len(), 205);
    assert_eq!(apps[204].metadata.id.name, "a204");
    let elsewhere = Scope { domain: "prod".into(), ..scope() };
    assert!(client.list(&elsewhere).await.unwrap().is_empty());

    let mut known = client.get(&id("a000")).await.unwrap().unwrap();
    assert!(known.status.ingress.public_url.starts_with("http://127.0.0.1:"));
    assert_eq!(LiveApp(known.clone()).state(), Phase::Stopped);
    assert!(known.spec.ingress.is_set());
    let updated = client.update(known.clone(), "a reason").await.unwrap();
    assert_eq!(updated.metadata.revision, 2);
    known.metadata.get_or_insert_default().revision = 1;
    let stale = client.update(known.clone(), "").await.unwrap_err();
    assert_eq!((stale.code, stale.delivery), (RpcCode::Aborted, Delivery::Answered));
    assert!(stale.message.contains("revision 2"), "{stale}");
    assert_eq!(stale.request_id.len(), 36);
    known.metadata.get_or_insert_default().revision = 2;
    let long = client.update(known, &"x".repeat(101)).await.unwrap_err();
    assert_eq!(long.code, RpcCode::InvalidArgument);

    client.delete(&id("a000")).await.unwrap();
    client.delete(&id("a000")).await.unwrap();
    assert_eq!(client.get(&id("a000")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_source_profile_differs() {
    let served = serve(Profile::Oss).await;
    let client = &served.client;
    client.create(app("a", "sleep 60", ACTIVE)).await.unwrap();
    client.create(app("a", "sleep 61", ACTIVE)).await.unwrap();
    let stored = client.get(&id("a")).await.unwrap().unwrap();
    assert_eq!((stored.metadata.revision, stored.metadata.id.org.as_str()), (0, "flyte"));
    assert!(client.list_secrets(&scope()).await.unwrap().is_empty());
    assert_eq!(client.list(&scope()).await.unwrap().len(), 1);
    client.delete(&id("a")).await.unwrap();
    served.hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_runs_is_watched_and_logs() {
    for profile in [Profile::Full, Profile::Oss] {
        let served = serve(profile).await;
        let client = &served.client;
        client.set_secret(&scope(), "token", "hunter2").await.unwrap();
        let mut updates = client.watch(&id("talker")).await.unwrap();
        let mut talker = app("talker", "echo $MODE $TOKEN; exec python3 -m http.server $PORT", ACTIVE);
        talker.spec.get_or_insert_default().security_context.get_or_insert_default().secrets = vec![Secret {
            key: "token".into(),
            env_var: "TOKEN".into(),
            mount_requirement: secret::MountType::ENV_VAR.into(),
            ..Default::default()
        }];
        client.create(talker).await.unwrap();
        let active = async {
            loop {
                match updates.next().await {
                    Some(Ok(Update::Is(app))) if LiveApp((*app).clone()).state() == Phase::Active => break *app,
                    Some(Ok(Update::Is(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        let active = tokio::time::timeout(Duration::from_secs(20), active).await.unwrap();
        let url = active.status.ingress.public_url.clone();
        let http = client.channel.network.to(&client.channel.base);
        assert!(http.get(&url).send().await.unwrap().status().is_success());
        let internal = format!("{}/apps/shop/dev/talker/a%20b?c=d", served.endpoint);
        let sent_on = http.get(internal).send().await.unwrap();
        assert_eq!(sent_on.headers()["location"].to_str().unwrap(), format!("{url}/a%20b?c=d"));

        let mut lines = client.tail_logs(&id("talker")).await.unwrap();
        let said = async {
            while let Some(line) = lines.next().await {
                if line.unwrap().text == "fast hunter2" {
                    return;
                }
            }
            panic!("it did not say it");
        };
        tokio::time::timeout(Duration::from_secs(10), said).await.unwrap();

        let mut stop = client.get(&id("talker")).await.unwrap().unwrap();
        stop.spec.get_or_insert_default().desired_state = STOPPED.into();
        client.update(stop, "").await.unwrap();
        let stopped = async {
            loop {
                match updates.next().await {
                    Some(Ok(Update::Is(app))) if LiveApp((*app).clone()).state() == Phase::Stopped => break,
                    Some(Ok(Update::Is(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), stopped).await.unwrap();
        client.delete(&id("talker")).await.unwrap();
        // What was settled may be told once more before the end.
        let gone = async {
            loop {
                match updates.next().await {
                    Some(Ok(Update::Gone)) => break,
                    Some(Ok(Update::Is(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
        served.hub.shutdown().await;
        assert_eq!(updates.next().await.unwrap().unwrap_err().code, RpcCode::Unavailable);
    }
}

fn parcel(file_name: &str, content: &Bytes) -> Parcel {
    Parcel {
        file_name: file_name.to_owned(),
        length: content.len() as u64,
        md5: Md5::digest(content).into(),
        content: Arc::new(content.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_go_up_and_come_down() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    let content = Bytes::from_static(b"not really an archive");
    let name = BundleRef(Digest::of(&content)).file_name();
    let address = client.upload(&scope(), &parcel(&name, &content)).await.unwrap();
    assert!(address.ends_with(&name), "{address}");
    assert_eq!(client.upload(&scope(), &parcel(&name, &content)).await.unwrap(), address);
    let mut with_code = app("a", "true", STOPPED);
    with_code.metadata.get_or_insert_default().code_bundle_uri = address;
    client.create(with_code).await.unwrap();
    let mut fetched = Vec::new();
    assert!(client.download_bundle(&id("a"), &mut fetched).await.unwrap());
    assert_eq!(fetched, content);
    client.create(app("b", "true", STOPPED)).await.unwrap();
    assert!(!client.download_bundle(&id("b"), &mut fetched).await.unwrap());
    let outside = client.upload(&scope(), &parcel("../x", &Bytes::new())).await.unwrap_err();
    assert_eq!(outside.code, RpcCode::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_allow_what_they_say() {
    let served = serve(Profile::Full).await;
    let content = b"bundle".to_vec();
    let md5 = Md5::digest(&content).to_vec();
    let locate = |length: i64| {
        let data = served.client.channel.data();
        let request = CreateUploadLocationRequest {
            project: "shop".into(),
            domain: "dev".into(),
            filename: "x.tar.gz".into(),
            content_md5: md5.clone(),
            content_length: length,
            ..Default::default()
        };
        async move { data.create_upload_location(request).await.map(|answer| answer.into_owned().signed_url) }
    };
    let http = served.client.channel.network.to(&served.client.channel.base);
    let put = |url: &str, md5: &[u8], body: &[u8]| {
        let request = http.put(url).header("content-md5", STANDARD.encode(md5)).body(body.to_vec());
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let url = locate(0).await.unwrap();
    assert_eq!(put(&url, &Md5::digest(b"other"), b"other").await.0, 400, "another file than was signed");
    assert_eq!(put(&url, &md5, b"broken").await.0, 400, "not what the MD5 says");
    assert_eq!(put(&url.replace("x.tar.gz", "y.tar.gz"), &md5, &content).await.0, 403);
    assert_eq!(http.get(&url).send().await.unwrap().status(), 403);
    assert_eq!(put(&url, &md5, &content).await.0, 200);
    let small = locate(3).await.unwrap();
    assert_eq!(put(&small, &md5, &content).await.0, 413);
    assert!(locate(101 << 20).await.is_err());
    served.clock.0.store(901, Ordering::Relaxed);
    let (status, text) = put(&url, &md5, &content).await;
    assert_eq!((status, text.contains("expired")), (403, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_named_and_never_told() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    let wide = Scope { org: String::new(), project: String::new(), domain: String::new() };
    client.set_secret(&wide, "KEY", "1").await.unwrap();
    client.set_secret(&scope(), "KEY", "2").await.unwrap();
    client.set_secret(&scope(), "KEY", "3").await.unwrap();
    assert_eq!(client.list_secrets(&scope()).await.unwrap(), [SecretName { scope: scope(), name: "KEY".into() }]);
    let value = |scope: &Scope| served.hub.store().secret_value(scope, "KEY").unwrap();
    assert_eq!(value(&scope()).as_deref(), Some(&b"3"[..]));
    client.delete_secret(&scope(), "KEY").await.unwrap();
    assert_eq!(value(&scope()).as_deref(), Some(&b"1"[..]));
    assert_eq!(client.delete_secret(&scope(), "KEY").await.unwrap_err().code, RpcCode::NotFound);
    assert_eq!(client.set_secret(&wide, "no spaces", "1").await.unwrap_err().code, RpcCode::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_this_machine_are_answered() {
    let served = serve(Profile::Full).await;
    let http = served.client.channel.network.to(&served.client.channel.base);
    let ask = |name: &'static str, value: &'static str| {
        let request = http.get(format!("{}/healthz", served.endpoint)).header(name, value);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(ask("x-nothing", "1").await, 200);
    assert_eq!(ask("host", "evil.example.com").await, 403);
    assert_eq!(ask("host", "localhost:1").await, 200);
    assert_eq!(ask("origin", "https://evil.example.com").await, 403);
    assert_eq!(ask("origin", "null").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_no_control_plane_is_told_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = || async { axum::response::Html("<html>log in</html>") };
    let router = axum::Router::new()
        .route(
            "/away/{*rest}",
            axum::routing::any(|| async { axum::response::Redirect::to("https://sso.example.com") }),
        )
        .route(
            "/slow/{*rest}",
            axum::routing::any(move || async move { (http::StatusCode::GATEWAY_TIMEOUT, page().await) }),
        )
        .fallback(page);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ask = |endpoint: String| async move {
        let client = Client::new(&Connection::open(endpoint, true)).unwrap();
        client.get(&id("a")).await.unwrap_err()
    };
    let error = ask(format!("http://{address}")).await;
    assert!(error.message.contains("text/html"), "{error}");
    let error = ask(format!("http://{address}/away")).await;
    assert!(error.message.contains("sso.example.com"), "{error}");
    let client = Client::new(&Connection::open(format!("http://{address}/slow"), true)).unwrap();
    let error = client.create(app("a", "true", STOPPED)).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "a proxy that gave up does not know what the server did: {error}");
    let error = ask("http://127.0.0.1:1".to_owned()).await;
    assert_eq!((error.code, error.delivery), (RpcCode::Unavailable, Delivery::NotSent));
    assert!(error.message.contains("refuses connections") && !error.is_outcome_unknown(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_runs_and_artifacts_says_so() {
    let served = serve(Profile::Full).await;
    let by_name = RunChoice::Run("r1".to_owned());
    let error = served.client.run(&scope(), &by_name).await.unwrap_err();
    assert_eq!((error.code, error.delivery), (RpcCode::Unimplemented, Delivery::Answered));
    let bert = ArtifactRef { name: "bert".to_owned(), version: None, project: None, domain: None, kind: None };
    let error = served.client.artifact(&scope(), &bert).await.unwrap_err();
    assert_eq!((error.code, error.delivery), (RpcCode::Unimplemented, Delivery::Answered));
}
