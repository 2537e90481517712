//! The one HTTP client, and how calls go over it.

use std::sync::OnceLock;
use std::time::Duration;

use connectrpc::client::{BoxFuture, ClientBody, ClientConfig, ClientTransport};
use connectrpc::{ConnectError, ErrorCode};
use flyte_schema::flyteidl2::app::{AppLogsServiceClient, AppServiceClient};
use flyte_schema::flyteidl2::artifact::ArtifactServiceClient;
use flyte_schema::flyteidl2::cluster::ClusterServiceClient;
use flyte_schema::flyteidl2::dataproxy::DataProxyServiceClient;
use flyte_schema::flyteidl2::project::ProjectServiceClient;
use flyte_schema::flyteidl2::secret::SecretServiceClient;
use flyte_schema::flyteidl2::task::TaskServiceClient;
use flyte_schema::flyteidl2::workflow::RunServiceClient;
use http::Uri;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http_body_util::BodyExt;

use super::endpoint::is_loopback;

/// The longest a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest a call that is not a stream may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// A page of apps with large specs is a few megabytes.
const MAX_MESSAGE: usize = 64 << 20;

/// An HTTP client for a control plane. Redirects are not followed, since those of a control plane lead to log-in pages;
/// proxies are not asked for addresses of this machine.
///
/// # Errors
/// When the system's TLS roots cannot be used.
pub fn http_client(base: &Uri) -> Result<reqwest::Client, reqwest::Error> {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("flyte/", env!("CARGO_PKG_VERSION")));
    if is_loopback(base) { builder.no_proxy().build() } else { builder.build() }
}

/// The RPC transport over the one HTTP client.
#[derive(Clone)]
pub struct Http(pub reqwest::Client);

impl ClientTransport for Http {
    type ResponseBody = reqwest::Body;
    type Error = ConnectError;

    fn send(
        &self,
        request: http::Request<ClientBody>,
    ) -> BoxFuture<'static, Result<http::Response<reqwest::Body>, ConnectError>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            if body.is_empty() {
                // hyper sends none for an empty body, and some proxies answer 411.
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            let request = http::Request::from_parts(parts, reqwest::Body::from(body));
            let request = reqwest::Request::try_from(request)
                .map_err(|error| ConnectError::internal("the request cannot be sent").with_source(error))?;
            match client.execute(request).await {
                Ok(response) => check(response.into()),
                Err(error) => Err(ConnectError::unavailable("the request was not answered").with_source(error)),
            }
        })
    }
}

/// Refuses what a console or a log-in page answers, in words that say so.
fn check(response: http::Response<reqwest::Body>) -> Result<http::Response<reqwest::Body>, ConnectError> {
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let message = if response.status().is_redirection() {
        format!("the address redirects to `{}` and is not a control plane's, or asks for a log-in", text(LOCATION))
    } else if response.status().is_success() && text(CONTENT_TYPE).starts_with("text/") {
        let kind = text(CONTENT_TYPE);
        format!("the address answers with a page ({kind}): it is not a control plane's, or asks for a log-in")
    } else {
        return Ok(response);
    };
    Err(ConnectError::new(ErrorCode::Unknown, message).with_headers(headers.clone()))
}

/// The services of one address.
#[derive(Clone)]
pub struct Channel {
    pub base: Uri,
    pub http: reqwest::Client,
    /// With a deadline.
    calls: ClientConfig,
    /// A deadline would cover the whole stream.
    streams: ClientConfig,
}

impl Channel {
    pub fn new(base: Uri, http: reqwest::Client) -> Self {
        let streams = ClientConfig::new(base.clone()).with_default_max_message_size(MAX_MESSAGE);
        let calls = streams.clone().with_default_timeout(CALL_TIMEOUT);
        Self { base, http, calls, streams }
    }

    fn transport(&self) -> Http {
        Http(self.http.clone())
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
