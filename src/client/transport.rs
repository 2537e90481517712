//! How calls go over HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use connectrpc::ConnectError;
use connectrpc::client::{BoxFuture, ClientBody, ClientConfig, ClientTransport};
use flyte_schema::flyteidl2::app::{AppLogsServiceClient, AppServiceClient};
use flyte_schema::flyteidl2::artifact::ArtifactServiceClient;
use flyte_schema::flyteidl2::auth::{AuthMetadataServiceClient, IdentityServiceClient};
use flyte_schema::flyteidl2::cluster::ClusterServiceClient;
use flyte_schema::flyteidl2::dataproxy::DataProxyServiceClient;
use flyte_schema::flyteidl2::project::ProjectServiceClient;
use flyte_schema::flyteidl2::secret::SecretServiceClient;
use flyte_schema::flyteidl2::task::TaskServiceClient;
use flyte_schema::flyteidl2::workflow::RunServiceClient;
use http::Uri;
use http::header::{CONTENT_LENGTH, DATE, HeaderValue};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use jiff::Timestamp;

use super::answer;
use super::auth::Authenticator;
use super::call::wire_code;
use super::network::Network;
use super::trouble::Trouble;

/// The longest answer to a call: a page of apps with large specs is a few megabytes.
const MAX_ANSWER: usize = 64 << 20;
/// What a message of many small parts may take in memory: a server may answer with more apps than it was asked for.
const MAX_DECODED: usize = 256 << 20;
/// The longest message of a stream: one app, or a batch of lines.
const MAX_MESSAGE: usize = 16 << 20;

tokio::task_local! {
    /// Of the call that is being made.
    pub static METER: Arc<Meter>;
}

/// What is seen of one attempt on its way.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Seen>);

#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The HTTP status. `None`: there was no answer.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub sent: u64,
    /// Bytes of the answer's body so far.
    pub received: u64,
    /// The time of the answer by the server's clock.
    pub date: Option<Timestamp>,
    /// Why the answer broke off.
    pub broken: Option<String>,
}

impl Meter {
    pub fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The RPC transport over the one HTTP client.
#[derive(Clone)]
pub struct Http(Network);

type Answer = UnsyncBoxBody<Bytes, reqwest::Error>;

impl ClientTransport for Http {
    type ResponseBody = Answer;
    type Error = ConnectError;

    fn send(
        &self,
        request: http::Request<ClientBody>,
    ) -> BoxFuture<'static, Result<http::Response<Answer>, ConnectError>> {
        let network = self.0.clone();
        let meter = METER.try_with(Arc::clone).unwrap_or_default();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            if body.is_empty() {
                // hyper sends none for an empty body, and some proxies answer 411.
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            let address = parts.uri.clone();
            meter.note(|seen| seen.sent = body.len() as u64);
            let request = http::Request::from_parts(parts, reqwest::Body::from(body));
            let request = reqwest::Request::try_from(request)
                .map_err(|error| ConnectError::internal("the request cannot be sent").with_source(error))?;
            let answered = network.to(&address).execute(request).await;
            let response = answered.map_err(|error| refuse(Trouble::of(&error, &address, &network)))?;
            meter.note(|seen| (seen.status, seen.date) = (Some(response.status().as_u16()), date(response.headers())));
            let response = answer::admit(response.into(), &address, &network).await.map_err(refuse)?;
            Ok(response.map(|body| metered(body, meter)))
        })
    }
}

fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok())?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
}

fn refuse(trouble: Trouble) -> ConnectError {
    ConnectError::new(wire_code(trouble.code), trouble.message.clone()).with_source(trouble)
}

fn metered(body: reqwest::Body, meter: Arc<Meter>) -> Answer {
    let counting = meter.clone();
    let count = move |frame: http_body::Frame<Bytes>| {
        counting.note(|seen| seen.received += frame.data_ref().map_or(0, |data| data.len() as u64));
        frame
    };
    let broken = move |error: reqwest::Error| {
        meter.note(|seen| seen.broken = Some(super::trouble::last(&error)));
        error
    };
    body.map_frame(count).map_err(broken).boxed_unsync()
}

/// The services of one address.
#[derive(Clone)]
pub struct Channel {
    pub base: Uri,
    pub network: Network,
    /// `None` where calls go without credentials. Signed addresses never get any.
    pub authenticator: Option<Arc<Authenticator>>,
    calls: ClientConfig,
    streams: ClientConfig,
}

impl Channel {
    pub fn new(base: Uri, network: Network, authenticator: Option<Arc<Authenticator>>) -> Self {
        // Messages of a kilobyte and more are compressed.
        let config = ClientConfig::new(base.clone()).compress_requests("gzip");
        let calls =
            config.clone().with_default_max_message_size(MAX_ANSWER).with_default_element_memory_limit(MAX_DECODED);
        let streams = config.with_default_max_message_size(MAX_MESSAGE);
        Self { base, network, authenticator, calls, streams }
    }

    pub fn with(self, authenticator: Option<Arc<Authenticator>>) -> Self {
        Self { authenticator, ..self }
    }

    fn transport(&self) -> Http {
        Http(self.network.clone())
    }

    pub fn apps(&self) -> AppServiceClient<Http> {
        AppServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn app_streams(&self) -> AppServiceClient<Http> {
        AppServiceClient::new(self.transport(), self.streams.clone())
    }

    pub fn log_streams(&self) -> AppLogsServiceClient<Http> {
        AppLogsServiceClient::new(self.transport(), self.streams.clone())
    }

    pub fn clusters(&self) -> ClusterServiceClient<Http> {
        ClusterServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn data(&self) -> DataProxyServiceClient<Http> {
        DataProxyServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn auth_metadata(&self) -> AuthMetadataServiceClient<Http> {
        AuthMetadataServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn identity(&self) -> IdentityServiceClient<Http> {
        IdentityServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn runs(&self) -> RunServiceClient<Http> {
        RunServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn tasks(&self) -> TaskServiceClient<Http> {
        TaskServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn artifacts(&self) -> ArtifactServiceClient<Http> {
        ArtifactServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn projects(&self) -> ProjectServiceClient<Http> {
        ProjectServiceClient::new(self.transport(), self.calls.clone())
    }

    pub fn secrets(&self) -> SecretServiceClient<Http> {
        SecretServiceClient::new(self.transport(), self.calls.clone())
    }
}
