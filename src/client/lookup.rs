//! What run outputs and artifacts are: as the published SDK asks, in the same order.

use buffa::EnumValue;
use flyte_schema::flyteidl2::artifact::{Artifact, ArtifactName, GetArtifactRequest};
use flyte_schema::flyteidl2::cluster::select_cluster_request::Operation;
use flyte_schema::flyteidl2::common::{
    ActionIdentifier, ActionPhase, Filter, ListRequest, RunIdentifier, Sort, filter, sort,
};
use flyte_schema::flyteidl2::dataproxy::GetActionDataRequest;
use flyte_schema::flyteidl2::task::{ListTasksRequest, NamedLiteral, list_tasks_request};
use flyte_schema::flyteidl2::workflow::{GetRunDetailsRequest, ListRunsRequest, list_runs_request};

use super::call::{Kind, call};
use super::transport::Channel;
use super::{Client, project};
use crate::model::Scope;
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice, TaskVersion};
use crate::port::{Delivery, RpcCode, RpcError, Run};

#[cfg(test)]
mod tests;

/// The action of a run that stands for the whole of it.
const WHOLE_RUN: &str = "a0";

pub async fn run(client: &Client, scope: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError> {
    let found = match choice {
        RunChoice::Run(name) => by_name(&client.channel, scope, name).await?.map(|phase| (name.clone(), phase)),
        RunChoice::Task { name, version } => newest(&client.channel, scope, name, version).await?,
    };
    let Some((name, phase)) = found else { return Ok(None) };
    let outputs = match Run::has_succeeded(phase) {
        true => outputs(client, scope, &name).await?,
        false => Vec::new(),
    };
    Ok(Some(Run { name, phase, outputs }))
}

async fn by_name(channel: &Channel, scope: &Scope, name: &str) -> Result<Option<EnumValue<ActionPhase>>, RpcError> {
    let runs = channel.runs();
    let request = GetRunDetailsRequest { run_id: run_id(scope, name).into(), ..Default::default() };
    let answer = call(channel, "RunService/GetRunDetails", Kind::Read, |options| {
        let (runs, request) = (runs.clone(), request.clone());
        async move { Ok(runs.get_run_details_with_options(request, options).await?.into_owned()) }
    })
    .await;
    Ok(if_found(answer)?.map(|answer| answer.details.action.status.phase))
}

/// The newest run of a task that succeeded.
async fn newest(
    channel: &Channel,
    scope: &Scope,
    task: &str,
    version: &TaskVersion,
) -> Result<Option<(String, EnumValue<ActionPhase>)>, RpcError> {
    let succeeded = (ActionPhase::ACTION_PHASE_SUCCEEDED as i32).to_string();
    let mut filters = vec![equal("phase", &succeeded), equal("task_name", task)];
    match version {
        TaskVersion::Any => {}
        TaskVersion::Exact(version) => filters.push(equal("task_version", version)),
        TaskVersion::Latest => match latest_version(channel, scope, task).await? {
            Some(version) => filters.push(equal("task_version", &version)),
            None => return Ok(None),
        },
    }
    let runs = channel.runs();
    let request = ListRunsRequest {
        request: newest_one(filters).into(),
        scope_by: Some(list_runs_request::ScopeBy::ProjectId(Box::new(project(scope)))),
        ..Default::default()
    };
    let page = call(channel, "RunService/ListRuns", Kind::Read, |options| {
        let (runs, request) = (runs.clone(), request.clone());
        async move { Ok(runs.list_runs_with_options(request, options).await?.into_owned()) }
    })
    .await?;
    Ok(page.runs.first().map(|run| {
        // A server that does not tell it again has been asked for it all the same.
        let told = run.action.status.phase;
        let unsaid = told == ActionPhase::ACTION_PHASE_UNSPECIFIED;
        let phase = if unsaid { ActionPhase::ACTION_PHASE_SUCCEEDED.into() } else { told };
        (run.action.id.run.name.clone(), phase)
    }))
}

/// The version of a task that was registered last.
async fn latest_version(channel: &Channel, scope: &Scope, task: &str) -> Result<Option<String>, RpcError> {
    let tasks = channel.tasks();
    let request = ListTasksRequest {
        request: newest_one(vec![equal("name", task)]).into(),
        scope_by: Some(list_tasks_request::ScopeBy::ProjectId(Box::new(project(scope)))),
        ..Default::default()
    };
    let page = call(channel, "TaskService/ListTasks", Kind::Read, |options| {
        let (tasks, request) = (tasks.clone(), request.clone());
        async move { Ok(tasks.list_tasks_with_options(request, options).await?.into_owned()) }
    })
    .await?;
    Ok(page.tasks.first().map(|task| task.task_id.version.clone()))
}

/// What a run returned, from the cluster that keeps it.
async fn outputs(client: &Client, scope: &Scope, run: &str) -> Result<Vec<NamedLiteral>, RpcError> {
    let action = ActionIdentifier { run: run_id(scope, run).into(), name: WHOLE_RUN.to_owned(), ..Default::default() };
    let channel = client.select(Operation::OPERATION_GET_ACTION_DATA, action.clone().into()).await?;
    let data = channel.data();
    let request = GetActionDataRequest { action_id: action.into(), ..Default::default() };
    let answer = call(&channel, "DataProxyService/GetActionData", Kind::Read, |options| {
        let (data, request) = (data.clone(), request.clone());
        async move { Ok(data.get_action_data_with_options(request, options).await?.into_owned()) }
    })
    .await?;
    Ok(answer.outputs.into_option().unwrap_or_default().literals)
}

pub async fn artifact(channel: &Channel, scope: &Scope, asked: &ArtifactRef) -> Result<Option<Artifact>, RpcError> {
    let artifacts = channel.artifacts();
    let name = ArtifactName {
        org: scope.org.clone(),
        project: asked.project.clone().unwrap_or_else(|| scope.project.clone()),
        domain: asked.domain.clone().unwrap_or_else(|| scope.domain.clone()),
        name: asked.name.clone(),
        ..Default::default()
    };
    // The published SDK means the newest by this word too.
    let version = asked.version.clone().filter(|version| version != "latest");
    let request = GetArtifactRequest { name: name.into(), version, ..Default::default() };
    let answer = call(channel, "ArtifactService/GetArtifact", Kind::Read, |options| {
        let (artifacts, request) = (artifacts.clone(), request.clone());
        async move { Ok(artifacts.get_artifact_with_options(request, options).await?.into_owned()) }
    })
    .await;
    Ok(if_found(answer)?.and_then(|answer| answer.artifact.into_option()))
}

fn if_found<T>(answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code == RpcCode::NotFound && error.delivery == Delivery::Answered => Ok(None),
        Err(error) => Err(error),
    }
}

fn run_id(scope: &Scope, name: &str) -> RunIdentifier {
    RunIdentifier {
        org: scope.org.clone(),
        project: scope.project.clone(),
        domain: scope.domain.clone(),
        name: name.to_owned(),
        ..Default::default()
    }
}

fn equal(field: &str, value: &str) -> Filter {
    Filter {
        function: filter::Function::EQUAL.into(),
        field: field.to_owned(),
        values: vec![value.to_owned()],
        ..Default::default()
    }
}

/// The sort order stands where the published SDK puts it, since servers of its age read no other.
fn newest_one(filters: Vec<Filter>) -> ListRequest {
    let by = Sort { key: "created_at".to_owned(), direction: sort::Direction::DESCENDING.into(), ..Default::default() };
    ListRequest { limit: 1, sort_by: by.into(), filters, ..Default::default() }
}
