//! Projects and their domains.

use flyte_schema::flyteidl2::project::{GetProjectRequest, ListProjectsRequest, Project};

use super::call::{Kind, call};
use super::transport::Channel;
use crate::model::Scope;
use crate::port::{Delivery, RpcCode, RpcError};

/// The most projects asked for at once.
const PAGE: u32 = 100;

pub async fn find(channel: &Channel, scope: &Scope) -> Result<Option<Project>, RpcError> {
    let projects = channel.projects();
    let request = GetProjectRequest { id: scope.project.clone(), org: scope.org.clone(), ..Default::default() };
    let answer = call(channel, "ProjectService/GetProject", Kind::Read, |options| {
        let (projects, request) = (projects.clone(), request.clone());
        async move { Ok(projects.get_project_with_options(request, options).await?.into_owned()) }
    })
    .await;
    match answer {
        Ok(answer) => Ok(answer.project.into_option()),
        Err(error) if error.code == RpcCode::NotFound && error.delivery == Delivery::Answered => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first page.
pub async fn list(channel: &Channel, scope: &Scope) -> Result<Vec<Project>, RpcError> {
    let projects = channel.projects();
    let request = ListProjectsRequest { limit: PAGE, org: scope.org.clone(), ..Default::default() };
    let answer = call(channel, "ProjectService/ListProjects", Kind::Read, |options| {
        let (projects, request) = (projects.clone(), request.clone());
        async move { Ok(projects.list_projects_with_options(request, options).await?.into_owned()) }
    })
    .await?;
    Ok(answer.projects.into_option().unwrap_or_default().projects)
}
