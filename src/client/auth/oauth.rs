//! Talking to an authorization server: the `oauth2` crate over our HTTP client, its errors in our words.

use std::time::Duration;

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ErrorResponse,
    HttpRequest, HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::discovery::{Discovery, address};
use super::error::{AuthError, Said, plain};
use super::token::Token;
use crate::client::network::Network;
use crate::client::trouble::{Trouble, seconds};
use crate::model::target::Connection;
use crate::port::{Delivery, RpcCode};

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 1 << 20;
/// Waits before a request that was not taken is repeated.
const WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(900)];

/// The client of the `oauth2` crate with a token endpoint and our answer type.
pub type OAuth = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a token endpoint answers. Some servers leave out the type, and write the lifetime as text.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenAnswer {
    #[serde(deserialize_with = "not_empty")]
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(serde::de::Error::custom("the token is empty")) } else { Ok(AccessToken::new(text)) }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| match value {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative and huge ones saturate")]
        other => other.as_f64().map(|seconds| seconds as u64),
    }))
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenAnswer {
    pub fn into_token(self) -> Token {
        let lifetime = self.expires_in();
        Token::received(self.access_token, self.refresh_token.filter(|token| !token.secret().is_empty()), lifetime)
    }
}

/// An authorization server as one control plane names it, and what to ask of it.
pub struct Server {
    pub told: Discovery,
    pub scopes: Vec<Scope>,
    pub token_endpoint: Url,
    pub web: Web,
}

impl Server {
    /// # Errors
    /// The control plane names no token endpoint, or one that is not fit for secrets.
    pub fn new(connection: &Connection, told: &Discovery, network: &Network) -> Result<Self, AuthError> {
        if !told.names_a_server() {
            return Err(AuthError::NoAuthorizationServer(connection.endpoint.clone()));
        }
        let token_endpoint = address(connection, "token endpoint", &told.token_endpoint)?;
        let scopes = if connection.scopes.is_empty() { &told.scopes } else { &connection.scopes };
        Ok(Self {
            told: told.clone(),
            scopes: scopes.iter().cloned().map(Scope::new).collect(),
            web: Web::to(&token_endpoint, network),
            token_endpoint,
        })
    }

    /// The client of people.
    ///
    /// # Errors
    /// The control plane names none.
    pub fn public_client(&self, connection: &Connection) -> Result<OAuth, AuthError> {
        if self.told.client_id.is_empty() {
            return Err(AuthError::Incomplete { endpoint: connection.endpoint.clone(), what: "client for people" });
        }
        Ok(oauth2::Client::new(ClientId::new(self.told.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.token_endpoint.clone())))
    }

    /// A token for a client of its own right. The secret goes in the header, or in the form where the server takes
    /// nothing else.
    ///
    /// # Errors
    /// As the server refuses it.
    pub async fn client_credentials(&self, client_id: &str, secret: ClientSecret) -> Result<Token, AuthError> {
        let takes = |method: &str| self.told.token_endpoint_auth_methods.iter().any(|known| known == method);
        let in_form = takes("client_secret_post") && !takes("client_secret_basic");
        let client: OAuth = oauth2::Client::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(secret)
            .set_auth_type(if in_form { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_token_uri(TokenUrl::from_url(self.token_endpoint.clone()));
        let mut request = client.exchange_client_credentials().add_scopes(self.scopes.iter().cloned());
        if !self.told.audience.is_empty() {
            request = request.add_extra_param("audience", self.told.audience.clone());
        }
        let answer = request.request_async(&self.web).await;
        answer.map(TokenAnswer::into_token).map_err(|error| self.refusal(client_id, error))
    }

    /// A new token for an old log-in. A server that sends no new refresh token lets the old one live on.
    ///
    /// # Errors
    /// [`AuthError::InvalidGrant`] where the log-in has ended.
    pub async fn refresh(&self, connection: &Connection, refresh: &RefreshToken) -> Result<Token, AuthError> {
        let client = self.public_client(connection)?;
        let answer = client.exchange_refresh_token(refresh).request_async(&self.web).await;
        let mut token =
            answer.map(TokenAnswer::into_token).map_err(|error| self.refusal(&self.told.client_id, error))?;
        token.refresh.get_or_insert_with(|| refresh.clone());
        Ok(token)
    }

    /// What a request to the token endpoint came to, in our words.
    pub fn refusal(&self, client: &str, error: RequestTokenError<Fault, BasicErrorResponse>) -> AuthError {
        let server = self.web.place.clone();
        match error {
            RequestTokenError::ServerResponse(answer) => {
                let said = Said::new(answer.error_description().map_or("", String::as_str));
                match answer.error() {
                    BasicErrorResponseType::InvalidClient => {
                        AuthError::InvalidClient { server, client: client.to_owned(), said }
                    }
                    BasicErrorResponseType::InvalidGrant => AuthError::InvalidGrant { server, said },
                    other => AuthError::Refused { server, code: plain(other.as_ref()), said },
                }
            }
            other => self.web.misunderstood(other),
        }
    }
}

/// The HTTP side of an authorization server.
pub struct Web {
    network: Network,
    /// Its host and port, for messages.
    pub place: String,
}

/// Why a request brought no answer that could be a token's.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Unreachable(Trouble),
    #[error("{status}")]
    Page { status: u16, kind: String },
    #[error("{0}")]
    Busy(u16),
}

impl Web {
    pub fn to(url: &Url, network: &Network) -> Self {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}{port}", url.host_str().unwrap_or_default());
        Self { network: network.clone(), place }
    }

