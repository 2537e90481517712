//! What is put on record comes back, and holds no secret.

use buffa::Message as _;
use flyte_schema::flyteidl2::app::App;
use serde_json::json;

use super::*;
use crate::canonical;
use crate::model::{Activation, AppName, Commit, Digest, Mask, Scope, Version};

fn app() -> App {
    flyte_schema::from_json(json!({
        "metadata": { "id": { "project": "p", "domain": "d", "name": "backend" }, "code_bundle_uri": "s3://b/x.tar.gz" },
        "spec": {
            "container": {
                "image": "ghcr.io/acme/a:1",
                "args": ["--database", "postgres://app:hunter2@db/main", "--port", "8080"],
                "env": [
                    { "key": "LOG_LEVEL", "value": "info" },
                    { "key": "DB_PASSWORD", "value": "hunter3" },
                ],
            },
            "inputs": { "items": [{ "name": "api_token", "string_value": "hunter4" }] },
            "security_context": { "secrets": [{ "key": "API_TOKEN", "env_var": "API_TOKEN" }] },
            "desired_state": "DESIRED_STATE_ACTIVE",
        },
    }))
    .unwrap()
}

fn pod() -> App {
    flyte_schema::from_json(json!({
        "spec": { "pod": { "primary_container_name": "app", "pod_spec": { "containers": [
            { "name": "app", "env": [{ "name": "DB_PASSWORD", "value": "hunter2" }, { "name": "A", "value": "b" }] },
        ] } } },
    }))
    .unwrap()
}

fn release(message: &App) -> Release {
    let scope = Scope { org: String::new(), project: "p".into(), domain: "d".into() };
    let version = Version { digest: canonical::version(message), label: Some("v1-rc.2".into()) };
    let written = Written {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        by: "me@here".into(),
        target: "local".into(),
        endpoint: "http://localhost".into(),
        tool: "0.1.0".into(),
    };
    let id = scope.app(&AppName::new("backend").unwrap());
    Release::new(id, &Mask::new("shop"), version, Activation::Auto, message, written)
}

#[test]
fn a_record_holds_no_secret_and_all_the_rest() {
    for message in [app(), pod()] {
        let release = release(&message);
        let text = String::from_utf8(encode(&release)).unwrap();
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(decode(text.as_bytes()).unwrap(), release);
        let restored = restore(&release.message, release.version.digest, &Mask::new("shop"), &[&message]).unwrap();
        assert_eq!(restored, message);
    }
    assert_eq!(
        release(&app()).concealed,
        ["spec.container.args[1]", "spec.container.env[DB_PASSWORD]", "spec.inputs.items[api_token]"]
    );
    assert_eq!(release(&pod()).concealed, ["spec.pod.pod_spec.containers[app].env[DB_PASSWORD]"]);
}

#[test]
fn what_has_other_values_now_is_not_restored() {
    let mut other = app();
    let release = release(&app());
    if let Some(flyte_schema::flyteidl2::app::spec::AppPayload::Container(container)) =
        &mut other.spec.as_option_mut().unwrap().app_payload
    {
        container.env[1].value = "another".into();
    }
    let refused = restore(&release.message, release.version.digest, &Mask::new("shop"), &[&other]).unwrap_err();
    assert_eq!(refused, NotRestored::Values(vec!["spec.container.env[DB_PASSWORD]".into()]));
    // The value may come from elsewhere.
    let both = restore(&release.message, release.version.digest, &Mask::new("shop"), &[&other, &app()]);
    assert_eq!(both, Ok(app()));
    let wrong = restore(&release.message, Digest::of(b"another"), &Mask::new("shop"), &[&app()]).unwrap_err();
    assert!(matches!(wrong, NotRestored::Version(_)), "{wrong}");
}

#[test]
fn fields_that_are_not_known_survive() {
    // Field 900, a varint, at two depths.
    let unknown = [0xa0, 0x38, 0x07];
    let spec = [&unknown[..], &app().spec.encode_to_vec()].concat();
    let mut message = app();
    message.spec = flyte_schema::flyteidl2::app::Spec::decode_from_slice(&spec).unwrap().into();
    let message = App::decode_from_slice(&[&unknown[..], &message.encode_to_vec()].concat()).unwrap();
    let release = release(&message);
    let read = decode(&encode(&release)).unwrap();
    assert_eq!(read.message.encode_to_vec(), release.message.encode_to_vec());
    let count = |bytes: &[u8]| bytes.windows(3).filter(|window| *window == unknown).count();
    assert_eq!(count(&read.message.encode_to_vec()), 2);
    assert!(!String::from_utf8_lossy(&encode(&release)).contains("hunter"));
    assert!(!read.message.encode_to_vec().windows(6).any(|window| window == b"hunter"));
}

