//! A control plane over Connect RPC.

#![allow(clippy::disallowed_methods, reason = "the client is an edge: waiting for an answer is its matter")]

mod answer;
pub mod auth;
mod call;
mod caller;
mod data;
mod detail;
mod endpoint;
mod lookup;
mod network;
mod pages;
mod presence;
mod project;
mod registry;
mod secret;
mod store;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod transport;
mod trouble;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flyte_schema::flyteidl2::app::{
    App, CreateRequest, DeleteRequest, GetRequest, ListRequest, UpdateRequest, list_request,
};
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::auth::{UserInfoRequest, UserInfoResponse};
use flyte_schema::flyteidl2::cluster::{SelectClusterRequest, select_cluster_request};
use flyte_schema::flyteidl2::common::{self, ProjectIdentifier};
use flyte_schema::flyteidl2::project::Project;

use crate::model::parameter::{Artifact as ArtifactRef, RunChoice};
use crate::model::spec::identifier;
use crate::model::target::{self, Connection};
use crate::model::{AppId, Guarantees, Scope};
use crate::port::{ControlPlane, Delivery, Lines, Parcel, RpcCode, RpcError, Run, Updates};
use auth::{AuthError, Authenticator, Surroundings};
use call::{Kind, call};
pub use endpoint::EndpointError;
use network::Network;
pub use network::{NetworkError, Timeouts, install_cryptography};
use pages::Pages;
pub use registry::Registries;
pub use secret::SecretName;
use stream::Opening;
use transport::Channel;

/// How long it may take to find out whether a bundle is still stored.
const PRESENCE: Duration = Duration::from_secs(5);

/// Apps on a page.
const PAGE: u32 = 100;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Auth(#[from] AuthError),
}

/// A control plane over Connect RPC. Cheap to clone.
///
/// Reads are repeated up to three times, writes are sent once. [`Timeouts`] tells how long they may take.
#[derive(Clone)]
pub struct Client {
    endpoint: String,
    channel: Channel,
}

impl Client {
    /// Where nobody is to be asked to log in, and no token is to be kept.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn new(connection: &Connection) -> Result<Self, ClientError> {
        Self::within(connection, Timeouts::default())
    }

    /// The same with other limits of time.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn within(connection: &Connection, timeouts: Timeouts) -> Result<Self, ClientError> {
        Self::at(connection, &Surroundings::default(), timeouts)
    }

    /// With a place to log in at.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn at(connection: &Connection, surroundings: &Surroundings, timeouts: Timeouts) -> Result<Self, ClientError> {
        let mut connection = connection.clone();
        // Who asks for encryption has not said that tokens may travel without.
        connection.insecure &= !target::says_tls(&connection.endpoint);
        let base = endpoint::base(&connection.endpoint, connection.insecure)?;
        let network = Network::new(&connection, timeouts)?;
        let anonymous = Channel::new(base, network, None);
        let authenticator = Authenticator::new(&connection, anonymous.clone(), surroundings)?;
        let channel = anonymous.with(authenticator);
        Ok(Self { endpoint: connection.endpoint, channel })
    }

    /// The log-in of its calls. `None` where they need none.
    pub fn authenticator(&self) -> Option<&Arc<Authenticator>> {
        self.channel.authenticator.as_ref()
    }

    /// Who the server takes the caller for.
    ///
    /// # Errors
    /// As the server refuses it.
    pub async fn user_info(&self) -> Result<UserInfoResponse, RpcError> {
        let identity = self.channel.identity();
        call(&self.channel, "IdentityService/UserInfo", Kind::Read, |options| {
            let identity = identity.clone();
            async move { Ok(identity.user_info_with_options(UserInfoRequest::default(), options).await?.into_owned()) }
        })
        .await
    }

    /// Whether certificates are not checked.
    pub fn trusts_anyone(&self) -> bool {
        self.channel.network.trusts_anyone
    }

    /// The place that serves an operation. `None`: it is not told.
    async fn select(
        &self,
        operation: select_cluster_request::Operation,
        resource: select_cluster_request::Resource,
    ) -> Result<Channel, RpcError> {
        let method = "ClusterService/SelectCluster";
        let clusters = self.channel.clusters();
        let request =
            SelectClusterRequest { operation: operation.into(), resource: Some(resource), ..Default::default() };
        let answer = call(&self.channel, method, Kind::Read, |options| {
            let (clusters, request) = (clusters.clone(), request.clone());
            async move { Ok(clusters.select_cluster_with_options(request, options).await?.into_owned()) }
        })
        .await?;
        let insecure = self.channel.base.scheme_str() == Some("http");
        if answer.cluster_endpoint.is_empty() {
            return Ok(self.channel.clone());
        }
        let base = endpoint::base(&answer.cluster_endpoint, insecure).map_err(|error| {
            let message = format!("the server named an unusable cluster: {error}");
            RpcError::answered(method, RpcCode::Internal, message)
        })?;
        // A server behind TLS may name itself with the wrong scheme.
        if base.authority() == self.channel.base.authority() {
            return Ok(self.channel.clone());
        }
        let authenticator = self.channel.authenticator.clone();
        if let Some(authenticator) = &authenticator {
            authenticator.may_send_to(&base).map_err(|error| {
                let message = format!("the server named a cluster that gets no calls: {error}");
                RpcError::answered(method, RpcCode::Internal, message).help(error.help())
            })?;
        }
        Ok(Channel::new(base, self.channel.network.clone(), authenticator))
    }
}

fn project_identifier(scope: &Scope) -> ProjectIdentifier {
    ProjectIdentifier {
        organization: scope.org.clone(),
        name: scope.project.clone(),
        domain: scope.domain.clone(),
        ..Default::default()
    }
}