    /// The errors that are not the server's own words. Bodies are left out: they may hold a token.
    pub fn misunderstood<E: ErrorResponse + 'static>(&self, error: RequestTokenError<Fault, E>) -> AuthError {
        let server = self.place.clone();
        match error {
            RequestTokenError::Request(Fault::Unreachable(trouble)) => AuthError::Unreachable { server, trouble },
            RequestTokenError::Request(Fault::Page { status, kind }) => AuthError::Page { server, status, kind },
            RequestTokenError::Request(Fault::Busy(status)) => AuthError::Busy { server, status },
            RequestTokenError::Parse(error, _) => {
                let what = if error.inner().is_data() { "does not hold what it should" } else { "is not JSON" };
                AuthError::Garbled { server, cause: format!("the answer {what} (at `{}`)", error.path()) }
            }
            RequestTokenError::ServerResponse(answer) => {
                AuthError::Garbled { server, cause: plain(&answer.to_string()) }
            }
            RequestTokenError::Other(text) => AuthError::Garbled { server, cause: plain(&text) },
        }
    }

    /// Sends a request, again where it was surely not carried out.
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let mut waits = WAITS.into_iter();
        loop {
            let (fault, again) = match self.attempt(request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            match waits.next().filter(|_| again) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(fault),
            }
        }
    }

    async fn attempt(&self, request: HttpRequest) -> Result<HttpResponse, (Fault, bool)> {
        let address = request.uri().clone();
        let unanswered = |message: String| {
            (Fault::Unreachable(Trouble::new(RpcCode::Unavailable, Delivery::Unanswered, message)), false)
        };
        let lost = |error: reqwest::Error| {
            let trouble = Trouble::of(&error, &address, &self.network);
            let again = trouble.delivery == Delivery::NotSent && trouble.passes;
            (Fault::Unreachable(trouble), again)
        };
        let request = reqwest::Request::try_from(request.map(reqwest::Body::from)).map_err(lost)?;
        let within = self.network.timeouts.read;
        let answer = tokio::time::timeout(within, async {
            let response = self.network.to(&address).execute(request).await.map_err(lost)?;
            let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| unanswered(format!("the answer broke off: {error}")))?;
            Ok((parts, body.to_bytes()))
        });
        let slow = |_| {
            let message = format!("no answer within {}", seconds(within));
            let trouble = Trouble::new(RpcCode::DeadlineExceeded, Delivery::Unanswered, message);
            let help = "it may be slow: try again, or wait longer with `--timeout`";
            (Fault::Unreachable(trouble.help(help)), false)
        };
        let (parts, body) = answer.await.map_err(slow)??;
        let status = parts.status;
        if matches!(status.as_u16(), 429 | 503) {
            return Err((Fault::Busy(status.as_u16()), true));
        }
        if status.is_server_error() {
            return Err((Fault::Busy(status.as_u16()), false));
        }
        let kind = parts.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) || status.is_redirection() {
            let kind = plain(kind.unwrap_or("without a content type"));
            return Err((Fault::Page { status: status.as_u16(), kind }, false));
        }
        // The crate takes nothing but 200 for success, and checks the content type to the letter.
        let status = if status.is_success() { http::StatusCode::OK } else { status };
        let answer = http::Response::builder().status(status).header(http::header::CONTENT_TYPE, "application/json");
        answer.body(body.to_vec()).map_err(|error| unanswered(error.to_string()))
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = Fault;
    type Future = BoxFuture<'c, Result<HttpResponse, Fault>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