#[test]
fn an_event_is_told_by_its_name() {
    let event = Event {
        event: Kind::RolledBack,
        app: AppName::new("backend").unwrap(),
        at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
        by: "me@here".into(),
        version: Some(release(&app()).version),
        release: Some(Digest::of(b"record")),
        commit: Some(Commit { id: "c0ffee".into(), clean: false }),
        target: "local".into(),
        endpoint: "http://localhost".into(),
    };
    let entry = LogEntry::of(&event);
    assert_eq!(LogEntry::parse(&entry.name), Some(entry.clone()));
    assert_eq!(decode_event(&encode_event(&event)).unwrap(), event);
    assert!(entry.name.len() < 200, "{}", entry.name);
    let bare = Event { event: Kind::Deleted, version: None, release: None, commit: None, ..event };
    let entry = LogEntry::of(&bare);
    assert_eq!(LogEntry::parse(&entry.name), Some(entry));
    for other in ["", "x.json", "20260102T030405.678901Z-promoted-0-0-0.json", ".gitignore"] {
        assert_eq!(LogEntry::parse(other), None, "{other}");
    }
}

#[test]
fn another_format_is_told_as_such() {
    let text = String::from_utf8(encode(&release(&app()))).unwrap();
    let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
    assert_eq!(decode(newer.as_bytes()), Err(Unreadable::Newer { found: 2 }));
    assert!(matches!(decode(&text.as_bytes()[..40]), Err(Unreadable::Malformed(_))));
}

fn entry(at: i64, kind: Kind, version: &str, label: Option<&str>) -> LogEntry {
    let app = AppName::new("backend").unwrap();
    LogEntry::of(&Event {
        event: kind,
        app,
        at: jiff::Timestamp::from_second(at).unwrap(),
        by: String::new(),
        version: Some(Version { digest: Digest::of(version.as_bytes()), label: label.map(str::to_owned) }),
        release: kind.sets_release().then(|| Digest::of(version.as_bytes())),
        commit: None,
        target: String::new(),
        endpoint: String::new(),
    })
}

#[test]
fn the_release_before_is_the_one_that_ran_before() {
    let app = AppName::new("backend").unwrap();
    let digest = |version: &str| Digest::of(version.as_bytes());
    let log = vec![
        entry(1, Kind::Applied, "one", Some("v1")),
        entry(2, Kind::Applied, "two", None),
        entry(3, Kind::Activated, "two", None),
        entry(4, Kind::Recorded, "two", None),
        entry(5, Kind::Applied, "three", None),
    ];
    let releases = AppReleases { log, ..AppReleases::default() };
    let before =
        |running: Option<&str>| releases.choose(&app, None, running.map(digest)).map(|entry| entry.release.unwrap());
    assert_eq!(before(Some("three")), Ok(digest("two")));
    assert_eq!(before(None), Ok(digest("two")));
    assert_eq!(before(Some("two")), Ok(digest("one")));
    assert_eq!(before(Some("one")), Err(NoSuchRelease::NothingBefore { app: app.clone() }));
    // What runs was written by somebody who did not record it.
    assert_eq!(before(Some("four")), Ok(digest("three")));
    let to = |to: &str| releases.choose(&app, Some(to), None).map(|entry| entry.release.unwrap());
    assert_eq!(to("v1"), Ok(digest("one")));
    assert_eq!(to(&digest("two").to_string()), Ok(digest("two")));
    assert_eq!(to(&digest("two").short()[..5]), Ok(digest("two")));
    for unknown in ["v2", "aäääääääää", "ää"] {
        assert!(matches!(to(unknown), Err(NoSuchRelease::Version { known, .. }) if known.len() == 3), "{unknown}");
    }
    assert_eq!(releases.current().unwrap().version, Some(digest("three").short()));
}

#[test]
fn a_log_tells_what_was_there_as_far_as_it_reaches_back() {
    let log = vec![
        entry(2, Kind::Activated, "one", None),
        entry(3, Kind::Applied, "two", None),
        entry(5, Kind::Deleted, "two", None),
        entry(7, Kind::Applied, "three", None),
    ];
    let releases = AppReleases { log, ..AppReleases::default() };
    let at = |second: i64| releases.at(jiff::Timestamp::from_second(second).unwrap());
    assert_eq!(at(2), Then::Unknown);
    assert_eq!(at(4), Then::Release(&releases.log[1]));
    assert_eq!(at(6), Then::NotThere);
    assert_eq!(at(9), Then::Release(&releases.log[3]));
}

#[test]
fn what_an_app_depended_on_is_told_where_it_was_put_on_record() {
    let old = release(&app());
    assert!(!String::from_utf8(encode(&old)).unwrap().contains("depends_on"));
    let told = Release { depends_on: Some([AppName::new("db").unwrap()].into()), ..old };
    assert_eq!(decode(&encode(&told)).unwrap(), told);
}