#[async_trait]
impl ControlPlane for Client {
    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Nothing: whoever stands in front of it looks.
    fn guarantees(&self) -> Guarantees {
        Guarantees::default()
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<App>, RpcError> {
        let method = "AppService/List";
        let apps = self.channel.apps();
        let mut all = Vec::new();
        let (mut pages, mut token) = (Pages::of(method), String::new());
        loop {
            let request = ListRequest {
                filter_by: Some(list_request::FilterBy::Project(Box::new(project_identifier(scope)))),
                request: common::ListRequest { limit: PAGE, token: token.clone(), ..Default::default() }.into(),
                ..Default::default()
            };
            let page = call(&self.channel, method, Kind::Read, |options| {
                let (apps, request) = (apps.clone(), request.clone());
                async move { Ok(apps.list_with_options(request, options).await?.into_owned()) }
            })
            .await?;
            all.extend(page.apps);
            match pages.next(page.token)? {
                Some(next) => token = next,
                None => return Ok(all),
            }
        }
    }

    async fn get(&self, app: &AppId) -> Result<Option<App>, RpcError> {
        let apps = self.channel.apps();
        let request = GetRequest { identifier: Some(identifier(app).into()), ..Default::default() };
        let answer = call(&self.channel, "AppService/Get", Kind::Read, |options| {
            let (apps, request) = (apps.clone(), request.clone());
            async move { Ok(apps.get_with_options(request, options).await?.into_owned()) }
        })
        .await;
        match answer {
            Ok(answer) => Ok(answer.app.into_option()),
            Err(error) if error.code == RpcCode::NotFound && error.delivery == Delivery::Answered => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, app: App) -> Result<App, RpcError> {
        let apps = self.channel.apps();
        let request = CreateRequest { app: app.into(), ..Default::default() };
        let answer = call(&self.channel, "AppService/Create", Kind::Write, |options| {
            let (apps, request) = (apps.clone(), request.clone());
            async move { Ok(apps.create_with_options(request, options).await?.into_owned()) }
        })
        .await?;
        Ok(answer.app.into_option().unwrap_or_default())
    }

    async fn update(&self, app: App, reason: &str) -> Result<App, RpcError> {
        let apps = self.channel.apps();
        let request = UpdateRequest { app: app.into(), reason: reason.to_owned(), ..Default::default() };
        let answer = call(&self.channel, "AppService/Update", Kind::Write, |options| {
            let (apps, request) = (apps.clone(), request.clone());
            async move { Ok(apps.update_with_options(request, options).await?.into_owned()) }
        })
        .await?;
        Ok(answer.app.into_option().unwrap_or_default())
    }

    /// An app that is not there counts as deleted.
    async fn delete(&self, app: &AppId) -> Result<(), RpcError> {
        let apps = self.channel.apps();
        let request = DeleteRequest { app_id: identifier(app).into(), ..Default::default() };
        let answer = call(&self.channel, "AppService/Delete", Kind::Write, |options| {
            let (apps, request) = (apps.clone(), request.clone());
            async move { apps.delete_with_options(request, options).await.map(drop) }
        })
        .await;
        match answer {
            Err(error) if error.code == RpcCode::NotFound && error.delivery == Delivery::Answered => Ok(()),
            other => other,
        }
    }

    async fn watch(&self, app: &AppId) -> Result<Updates, RpcError> {
        stream::watch(&self.channel, app).await
    }

    async fn upload(&self, scope: &Scope, parcel: &Parcel) -> Result<String, RpcError> {
        let operation = select_cluster_request::Operation::OPERATION_CREATE_UPLOAD_LOCATION;
        let channel = self.select(operation, project_identifier(scope).into()).await?;
        data::upload(&channel, scope, parcel).await
    }

    async fn download_bundle(&self, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError> {
        let operation = select_cluster_request::Operation::OPERATION_CREATE_DOWNLOAD_LINK;
        let channel = self.select(operation, identifier(app).into()).await?;
        data::download(&channel, app, into).await
    }

    async fn has_bundle(&self, app: &AppId, address: &str) -> Option<bool> {
        let operation = select_cluster_request::Operation::OPERATION_CREATE_DOWNLOAD_LINK;
        let asked = async {
            let channel = self.select(operation, identifier(app).into()).await.ok()?;
            data::is_stored(&channel, app, address).await
        };
        tokio::time::timeout(PRESENCE, asked).await.ok().flatten()
    }

    async fn run(&self, scope: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError> {
        lookup::run(self, scope, choice).await
    }

    async fn artifact(&self, scope: &Scope, artifact: &ArtifactRef) -> Result<Option<Artifact>, RpcError> {
        lookup::artifact(&self.channel, scope, artifact).await
    }

    async fn project(&self, scope: &Scope) -> Result<Option<Project>, RpcError> {
        project::find(&self.channel, scope).await
    }

    async fn projects(&self, scope: &Scope) -> Result<Vec<Project>, RpcError> {
        project::list(&self.channel, scope).await
    }

    async fn find_secrets(&self, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
        secret::find(self, scope, names).await
    }

    async fn tail_logs(&self, app: &AppId) -> Result<Lines, RpcError> {
        stream::tail(&self.log_channel(app).await?, app, Opening::Soon).await
    }

    async fn logs_so_far(&self, app: &AppId) -> Result<Lines, RpcError> {
        stream::tail(&self.log_channel(app).await?, app, Opening::First).await
    }
}

impl Client {
    /// What serves the logs of an app.
    async fn log_channel(&self, app: &AppId) -> Result<Channel, RpcError> {
        let operation = select_cluster_request::Operation::OPERATION_TAIL_LOGS;
        match self.select(operation, identifier(app).into()).await {
            Err(error) if error.delivery == Delivery::Answered => Ok(self.channel.clone()),
            selected => selected,
        }
    }
}
