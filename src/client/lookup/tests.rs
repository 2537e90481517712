//! The look-ups against a control plane with one task, its runs and one artifact, over TCP.

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::sync::{Arc, Mutex};

use connectrpc::{ConnectError, ConnectRpcService, RequestContext, Response, Router, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::artifact::{
    Artifact, ArtifactService, ArtifactServiceExt, GetArtifactRequest, GetArtifactResponse,
};
use flyte_schema::flyteidl2::cluster::{
    ClusterService, ClusterServiceExt, SelectClusterRequest, SelectClusterResponse,
};
use flyte_schema::flyteidl2::common::ActionPhase;
use flyte_schema::flyteidl2::dataproxy::{
    CreateDownloadLinkRequest, CreateDownloadLinkResponse, CreateUploadLocationRequest, CreateUploadLocationResponse,
    DataProxyService, DataProxyServiceExt, GetActionDataRequest, GetActionDataResponse,
};
use flyte_schema::flyteidl2::task::{ListTasksRequest, ListTasksResponse, TaskService, TaskServiceExt};
use flyte_schema::flyteidl2::workflow::{
    GetRunDetailsRequest, GetRunDetailsResponse, ListRunsRequest, ListRunsResponse, RunService, RunServiceExt,
};
use serde_json::{Value, json};

use crate::client::Client;
use crate::model::Scope;
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice, TaskVersion};
use crate::model::target::Connection;
use crate::port::ControlPlane as _;

#[derive(Default)]
struct Runs {
    /// Each request, with its method.
    asked: Mutex<Vec<(&'static str, Value)>>,
    /// Where the data is.
    cluster: String,
}

impl Runs {
    /// Notes the request, and answers.
    fn answer<Q, A>(&self, method: &'static str, request: &Q, answer: Value) -> ServiceResult<A>
    where
        Q: buffa::Message + buffa::MessageName,
        A: buffa::Message + buffa::MessageName,
    {
        self.asked.lock().unwrap().push((method, flyte_schema::to_json(request).unwrap()));
        Response::ok(flyte_schema::from_json(answer).unwrap())
    }
}

impl RunService for Runs {
    async fn get_run_details(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, GetRunDetailsRequest>,
    ) -> ServiceResult<GetRunDetailsResponse> {
        let request = request.to_owned_message();
        let phase = match request.run_id.name.as_str() {
            "r1" => "ACTION_PHASE_SUCCEEDED",
            "r2" => "ACTION_PHASE_RUNNING",
            _ => return Err(ConnectError::not_found("no such run")),
        };
        self.answer("GetRunDetails", &request, json!({ "details": { "action": { "status": { "phase": phase } } } }))
    }

    async fn list_runs(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, ListRunsRequest>,
    ) -> ServiceResult<ListRunsResponse> {
        let run = json!({ "action": {
            "id": { "run": { "name": "r1" }, "name": "a0" },
            "status": { "phase": "ACTION_PHASE_SUCCEEDED" },
        } });
        self.answer("ListRuns", &request.to_owned_message(), json!({ "runs": [run] }))
    }
}

impl TaskService for Runs {
    async fn list_tasks(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, ListTasksRequest>,
    ) -> ServiceResult<ListTasksResponse> {
        let tasks = json!({ "tasks": [{ "task_id": { "name": "train", "version": "v7" } }] });
        self.answer("ListTasks", &request.to_owned_message(), tasks)
    }
}

impl ArtifactService for Runs {
    async fn get_artifact(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, GetArtifactRequest>,
    ) -> ServiceResult<GetArtifactResponse> {
        let request = request.to_owned_message();
        if request.name.name != "bert" {
            return Err(ConnectError::not_found("no such artifact"));
        }
        self.answer("GetArtifact", &request, json!({ "artifact": { "artifact_id": { "version": "v3" } } }))
    }
}

impl ClusterService for Runs {
    async fn select_cluster(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, SelectClusterRequest>,
    ) -> ServiceResult<SelectClusterResponse> {
        self.answer("SelectCluster", &request.to_owned_message(), json!({ "cluster_endpoint": self.cluster }))
    }
}

impl DataProxyService for Runs {
    async fn create_upload_location(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, CreateUploadLocationRequest>,
    ) -> ServiceResult<CreateUploadLocationResponse> {
        Err(ConnectError::unimplemented("not here"))
    }

    async fn create_download_link(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, CreateDownloadLinkRequest>,
    ) -> ServiceResult<CreateDownloadLinkResponse> {
        Err(ConnectError::unimplemented("not here"))
    }

