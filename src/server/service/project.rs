//! `flyteidl2.project.ProjectService`: every project is there as soon as it is asked for.

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::sync::Arc;

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::project::{
    CreateProjectRequest, CreateProjectResponse, GetProjectRequest, GetProjectResponse, ListProjectsRequest,
    ListProjectsResponse, Project, ProjectService, Projects as ProjectList, UpdateProjectRequest,
    UpdateProjectResponse,
};

use crate::server::hub::{Hub, HubError};
use crate::server::state::check_segment;

/// Projects on a page where the request does not say.
const DEFAULT_LIMIT: usize = 100;

pub struct Projects(pub Arc<Hub>);

fn valid(project: Option<Project>) -> Result<Project, ConnectError> {
    let project = project.ok_or_else(|| ConnectError::invalid_argument("project is required"))?;
    check_segment("project.id", &project.id).map_err(HubError::from)?;
    Ok(project)
}

impl ProjectService for Projects {
    async fn create_project(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, CreateProjectRequest>,
    ) -> ServiceResult<CreateProjectResponse> {
        let project = valid(request.to_owned_message().project.into_option())?;
        if self.0.store().has_project(&project.id)? {
            return Err(ConnectError::already_exists(format!("project {} already exists", project.id)));
        }
        self.0.store().save_project(&project)?;
        Response::ok(CreateProjectResponse::default())
    }

    async fn update_project(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, UpdateProjectRequest>,
    ) -> ServiceResult<UpdateProjectResponse> {
        let project = valid(request.to_owned_message().project.into_option())?;
        if !self.0.store().has_project(&project.id)? {
            return Err(ConnectError::not_found(format!("project {} not found", project.id)));
        }
        self.0.store().save_project(&project)?;
        Response::ok(UpdateProjectResponse::default())
    }

    async fn get_project(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, GetProjectRequest>,
    ) -> ServiceResult<GetProjectResponse> {
        let id = check_segment("id", request.id).map_err(HubError::from)?;
        let project = self.0.store().project(&id)?;
        Response::ok(GetProjectResponse { project: project.into(), ..Default::default() })
    }

    async fn list_projects(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, ListProjectsRequest>,
    ) -> ServiceResult<ListProjectsResponse> {
        let mut projects = self.0.store().projects()?;
        // The token is the last project of the page before.
        projects.retain(|project| project.id.as_str() > request.token);
        let limit = match usize::try_from(request.limit).unwrap_or(DEFAULT_LIMIT) {
            0 => DEFAULT_LIMIT,
            given => given,
        };
        let more = projects.len() > limit;
        projects.truncate(limit);
        let token = projects.last().filter(|_| more).map(|project| project.id.clone()).unwrap_or_default();
        let projects = ProjectList { projects, token, ..Default::default() };
        Response::ok(ListProjectsResponse { projects: projects.into(), ..Default::default() })
    }
}
