//! How a control plane wants to be logged in to: asked of itself, without credentials, and remembered for a day.

use std::path::PathBuf;

use flyte_schema::flyteidl2::auth::{
    GetOAuth2MetadataRequest, GetOAuth2MetadataResponse, GetPublicClientConfigRequest, GetPublicClientConfigResponse,
};
use futures::future::BoxFuture;
use http::{HeaderName, Uri};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::{AuthError, plain};
use super::file::write_private;
use super::surroundings::Surroundings;
use crate::client::call::{Kind, call};
use crate::client::endpoint::is_loopback;
use crate::client::transport::Channel;
use crate::model::target::Connection;
use crate::port::{RpcCode, RpcError};

/// For how long an answer is taken from the cache.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// The number of the cache's form.
const FORMAT: u32 = 1;

/// What a control plane tells about logging in. Names of servers and clients, no secrets. Empty texts: not told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Discovery {
    pub token_endpoint: String,
    pub authorization_endpoint: String,
    pub device_authorization_endpoint: String,
    /// How clients may prove themselves at the token endpoint.
    pub token_endpoint_auth_methods: Vec<String>,
    /// Of people; machines have their own.
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub audience: String,
    /// The header that carries the token.
    pub header: String,
}

impl Discovery {
    /// The header that carries the token: `authorization` where none is named.
    pub fn header(&self) -> HeaderName {
        self.header.to_ascii_lowercase().parse().unwrap_or(http::header::AUTHORIZATION)
    }

    /// Whether an authorization server is named at all.
    pub fn names_a_server(&self) -> bool {
        !self.token_endpoint.is_empty()
    }

    fn new(metadata: GetOAuth2MetadataResponse, client: GetPublicClientConfigResponse) -> Self {
        Self {
            token_endpoint: metadata.token_endpoint,
            authorization_endpoint: metadata.authorization_endpoint,
            device_authorization_endpoint: metadata.device_authorization_endpoint,
            token_endpoint_auth_methods: metadata.token_endpoint_auth_methods_supported,
            client_id: client.client_id,
            redirect_uri: client.redirect_uri,
            scopes: client.scopes,
            audience: client.audience,
            header: client.authorization_metadata_key,
        }
    }
}

/// An address that a control plane names, fit for secrets: `https`, or of this machine, or explicitly allowed.
///
/// # Errors
/// [`AuthError::Incomplete`], [`AuthError::Unusable`], [`AuthError::InTheClear`]
pub fn address(connection: &Connection, what: &'static str, text: &str) -> Result<Url, AuthError> {
    let endpoint = || connection.endpoint.clone();
    if text.is_empty() {
        return Err(AuthError::Incomplete { endpoint: endpoint(), what });
    }
    let unusable = || AuthError::Unusable { endpoint: endpoint(), what, value: plain(text) };
    let url = Url::parse(text).map_err(|_| unusable())?;
    let uri: Uri = url.as_str().parse().map_err(|_| unusable())?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&uri) || connection.insecure => Ok(url),
        "http" => Err(AuthError::InTheClear(plain(text))),
        _ => Err(unusable()),
    }
}

/// Asks a control plane, over a channel without credentials.
///
/// # Errors
/// As it refuses to tell. A server that does not have the service wants no log-in, and answers the default.
pub fn ask(channel: &Channel) -> BoxFuture<'_, Result<Discovery, RpcError>> {
    Box::pin(async move {
        let service = channel.auth_metadata();
        let metadata = call(channel, "AuthMetadataService/GetOAuth2Metadata", Kind::Read, |options| {
            let service = service.clone();
            async move {
                let request = GetOAuth2MetadataRequest::default();
                Ok(service.get_o_auth2_metadata_with_options(request, options).await?.into_owned())
            }
        });
        let client = call(channel, "AuthMetadataService/GetPublicClientConfig", Kind::Read, |options| {
            let service = service.clone();
            async move {
                let request = GetPublicClientConfigRequest::default();
                Ok(service.get_public_client_config_with_options(request, options).await?.into_owned())
            }
        });
        let (metadata, client) = tokio::join!(metadata, client);
        Ok(Discovery::new(if_there(metadata)?, if_there(client)?))
    })
}

fn if_there<T: Default>(answer: Result<T, RpcError>) -> Result<T, RpcError> {
    match answer {
        Err(error) if matches!(error.code, RpcCode::Unimplemented | RpcCode::NotFound) => Ok(T::default()),
        other => other,
    }
}

/// What was told lately, in a file for each control plane. What goes wrong with it is never an error.
#[derive(Debug)]
pub struct Memory {
    path: Option<PathBuf>,
    /// Another control plane may share the first digits of the file's name.
    endpoint: String,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    format: u32,
    endpoint: String,
    at: Timestamp,
    told: Discovery,
}

impl Memory {
    pub fn of(base: &Uri, surroundings: &Surroundings) -> Self {
        let endpoint = base.to_string();
        let name = format!("log-in-{}.json", &blake3::hash(endpoint.as_bytes()).to_hex()[..16]);
        Self { path: surroundings.cache.as_ref().map(|cache| cache.join(name)), endpoint }
    }

    pub fn recall(&self) -> Option<Discovery> {
        let bytes = std::fs::read(self.path.as_ref()?).ok()?;
        let found: Remembered = serde_json::from_slice(&bytes).ok()?;
        let age = Timestamp::now().duration_since(found.at);
        let is_of_use = found.format == FORMAT && found.endpoint == self.endpoint;
        (is_of_use && !age.is_negative() && age < REMEMBERED).then_some(found.told)
    }

    pub fn remember(&self, told: &Discovery) {
        let Some(path) = &self.path else { return };
        let remembered =
            Remembered { format: FORMAT, endpoint: self.endpoint.clone(), at: Timestamp::now(), told: told.clone() };
        if let Ok(bytes) = serde_json::to_vec(&remembered) {
            let _ = write_private(path, &bytes);
        }
    }
}
