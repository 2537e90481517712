//! The client against the embedded control plane, over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use flyte_schema::flyteidl2::app::{Identifier, Meta, Spec, spec::DesiredState};
use flyte_schema::flyteidl2::core::{Container, KeyValuePair, Secret, secret};
use futures::StreamExt;
use tempfile::TempDir;

use super::*;
use crate::model::{AppName, BundleRef, Digest, LiveApp, State as Phase};
use crate::port::{Clock, Update};
use crate::server::hub::{Hub, HubConfig};
use crate::server::service::services;
use crate::server::state::Profile;

mod stored;

/// How long is waited for what must come, on a machine under load too.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let active = tokio::time::timeout(PATIENCE, active).await.unwrap();
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
        tokio::time::timeout(PATIENCE, said).await.unwrap();

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
        tokio::time::timeout(PATIENCE, stopped).await.unwrap();
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
        tokio::time::timeout(PATIENCE, gone).await.unwrap();
        served.hub.shutdown().await;
        assert_eq!(updates.next().await.unwrap().unwrap_err().code, RpcCode::Unavailable);
    }
}

fn in_project(mut app: App, project: &str) -> App {
    app.metadata.get_or_insert_default().id.get_or_insert_default().project = project.to_owned();
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_of_its_own_app_alone_though_the_server_tells_more() {
    use flyte_schema::flyteidl2::app::{WatchRequest, watch_request, watch_response::Event};
    let served = serve(Profile::Oss).await;
    let client = &served.client;
    client.create(app("twin", "sleep 60", ACTIVE)).await.unwrap();
    let target = watch_request::Target::AppId(Box::new(identifier(&id("twin"))));
    let request = WatchRequest { target: Some(target), ..Default::default() };
    let mut raw = client.channel.app_streams().watch(request).await.unwrap();
    let first = raw.message().await.unwrap().unwrap().to_owned_message();
    assert!(matches!(first.event, Some(Event::CreateEvent(_))), "the current state comes as a create event");
    let mut updates = client.watch(&id("twin")).await.unwrap();

    client.create(in_project(app("twin", "sleep 61", ACTIVE), "other")).await.unwrap();
    let leaked = async {
        loop {
            let message = raw.message().await.unwrap().unwrap().to_owned_message();
            let told = match message.event {
                Some(Event::CreateEvent(event)) => event.app.into_option(),
                Some(Event::UpdateEvent(event)) => event.updated_app.into_option(),
                _ => None,
            };
            if told.is_some_and(|app| app.metadata.id.project == "other") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, leaked).await.expect("this server leaks");
    client.delete(&id("twin")).await.unwrap();
    let own = async {
        loop {
            match updates.next().await {
                Some(Ok(Update::Is(app))) => assert_eq!(app.metadata.id.project, "shop"),
                Some(Ok(Update::Gone)) => break,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, own).await.unwrap();
    served.hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_source_profile_drops_events_for_slow_readers() {
    use flyte_schema::flyteidl2::app::{WatchRequest, watch_request};
    const CHANGES: usize = 600;
    let served = serve(Profile::Oss).await;
    let client = &served.client;
    let mut large = app("large", "sleep 60", STOPPED);
    if let Some(flyte_schema::flyteidl2::app::spec::AppPayload::Container(container)) =
        &mut large.spec.get_or_insert_default().app_payload
    {
        // Nothing that compresses well.
        let noise = (0..2048u32).map(|n| Digest::of(&n.to_le_bytes()).to_string());
        container.args = vec![noise.collect()];
    }
    served.hub.create(large.clone()).unwrap();
    let target = watch_request::Target::AppId(Box::new(identifier(&id("large"))));
    let request = WatchRequest { target: Some(target), ..Default::default() };
    let mut raw = client.channel.app_streams().watch(request).await.unwrap();
    for _ in 0..CHANGES {
        served.hub.update(large.clone(), "").unwrap();
    }
    let mut heard = 0;
    while tokio::time::timeout(Duration::from_secs(2), raw.message()).await.is_ok_and(|it| it.unwrap().is_some()) {
        heard += 1;
    }
    assert!(heard < CHANGES, "all of {CHANGES} changes were told");
    assert_eq!(client.get(&id("large")).await.unwrap().unwrap().spec.desired_state, STOPPED);
    served.hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_collide_overwrite_each_other_where_they_do() {
    for (profile, left) in [(Profile::Oss, 0), (Profile::Full, 1)] {
        let served = serve(profile).await;
        let client = &served.client;
        client.create(in_project(app("a", "sleep 60", ACTIVE), "b-c")).await.unwrap();
        client.create(in_project(app("a-b", "sleep 60", ACTIVE), "c")).await.unwrap();
        let first = client.list(&Scope { project: "b-c".into(), ..scope() }).await.unwrap();
        assert_eq!(first.len(), left, "{profile}");
        assert_eq!(client.list(&Scope { project: "c".into(), ..scope() }).await.unwrap().len(), 1);
        let projects = client.projects(&scope()).await.unwrap();
        assert_eq!(projects.iter().map(|project| project.id.as_str()).collect::<Vec<_>>(), ["b-c", "c", "flytesnacks"]);
        assert_eq!(client.project(&scope()).await.unwrap().unwrap().id, "shop");
        served.hub.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_may_be_old_until_a_write_and_logs_need_a_replica() {
    let served = serve(Profile::Oss).await;
    let client = &served.client;
    client.create(app("a", "sleep 2; exec python3 -m http.server $PORT", ACTIVE)).await.unwrap();
    let first = client.get(&id("a")).await.unwrap().unwrap();
    let is_active = |app: &App| LiveApp(app.clone()).state() == Phase::Active;
    assert!(!is_active(&first));
    let listed = async {
        while !client.list(&scope()).await.unwrap().iter().any(is_active) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.unwrap();
    assert!(!is_active(&client.get(&id("a")).await.unwrap().unwrap()), "a list is newer than an answer kept for 30 s");
    served.clock.0.store(31, Ordering::Relaxed);
    assert!(is_active(&client.get(&id("a")).await.unwrap().unwrap()));
    let mut stop = app("a", "sleep 61", STOPPED);
    stop.metadata.get_or_insert_default().labels.insert("a".into(), "b".into());
    let answer = client.update(stop, "").await.unwrap();
    assert!(!answer.metadata.labels.is_empty(), "the answer is what was sent");
    let stored = client.get(&id("a")).await.unwrap().unwrap();
    assert!(stored.metadata.labels.is_empty() && stored.spec.app_payload == first.spec.app_payload);
    let silent = async {
        loop {
            // It may be refused at once, or with the first message.
            let first = match client.tail_logs(&id("a")).await {
                Err(error) => Some(Err(error)),
                Ok(mut lines) => lines.next().await,
            };
            match first {
                Some(Err(error)) => break error,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, silent).await.unwrap();
    assert_eq!((error.code, error.delivery), (RpcCode::NotFound, Delivery::Answered));
    let everywhere = ListRequest { filter_by: Some(list_request::FilterBy::Org("acme".into())), ..Default::default() };
    assert!(client.channel.apps().list(everywhere).await.is_err(), "apps are listed by project alone");
    served.hub.shutdown().await;
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
    assert_eq!((error.code, error.delivery), (RpcCode::Unavailable, Delivery::NotSent), "{error}");
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
