use flyte_schema::flyteidl2::app::{App, Identifier, Meta, Spec};
use flyte_schema::flyteidl2::core::Container;

use super::*;
use crate::server::state::{Profile, State};

fn app(image: &str) -> App {
    let id = Identifier { project: "shop".into(), domain: "dev".into(), name: "a".into(), ..Default::default() };
    App {
        metadata: Meta { id: id.into(), ..Default::default() }.into(),
        spec: Spec {
            app_payload: Some(Container { image: image.into(), ..Default::default() }.into()),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

#[test]
fn a_directory_of_ours_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, file: Option<&str>, before: u32, after: u32| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        if let Some(file) = file {
            fs::write(path.join(file), "").unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        drop(Store::open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, after, "{name}");
    };
    check("empty", None, 0o755, 0o700);
    check("used", Some("server.db"), 0o770, 0o700);
    check("of-others", Some("photo.jpeg"), 0o755, 0o755);
    check("shared", Some("server.db"), 0o1777, 0o1777);
}

#[test]
fn what_was_saved_is_there_again_with_every_revision() {
    let directory = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let id = State::id_of(&app("")).unwrap();
    let mut state = State::new(Profile::Oss.quirks());
    {
        let store = Store::open(directory.path()).unwrap();
        for image in ["1", "2"] {
            let change = state.create(app(image), now).unwrap().change.unwrap();
            store.save(&change).unwrap();
            state.commit(&change);
        }
        store.set_port(&id, 9000).unwrap();
    }
    let store = Store::open(directory.path()).unwrap();
    let apps = store.apps().unwrap();
    assert_eq!(apps.len(), 1);
    assert_eq!(Some(&apps[0].1.app), state.record(&id).map(|record| &record.app));
    assert_eq!(store.port(&id).unwrap(), Some(9000));
    let gone = state.delete(&id, now).unwrap().unwrap();
    store.save(&gone).unwrap();
    assert!(store.apps().unwrap().is_empty());
    let revisions = store.revisions(&id).unwrap();
    assert_eq!(
        revisions.iter().map(|it| (it.revision, it.app.is_some())).collect::<Vec<_>>(),
        [(1, true), (2, true), (2, false)]
    );
    assert_eq!(store.signing_key().unwrap(), store.signing_key().unwrap());
}

#[test]
fn only_the_owner_reads_it_and_a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("state");
    drop(Store::open(&inside).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    let path = inside.join("server.db");
    assert_eq!(mode(&path), 0o600);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", FORMAT + 1).unwrap();
    assert!(matches!(Store::open(&inside), Err(StoreError::Newer { found: 2, .. })));
}

#[test]
fn secrets_are_looked_up_from_the_nearest_scope() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let key =
        |project: &str, domain: &str| SecretKey { project: project.into(), domain: domain.into(), name: "DB".into() };
    let scope = Scope { org: String::new(), project: "shop".into(), domain: "dev".into() };
    let now = jiff::Timestamp::UNIX_EPOCH;
    assert_eq!(store.secret_value(&scope, "DB").unwrap(), None);
    for (project, domain, value) in [("", "", "org"), ("", "dev", "domain"), ("shop", "dev", "project")] {
        assert!(store.create_secret(&key(project, domain), value.as_bytes(), now).unwrap());
        assert_eq!(store.secret_value(&scope, "DB").unwrap().as_deref(), Some(value.as_bytes()));
    }
    assert!(!store.create_secret(&key("shop", "dev"), b"again", now).unwrap());
    assert!(store.update_secret(&key("shop", "dev"), b"new").unwrap());
    assert_eq!(store.secrets("shop", "dev").unwrap().len(), 1);
    assert!(store.delete_secret(&key("shop", "dev")).unwrap());
    assert_eq!(store.secret_value(&scope, "DB").unwrap().as_deref(), Some(&b"domain"[..]));
}

#[test]
fn every_project_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.projects().unwrap().len(), 1);
    assert_eq!(store.project("other").unwrap().domains.len(), 3);
    store.ensure_project("other").unwrap();
    assert_eq!(store.projects().unwrap().iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["flytesnacks", "other"]);
}
