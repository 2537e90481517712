//! The Flyte services over Connect, one file each, and the HTTP routes beside them.
//!
//! The methods of a service are asynchronous because its trait says so; those that only read the state do not wait.

#![allow(clippy::disallowed_methods, reason = "the services are an edge: bundles are files")]

mod apps;
mod auth;
mod cluster;
mod data;
pub(in crate::server) mod guard;
mod journal;
mod logs;
mod project;
mod secret;
mod sign;
mod transfer;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, put};
use connectrpc::{ConnectError, ConnectRpcService, ErrorCode, Limits, RequestContext, Router};
use http::StatusCode;

use super::hub::{Hub, HubError};
use super::store::StoreError;
use crate::port::RpcCode;
pub use journal::Journal;
use sign::Signer;

/// The most bytes of a request. Source: the default of Connect servers.
const MAX_REQUEST: usize = 4 << 20;

/// Where the server tells its process, for whoever looks whether it is alive.
pub const HEALTH: &str = "/healthz";

/// Everything that is served on the control plane's port. With a journal, requests to the services are noted in it.
///
/// # Errors
/// When the key for signed addresses cannot be read.
pub fn services(
    hub: &Arc<Hub>,
    journal: Option<Journal>,
) -> Result<IntoMakeServiceWithConnectInfo<axum::Router, SocketAddr>, StoreError> {
    let signer = Arc::new(Signer::new(hub.store().signing_key()?));
    let rpc = Router::new()
        .add_service(Arc::new(apps::Apps(hub.clone())))
        .add_service(Arc::new(logs::Logs(hub.clone())))
        .add_service(Arc::new(data::Data { hub: hub.clone(), signer: signer.clone() }))
        .add_service(Arc::new(cluster::Clusters))
        .add_service(Arc::new(auth::AuthMetadata))
        .add_service(Arc::new(auth::Identity))
        .add_service(Arc::new(project::Projects(hub.clone())))
        .add_service(Arc::new(secret::Secrets(hub.clone())));
    let limits = Limits::default().with_max_request_body_size(MAX_REQUEST).with_max_message_size(MAX_REQUEST);
    let mut rpc = ConnectRpcService::new(rpc).with_limits(limits);
    if let Some(journal) = journal {
        rpc = rpc.with_interceptor(journal);
    }
    let transfers = transfer::Transfers { hub: hub.clone(), signer };
    let router = axum::Router::new()
        .route(HEALTH, get(|| async { format!("{}\n", std::process::id()) }))
        .route(&format!("{}{{*path}}", sign::PREFIX), put(transfer::put).get(transfer::get).with_state(transfers))
        .route("/apps/{project}/{domain}/{app}", any(to_app))
        .route("/apps/{project}/{domain}/{app}/", any(to_app))
        .route("/apps/{project}/{domain}/{app}/{*rest}", any(to_app))
        .with_state(hub.clone())
        .fallback_service(rpc)
        .layer(axum::middleware::from_fn(guard::loopback_only))
        .layer(axum::middleware::map_request(guard::name_host));
    Ok(router.into_make_service_with_connect_info())
}

/// Sends the callers of `INTERNAL_APP_ENDPOINT_PATTERN` on to the app's own URL.
async fn to_app(State(hub): State<Arc<Hub>>, Path(segments): Path<Vec<(String, String)>>, uri: http::Uri) -> Response {
    let of = |name: &str| segments.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let identifier = flyte_schema::flyteidl2::app::Identifier {
        project: of("project").to_owned(),
        domain: of("domain").to_owned(),
        name: of("app").to_owned(),
        ..Default::default()
    };
    let id = super::state::State::id(&identifier).ok();
    match id.and_then(|id| hub.url(&id)) {
        Some(url) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            // Undecoded, so that nothing is decoded twice.
            let rest = uri.path().splitn(6, '/').nth(5).unwrap_or_default();
            Redirect::temporary(&format!("{url}/{rest}{query}")).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such app\n").into_response(),
    }
}

/// The name the client knows this server by.
fn host(ctx: &RequestContext) -> Result<&str, ConnectError> {
    let host = ctx.header(http::header::HOST).and_then(|value| value.to_str().ok());
    host.ok_or_else(|| ConnectError::invalid_argument("the request has no Host header"))
}

impl From<HubError> for ConnectError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::State(error) => Self::new(wire_code(error.code()), error.to_string()),
            other => internal(&other),
        }
    }
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        internal(&error)
    }
}

/// What went wrong on this side, with its causes: the server and its caller are the same person's.
fn internal(error: &dyn std::error::Error) -> ConnectError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text += &format!(": {source}");
        cause = source.source();
    }
    tracing::error!("{text}");
    ConnectError::internal(text)
}

fn wire_code(code: RpcCode) -> ErrorCode {
    match code {
        RpcCode::Canceled => ErrorCode::Canceled,
        RpcCode::Unknown => ErrorCode::Unknown,
        RpcCode::InvalidArgument => ErrorCode::InvalidArgument,
        RpcCode::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        RpcCode::NotFound => ErrorCode::NotFound,
        RpcCode::AlreadyExists => ErrorCode::AlreadyExists,
        RpcCode::PermissionDenied => ErrorCode::PermissionDenied,
        RpcCode::ResourceExhausted => ErrorCode::ResourceExhausted,
        RpcCode::FailedPrecondition => ErrorCode::FailedPrecondition,
        RpcCode::Aborted => ErrorCode::Aborted,
        RpcCode::OutOfRange => ErrorCode::OutOfRange,
        RpcCode::Unimplemented => ErrorCode::Unimplemented,
        RpcCode::Internal => ErrorCode::Internal,
        RpcCode::Unavailable => ErrorCode::Unavailable,
        RpcCode::DataLoss => ErrorCode::DataLoss,
        RpcCode::Unauthenticated => ErrorCode::Unauthenticated,
    }
}