    async fn get_action_data(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, GetActionDataRequest>,
    ) -> ServiceResult<GetActionDataResponse> {
        let value = json!({ "scalar": { "blob": { "uri": "s3://b/model" } } });
        let outputs = json!({ "outputs": { "literals": [{ "name": "o0", "value": value }] } });
        self.answer("GetActionData", &request.to_owned_message(), outputs)
    }
}

async fn start(cluster: String) -> (Arc<Runs>, String) {
    let runs = Arc::new(Runs { asked: Mutex::default(), cluster });
    let router = Router::new();
    let router = RunServiceExt::register(runs.clone(), router);
    let router = TaskServiceExt::register(runs.clone(), router);
    let router = ArtifactServiceExt::register(runs.clone(), router);
    let router = ClusterServiceExt::register(runs.clone(), router);
    let router = DataProxyServiceExt::register(runs.clone(), router);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback_service(ConnectRpcService::new(router));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (runs, endpoint)
}

fn client(endpoint: String) -> Client {
    Client::new(&Connection::open(endpoint, true)).unwrap()
}

fn scope() -> Scope {
    Scope { org: "acme".into(), project: "shop".into(), domain: "dev".into() }
}

fn methods(runs: &Runs) -> Vec<&'static str> {
    runs.asked.lock().unwrap().iter().map(|(method, _)| *method).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_found_by_name_and_read_where_their_data_is() {
    let (data, elsewhere) = start(String::new()).await;
    let (runs, endpoint) = start(elsewhere).await;
    let client = client(endpoint);
    let by_name = |name: &str| RunChoice::Run(name.to_owned());
    let run = client.run(&scope(), &by_name("r1")).await.unwrap().unwrap();
    assert_eq!(run.outputs.len(), 1);
    assert_eq!(methods(&runs), ["GetRunDetails", "SelectCluster"]);
    assert_eq!(methods(&data), ["GetActionData"]);
    let id = json!({ "org": "acme", "project": "shop", "domain": "dev", "name": "r1" });
    let action = json!({ "run": id, "name": "a0" });
    assert_eq!(runs.asked.lock().unwrap()[0].1, json!({ "run_id": id }));
    let selected = json!({ "action_id": action, "operation": "OPERATION_GET_ACTION_DATA" });
    assert_eq!(runs.asked.lock().unwrap()[1].1, selected);
    assert_eq!(data.asked.lock().unwrap()[0].1, json!({ "action_id": action }));

    let running = client.run(&scope(), &by_name("r2")).await.unwrap().unwrap();
    assert_eq!((running.phase, running.outputs), (ActionPhase::ACTION_PHASE_RUNNING.into(), Vec::new()));
    assert_eq!(client.run(&scope(), &by_name("r3")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_run_of_a_task_is_asked_for_as_the_sdk_does() {
    let equal = |field: &str, value: &str| json!({ "field": field, "values": [value] });
    let versions = [
        (TaskVersion::Any, None),
        (TaskVersion::Exact("v2".to_owned()), Some("v2")),
        (TaskVersion::Latest, Some("v7")),
    ];
    for (version, expected) in versions {
        let (runs, endpoint) = start(String::new()).await;
        let choice = RunChoice::Task { name: "train".to_owned(), version: version.clone() };
        let run = client(endpoint).run(&scope(), &choice).await.unwrap().unwrap();
        assert_eq!((run.name.as_str(), run.outputs.len()), ("r1", 1));
        let latest = version == TaskVersion::Latest;
        let all = ["ListTasks", "ListRuns", "SelectCluster", "GetActionData"];
        assert_eq!(methods(&runs), all[usize::from(!latest)..]);
        let mut filters = vec![equal("phase", "5"), equal("task_name", "train")];
        filters.extend(expected.map(|version| equal("task_version", version)));
        let asked = runs.asked.lock().unwrap();
        let project = json!({ "organization": "acme", "domain": "dev", "name": "shop" });
        // The direction is descending, the first of its values.
        let page = json!({ "limit": 1, "sort_by": { "key": "created_at" }, "filters": filters });
        assert_eq!(asked[usize::from(latest)].1, json!({ "request": page, "project_id": project }));
        if latest {
            let page = json!({ "limit": 1, "sort_by": { "key": "created_at" }, "filters": [equal("name", "train")] });
            assert_eq!(asked[0].1, json!({ "request": page, "project_id": project }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_found_in_the_place_they_are_in() {
    let (runs, endpoint) = start(String::new()).await;
    let client = client(endpoint);
    let here = ArtifactRef { name: "bert".to_owned(), version: None, project: None, domain: None, kind: None };
    let there = ArtifactRef { version: Some("v3".to_owned()), project: Some("models".to_owned()), ..here.clone() };
    let latest = ArtifactRef { version: Some("latest".to_owned()), ..here.clone() };
    for artifact in [&here, &there, &latest] {
        let found: Artifact = client.artifact(&scope(), artifact).await.unwrap().unwrap();
        assert_eq!(found.artifact_id.version, "v3");
    }
    let gone = ArtifactRef { name: "gone".to_owned(), ..here };
    assert_eq!(client.artifact(&scope(), &gone).await.unwrap(), None);
    let name = |project: &str| json!({ "org": "acme", "project": project, "domain": "dev", "name": "bert" });
    let asked: Vec<Value> = runs.asked.lock().unwrap().iter().map(|(_, request)| request.clone()).collect();
    let newest = json!({ "name": name("shop") });
    assert_eq!(asked, [newest.clone(), json!({ "name": name("models"), "version": "v3" }), newest]);
}
