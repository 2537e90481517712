//! `flyteidl2.app.AppService`

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::collections::VecDeque;
use std::sync::Arc;

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult, ServiceStream};
use flyte_schema::flyteidl2::app::{
    App, AppService, CreateEvent, CreateRequest, CreateResponse, DeleteEvent, DeleteRequest, DeleteResponse,
    GetRequest, GetResponse, LeaseRequest, LeaseResponse, ListRequest, ListResponse, UpdateEvent, UpdateRequest,
    UpdateResponse, UpdateStatusRequest, UpdateStatusResponse, WatchRequest, WatchResponse, get_request, watch_request,
};
use futures::stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::model::{AppId, Scope};
use crate::server::hub::Hub;
use crate::server::state::{Change, Profile, State, StateError, Target};

pub struct Apps(pub Arc<Hub>);

fn refused(error: StateError) -> ConnectError {
    crate::server::hub::HubError::from(error).into()
}

impl AppService for Apps {
    async fn create(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, CreateRequest>,
    ) -> ServiceResult<CreateResponse> {
        let app = request.to_owned_message().app.into_option();
        let app = app.ok_or_else(|| ConnectError::invalid_argument("app is required"))?;
        let app = self.0.create(app)?;
        Response::ok(CreateResponse { app: app.into(), ..Default::default() })
    }

    async fn get(&self, _: RequestContext, request: ServiceRequest<'_, GetRequest>) -> ServiceResult<GetResponse> {
        let app = match request.to_owned_message().identifier {
            Some(get_request::Identifier::AppId(id)) => self.0.get(&State::id(&id).map_err(refused)?)?,
            Some(get_request::Identifier::Ingress(ingress)) if self.0.profile() == Profile::Full => {
                self.0.get_by_url(&ingress.public_url)?
            }
            _ => return Err(ConnectError::invalid_argument("app_id is required")),
        };
        Response::ok(GetResponse { app: app.into(), ..Default::default() })
    }

    async fn update(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, UpdateRequest>,
    ) -> ServiceResult<UpdateResponse> {
        let request = request.to_owned_message();
        let app = request.app.into_option().ok_or_else(|| ConnectError::invalid_argument("app is required"))?;
        let app = self.0.update(app, &request.reason)?;
        Response::ok(UpdateResponse { app: app.into(), ..Default::default() })
    }

    async fn update_status(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, UpdateStatusRequest>,
    ) -> ServiceResult<UpdateStatusResponse> {
        Err(ConnectError::unimplemented("the status comes from the runtime: no clusters report to this server"))
    }

    async fn delete(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, DeleteRequest>,
    ) -> ServiceResult<DeleteResponse> {
        let id = request.to_owned_message().app_id.into_option();
        let id = id.ok_or_else(|| ConnectError::invalid_argument("app_id is required"))?;
        self.0.delete(&State::id(&id).map_err(refused)?)?;
        Response::ok(DeleteResponse::default())
    }

    async fn list(&self, _: RequestContext, request: ServiceRequest<'_, ListRequest>) -> ServiceResult<ListResponse> {
        let page = self.0.list(&request.to_owned_message())?;
        Response::ok(ListResponse::from(page))
    }

    async fn watch(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, WatchRequest>,
    ) -> ServiceResult<ServiceStream<WatchResponse>> {
        let target = match request.to_owned_message().target {
            Some(watch_request::Target::AppId(id)) => Target::App(State::id(&id).map_err(refused)?),
            Some(watch_request::Target::Project(project)) => Target::Project(Scope {
                org: String::new(),
                project: project.name.clone(),
                domain: project.domain.clone(),
            }),
            Some(watch_request::Target::Org(_)) => Target::Org,
            Some(watch_request::Target::ClusterId(_)) => {
                return Err(ConnectError::unimplemented("this server has no clusters to watch"));
            }
            None => return Err(ConnectError::invalid_argument("target is required")),
        };
        let (apps, changes) = self.0.watch(&target)?;
        let mut waiting: VecDeque<_> = apps.into_iter().map(created).collect();
        if let Target::App(id) = &target {
            waiting.extend(self.settled(id).map(|app| updated(app, None)));
        }
        let watch = Watch { hub: self.0.clone(), target, changes, waiting, ended: false };
        Response::stream_ok(stream::unfold(watch, Watch::next))
    }

    async fn lease(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, LeaseRequest>,
    ) -> ServiceResult<ServiceStream<LeaseResponse>> {
        Err(ConnectError::unimplemented("this server runs its apps itself: no cluster can lease them"))
    }
}

impl Apps {
    /// An app whose status is of its last write. The SDK listens to update events only, so one that came where it
    /// should be between the write and the watch would be waited for for ever. An older status must not be told as an
    /// update: an app that is being started would look stopped.
    fn settled(&self, id: &AppId) -> Option<App> {
        let record = self.0.record(id)?;
        let condition = record.app.status.conditions.last()?;
        (condition.revision == record.app.metadata.revision).then(|| self.0.view(id, &record))
    }
}

/// A watch under way.
struct Watch {
    hub: Arc<Hub>,
    target: Target,
    changes: Receiver<Arc<Change>>,
    waiting: VecDeque<WatchResponse>,
    ended: bool,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<WatchResponse, ConnectError>, Self)> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(message) = self.waiting.pop_front() {
                return Some((Ok(message), self));
            }
            let hub = self.hub.clone();
            match hub.stopping().run_until_cancelled(self.changes.recv()).await {
                Some(Ok(change)) => {
                    if self.hub.is_watched(&self.target, &change.id) {
                        self.waiting.extend(self.event(&change));
                    }
                }
                // Too slow: the open-source server drops what was missed; else the current state makes up for it.
                Some(Err(RecvError::Lagged(_))) if self.hub.profile() == Profile::Oss => {}
                Some(Err(RecvError::Lagged(_))) => match self.hub.current(&self.target) {
                    Ok(apps) => self.waiting.extend(apps.into_iter().map(|app| updated(app, None))),
                    Err(error) => {
                        self.ended = true;
                        return Some((Err(error.into()), self));
                    }
                },
                Some(Err(RecvError::Closed)) | None => {
                    self.ended = true;
                    return Some((Err(ConnectError::unavailable("the server is shutting down")), self));
                }
            }
        }
    }

    fn event(&self, change: &Change) -> Option<WatchResponse> {
        let view = |record| self.hub.view(&change.id, record);
        Some(match (&change.old, &change.new) {
            (None, Some(new)) => created(view(new)),
            (Some(old), Some(new)) => {
                let old = (self.hub.profile() == Profile::Full).then(|| view(old));
                updated(view(new), old)
            }
            (Some(old), None) => {
                let event = DeleteEvent { app: view(old).into(), ..Default::default() };
                WatchResponse { event: Some(event.into()), ..Default::default() }
            }
            (None, None) => return None,
        })
    }
}

fn created(app: App) -> WatchResponse {
    let event = CreateEvent { app: app.into(), ..Default::default() };
    WatchResponse { event: Some(event.into()), ..Default::default() }
}

fn updated(app: App, old: Option<App>) -> WatchResponse {
    let event = UpdateEvent { updated_app: app.into(), old_app: old.into(), ..Default::default() };
    WatchResponse { event: Some(event.into()), ..Default::default() }
}
