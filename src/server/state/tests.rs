use std::time::Duration;

use flyte_schema::flyteidl2::app::status::{DeploymentStatus, Substate};
use flyte_schema::flyteidl2::app::{Identifier, ListRequest, list_request, spec::DesiredState};
use flyte_schema::flyteidl2::common::{self, Filter, ProjectIdentifier, Sort, filter, sort};
use flyte_schema::flyteidl2::core::Container;

use super::*;
use crate::port::RpcCode;

fn at(second: i64) -> Timestamp {
    Timestamp::constant(1_767_225_600 + second, 0)
}

fn app(name: &str, image: &str, state: DesiredState) -> App {
    App {
        metadata: Meta {
            id: Identifier { project: "shop".into(), domain: "dev".into(), name: name.into(), ..Default::default() }
                .into(),
            labels: [("team".to_owned(), "web".to_owned())].into(),
            code_bundle_uri: "s3://b/x.tar.gz".into(),
            ..Default::default()
        }
        .into(),
        spec: Spec {
            app_payload: Some(Container { image: image.into(), ..Default::default() }.into()),
            desired_state: state.into(),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

const ACTIVE: DesiredState = DesiredState::DESIRED_STATE_ACTIVE;
const STOPPED: DesiredState = DesiredState::DESIRED_STATE_STOPPED;

/// A state that commits at once.
struct Server(State);

impl Server {
    fn new(profile: Profile) -> Self {
        Self(State::new(profile.quirks()))
    }

    fn create(&mut self, app: App) -> Result<App, StateError> {
        let written = self.0.create(app, at(0))?;
        Ok(self.commit(written))
    }

    fn update(&mut self, app: App, revision: u64) -> Result<App, StateError> {
        let mut app = app;
        app.metadata.get_or_insert_default().revision = revision;
        let written = self.0.update(app, "", at(10))?;
        Ok(self.commit(written))
    }

    fn commit(&mut self, written: Written) -> App {
        written.change.iter().for_each(|change| self.0.commit(change));
        written.answer
    }

    fn observe(&mut self, name: &str, revision: u64, observation: Observation) -> bool {
        let event = RuntimeEvent { app: id(name), revision, observation };
        let change = self.0.observe(&event, at(20));
        change.iter().for_each(|change| self.0.commit(change));
        change.is_some()
    }

    fn get(&mut self, name: &str) -> App {
        self.0.get(&id(name), at(30)).unwrap()
    }
}

fn id(name: &str) -> AppId {
    State::id_of(&app(name, "", ACTIVE)).unwrap()
}

fn phase(app: &App) -> DeploymentStatus {
    app.status.conditions.last().and_then(|it| it.deployment_status.as_known()).unwrap_or_default()
}

#[test]
fn full_counts_and_compares_revisions() {
    let mut server = Server::new(Profile::Full);
    assert_eq!(server.create(app("a", "1", ACTIVE)).unwrap().metadata.revision, 1);
    assert_eq!(server.create(app("a", "1", ACTIVE)).unwrap_err().code(), RpcCode::AlreadyExists);
    for wrong in [0, 2] {
        assert_eq!(server.update(app("a", "2", ACTIVE), wrong).unwrap_err().code(), RpcCode::Aborted);
    }
    let answer = server.update(app("a", "2", ACTIVE), 1).unwrap();
    assert_eq!(answer.metadata.revision, 2);
    assert_eq!(answer.metadata.labels["team"], "web");
    assert_eq!(server.update(app("b", "2", ACTIVE), 0).unwrap_err().code(), RpcCode::NotFound);
    assert_eq!(server.0.delete(&id("b"), at(0)).unwrap_err().code(), RpcCode::NotFound);
    let gone = server.0.delete(&id("a"), at(0)).unwrap().unwrap();
    server.0.commit(&gone);
    assert_eq!(server.0.get(&id("a"), at(0)).unwrap_err().code(), RpcCode::NotFound);
}

#[test]
fn full_tells_who_created_an_app_whatever_is_sent() {
    let mut server = Server::new(Profile::Full);
    let created = server.create(app("a", "1", ACTIVE)).unwrap();
    assert_eq!(created.spec.creator.as_option(), Some(&creator()));
    let mut sent = app("a", "2", ACTIVE);
    sent.spec.get_or_insert_default().creator = EnrichedIdentity::default().into();
    assert_eq!(server.update(sent, 1).unwrap().spec.creator, created.spec.creator);
    assert!(!Server::new(Profile::Oss).create(app("a", "1", ACTIVE)).unwrap().spec.creator.is_set());
}

#[test]
fn oss_overwrites_and_keeps_only_id_and_spec() {
    let mut server = Server::new(Profile::Oss);
    let echo = server.create(app("a", "1", ACTIVE)).unwrap();
    assert_eq!(echo.metadata.labels["team"], "web", "the answer is the request");
    server.create(app("a", "2", ACTIVE)).unwrap();
    let stored = server.get("a");
    assert_eq!(stored.metadata.revision, 0);
    assert!(stored.metadata.labels.is_empty());
    assert_eq!(stored.metadata.code_bundle_uri, "");
    assert_eq!(stored.metadata.id.org, "flyte");
    assert!(stored.spec.ingress.is_set());
    server.update(app("a", "3", ACTIVE), 77).unwrap();
    assert_eq!(server.0.record(&id("a")).unwrap().app.metadata.revision, 3);
    assert_eq!(server.0.update(app("a", "3", ACTIVE), "", at(0)).unwrap().change, None, "the same spec again");
    assert_eq!(server.0.delete(&id("b"), at(0)), Ok(None));
}

#[test]
fn stopped_is_honoured_or_not() {
    let mut full = Server::new(Profile::Full);
    let answer = full.create(app("a", "1", STOPPED)).unwrap();
    assert_eq!(phase(&answer), DeploymentStatus::DEPLOYMENT_STATUS_STOPPED);
    assert!(!full.0.record(&id("a")).unwrap().running);
    full.update(app("a", "2", STOPPED), 1).unwrap();
    assert_eq!(image(&full.get("a")), "2");

    let mut oss = Server::new(Profile::Oss);
    oss.create(app("a", "1", STOPPED)).unwrap();
    assert!(oss.0.record(&id("a")).unwrap().running, "created apps run");
    let answer = oss.update(app("a", "2", STOPPED), 0).unwrap();
    assert_eq!(image(&answer), "2", "the answer is the request");
    assert_eq!(image(&oss.get("a")), "1", "the spec is discarded");
    assert_eq!(phase(&oss.get("a")), DeploymentStatus::DEPLOYMENT_STATUS_STOPPED);
    assert!(!oss.get("a").status.ingress.is_set());
    assert_eq!(oss.update(app("b", "2", STOPPED), 0).unwrap_err().code(), RpcCode::NotFound);
}

fn image(app: &App) -> &str {
    crate::model::spec::image(&app.spec).unwrap()
}

#[test]
fn what_the_runtime_reports_is_told_for_the_current_revision_only() {
    let mut server = Server::new(Profile::Full);
    server.0.set_url(&id("a"), "http://127.0.0.1:9000".into());
    server.create(app("a", "1", ACTIVE)).unwrap();
    assert!(server.observe("a", 1, Observation::Ready { replicas: 1 }));
    let ready = server.get("a");
    assert_eq!(phase(&ready), DeploymentStatus::DEPLOYMENT_STATUS_ACTIVE);
    assert_eq!(ready.status.ingress.public_url, "http://127.0.0.1:9000");
    let condition = ready.status.conditions.last().unwrap();
    assert_eq!((condition.revision, condition.substate.as_known()), (1, Some(Substate::RUNNING)));
    assert_eq!(condition.deployment_id, deployment_id(&ready.spec));

    server.update(app("a", "2", ACTIVE), 1).unwrap();
    assert_eq!(phase(&server.get("a")), DeploymentStatus::DEPLOYMENT_STATUS_PENDING);
    assert!(!server.observe("a", 1, Observation::Ready { replicas: 1 }), "of the replaced revision");
    assert!(server.observe("a", 2, Observation::CrashLoop { exit: "exited with status 3".into(), attempt: 4 }));
    let condition = server.get("a").status.conditions.last().unwrap().clone();
    assert_eq!(condition.substate.as_known(), Some(Substate::CRASH_LOOP));
    assert_eq!((condition.revision, phase(&server.get("a"))), (2, DeploymentStatus::DEPLOYMENT_STATUS_FAILED));

    server.update(app("a", "2", STOPPED), 2).unwrap();
    assert_eq!(phase(&server.get("a")), DeploymentStatus::DEPLOYMENT_STATUS_PENDING, "not yet stopped");
    assert!(!server.observe("a", 2, Observation::Ready { replicas: 1 }));
    assert!(server.observe("a", 2, Observation::Stopped));
    assert_eq!(phase(&server.get("a")), DeploymentStatus::DEPLOYMENT_STATUS_STOPPED);
}

#[test]
fn a_new_revision_of_the_same_deployment_keeps_its_status() {
    let mut server = Server::new(Profile::Full);
    server.create(app("a", "1", ACTIVE)).unwrap();
    server.observe("a", 1, Observation::Ready { replicas: 1 });
    let mut relabelled = app("a", "1", DesiredState::DESIRED_STATE_STARTED);
    relabelled.metadata.get_or_insert_default().labels.clear();
    let answer = server.update(relabelled, 1).unwrap();
    let condition = answer.status.conditions.last().unwrap();
    assert_eq!((condition.revision, phase(&answer)), (2, DeploymentStatus::DEPLOYMENT_STATUS_ACTIVE));
    assert_eq!(server.0.record(&id("a")).unwrap().deployed, 1);
    assert!(server.observe("a", 1, Observation::ScaledToZero), "the process is still that of revision 1");
}

#[test]
fn what_failed_is_tried_again_by_the_same_spec() {
    let mut server = Server::new(Profile::Full);
    server.create(app("a", "1", ACTIVE)).unwrap();
    server.observe("a", 1, Observation::SecretMissing { key: "k".into() });
    let answer = server.update(app("a", "1", ACTIVE), 1).unwrap();
    assert_eq!(phase(&answer), DeploymentStatus::DEPLOYMENT_STATUS_PENDING);
    assert_eq!(server.0.record(&id("a")).unwrap().deployed, 2);
}

#[test]
fn oss_shows_the_old_status_after_a_write_and_answers_get_from_its_cache() {
    let mut server = Server::new(Profile::Oss);
    server.create(app("a", "1", ACTIVE)).unwrap();
    server.observe("a", 1, Observation::Ready { replicas: 1 });
    server.update(app("a", "2", ACTIVE), 0).unwrap();
    let stale = server.get("a");
    assert_eq!(phase(&stale), DeploymentStatus::DEPLOYMENT_STATUS_ACTIVE);
    let condition = stale.status.conditions.last().unwrap();
    assert_eq!((condition.revision, condition.deployment_id.as_str()), (0, ""));
    assert_eq!(condition.substate.as_known(), Some(Substate::SUBSTATE_UNSPECIFIED));
    server.observe("a", 2, Observation::CrashLoop { exit: "x".into(), attempt: 4 });
    assert_eq!(server.get("a"), stale, "at most 30 s old");
    let later = server.0.get(&id("a"), at(30) + Duration::from_secs(30)).unwrap();
    assert_eq!(phase(&later), DeploymentStatus::DEPLOYMENT_STATUS_FAILED);
}

#[test]
fn limits_are_enforced_in_full_only() {
    let check = |change: fn(&mut Spec)| {
        let mut broken = app("a", "1", ACTIVE);
        change(broken.spec.get_or_insert_default());
        let refused = Server::new(Profile::Full).create(broken.clone()).unwrap_err();
        assert_eq!(refused.code(), RpcCode::InvalidArgument, "{refused}");
        Server::new(Profile::Oss).create(broken).unwrap();
    };
    check(|spec| spec.profile.get_or_insert_default().short_description = "x".repeat(101));
    check(|spec| spec.autoscaling.get_or_insert_default().replicas.get_or_insert_default().min = 1);
    check(|spec| {
        let timeouts = spec.timeouts.get_or_insert_default();
        timeouts.request_timeout = buffa_types::google::protobuf::Duration::from_secs(3601).into();
    });
    check(|spec| {
        let port = flyte_schema::flyteidl2::core::ContainerPort { container_port: 0, ..Default::default() };
        spec.app_payload = Some(Container { ports: vec![port], ..Default::default() }.into());
    });
    for profile in [Profile::Full, Profile::Oss] {
        for name in ["", "../x", "Upper", &"a".repeat(31)] {
            let refused = Server::new(profile).create(app(name, "1", ACTIVE)).unwrap_err();
            assert_eq!(refused.code(), RpcCode::InvalidArgument);
        }
    }
}

fn request(limit: u32, token: &str) -> ListRequest {
    let project = ProjectIdentifier { name: "shop".into(), domain: "dev".into(), ..Default::default() };
    ListRequest {
        filter_by: Some(list_request::FilterBy::Project(Box::new(project))),
        request: common::ListRequest { limit, token: token.to_owned(), ..Default::default() }.into(),
        ..Default::default()
    }
}

#[test]
fn lists_page_by_page() {
    for profile in [Profile::Full, Profile::Oss] {
        let mut server = Server::new(profile);
        for number in 0..5 {
            server.create(app(&format!("a{number}"), "1", ACTIVE)).unwrap();
        }
        let mut names = Vec::new();
        let mut token = String::new();
        let mut pages = 0;
        loop {
            let page = server.0.list(&request(2, &token)).unwrap();
            names.extend(page.apps.iter().map(|app| app.metadata.id.name.clone()));
            pages += 1;
            token = page.token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((names.join(" ").as_str(), pages), ("a0 a1 a2 a3 a4", 3));
    }
}

#[test]
fn full_sorts_filters_and_lists_by_org() {
    let mut server = Server::new(Profile::Full);
    server.create(app("b", "1", ACTIVE)).unwrap();
    let later = server.0.create(app("a", "1", STOPPED), at(5)).unwrap();
    server.commit(later);
    let mut sorted = request(0, "");
    let by = Sort { key: "created_at".into(), direction: sort::Direction::ASCENDING.into(), ..Default::default() };
    sorted.request.get_or_insert_default().sort_by_fields = vec![by];
    sorted.filter_by = Some(list_request::FilterBy::Org("acme".into()));
    let names = |page: Page| page.apps.iter().map(|app| app.metadata.id.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(server.0.list(&sorted).unwrap()), ["b", "a"]);
    let filter = Filter {
        field: "status_phase".into(),
        function: filter::Function::EQUAL.into(),
        values: vec!["DEPLOYMENT_STATUS_STOPPED".into()],
        ..Default::default()
    };
    sorted.request.get_or_insert_default().filters = vec![filter];
    assert_eq!(names(server.0.list(&sorted).unwrap()), ["a"]);
    let oss = Server::new(Profile::Oss);
    assert_eq!(oss.0.list(&sorted).unwrap_err().code(), RpcCode::Unimplemented);
}

#[test]
fn unknown_fields_survive() {
    let mut bytes = app("a", "1", ACTIVE).encode_to_vec();
    // Field 200 of App, a varint.
    bytes.extend([0xC0, 0x0C, 0x07]);
    let sent = App::decode_from_slice(&bytes).unwrap();
    let mut server = Server::new(Profile::Full);
    server.create(sent).unwrap();
    let stored = server.get("a").encode_to_vec();
    assert!(stored.windows(3).any(|window| window == [0xC0, 0x0C, 0x07]));
}
