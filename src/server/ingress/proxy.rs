//! Carries one request to the app's process and its response back.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::headers;
use super::route::{Lease, Route, Upstream, UpstreamBody};
use crate::server::service::guard;

/// How long a request whose process is gone waits for its supervisor to notice.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a request is tried again.
const RETRIES: u32 = 3;

type ClientBody = BoxBody<Bytes, hyper::Error>;

/// The response to a client, whatever becomes of its request.
pub async fn answer(route: &Route, request: Request<Incoming>, peer: SocketAddr) -> Response<ClientBody> {
    let limit = route.timeout();
    match tokio::time::timeout(limit, forward(route, request, peer)).await {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.response(route),
        Err(_) => Refusal::Late(limit).response(route),
    }
}

/// Why there is no response of the app.
enum Refusal {
    /// No process serves, for this reason.
    Unavailable(String),
    /// Nothing accepts connections where the process should.
    Unreachable,
    /// The process ended the connection before it answered, or its answer is not HTTP.
    Broken(String),
    /// No answer in time.
    Late(Duration),
    /// A method that only a forward proxy serves.
    Method,
    /// A page of elsewhere asks, and would read the answer.
    Stranger(&'static str),
}

impl Refusal {
    fn response(&self, route: &Route) -> Response<ClientBody> {
        let status = match self {
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable | Self::Broken(_) => StatusCode::BAD_GATEWAY,
            Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Stranger(_) => StatusCode::FORBIDDEN,
        };
        let text = format!("app {} is not available: {self}\n", route.app().name);
        let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => f.write_str(why),
            Self::Unreachable => f.write_str("its process does not accept connections"),
            Self::Broken(error) => write!(f, "its process gave no valid response: {error}"),
            Self::Late(limit) => write!(f, "it did not respond within {} s", limit.as_secs_f32()),
            Self::Method => f.write_str("CONNECT is not served here"),
            Self::Stranger(why) => f.write_str(why.trim_end()),
        }
    }
}

async fn forward(
    route: &Route,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<ClientBody>, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Method);
    }
    if let Some(why) = guard::of_a_strange_page(request.headers()) {
        return Err(Refusal::Stranger(why));
    }
    let upgrade = headers::upgrade(request.headers()).map(|_| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    headers::forward(&mut parts.headers, peer);
    parts.uri = parts.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    parts.version = Version::HTTP_11;

    let (response, lease) = Delivery::new(parts, body, upgrade.is_some()).run(route).await?;
    respond(response, lease, upgrade)
}

/// A request on its way. It is sent again only where no process can have acted on it, or where acting twice is the
/// same as acting once.
struct Delivery {
    parts: Parts,
    /// `None`: the request has no body.
    body: Option<UpstreamBody>,
    /// May go out on a connection that the process may be closing at this moment.
    repeatable: bool,
    retries: u32,
}

impl Delivery {
    fn new(parts: Parts, body: Incoming, upgrade: bool) -> Self {
        let body = (!body.is_end_stream()).then(|| body.boxed());
        let repeatable = body.is_none() && parts.method.is_idempotent() && !upgrade;
        Self { parts, body, repeatable, retries: 0 }
    }

    async fn run(mut self, route: &Route) -> Result<(Response<Incoming>, Lease), Refusal> {
        loop {
            let lease = route.lease().await.map_err(Refusal::Unavailable)?;
            let upstream = lease.upstream().clone();
            let reused = if self.repeatable { upstream.reuse() } else { None };
            let fresh = reused.is_none();
            let mut sender = match reused {
                Some(sender) => sender,
                None => match upstream.connect().await {
                    Ok(sender) => sender,
                    Err(_) => {
                        drop(lease);
                        self.retry_elsewhere(route, &upstream).await.then_some(()).ok_or(Refusal::Unreachable)?;
                        continue;
                    }
                },
            };
            match self.send(&mut sender, upstream.address()).await {
                Ok(response) => {
                    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                        upstream.recycle(sender);
                    }
                    return Ok((response, lease));
                }
                Err(Unsent::Untouched) => {
                    drop(lease);
                    if fresh && !self.retry_elsewhere(route, &upstream).await {
                        return Err(Refusal::Unreachable);
                    }
                }
                Err(Unsent::Perhaps(error)) => {
                    drop(lease);
                    if !self.repeatable || (fresh && !self.retry_elsewhere(route, &upstream).await) {
                        return Err(Refusal::Broken(error));
                    }
                }
            }
        }
    }

    async fn send(
        &mut self,
        sender: &mut SendRequest<UpstreamBody>,
        address: SocketAddr,
    ) -> Result<Response<Incoming>, Unsent> {
        let has_body = self.body.is_some();
        let body = self.body.take().unwrap_or_else(|| Empty::new().map_err(|never| match never {}).boxed());
        let mut request = Request::from_parts(self.parts.clone(), body);
        if !request.headers().contains_key(HOST)
            && let Ok(host) = HeaderValue::try_from(address.to_string())
        {
            request.headers_mut().insert(HOST, host);
        }
        sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(request) => {
                self.body = has_body.then(|| request.into_body());
                Unsent::Untouched
            }
            None => Unsent::Perhaps(error.into_error().to_string()),
        })
    }

    /// Waits for the route to leave the process that failed; says whether to try again.
    async fn retry_elsewhere(&mut self, route: &Route, former: &Arc<Upstream>) -> bool {
        self.retries += 1;
        self.retries <= RETRIES && route.left(former, PATIENCE).await
    }
}

/// Why there is no response.
enum Unsent {
    /// Not a byte was written: the request is whole.
    Untouched,
    /// The process may have seen it.
    Perhaps(String),
}

fn respond(
    mut response: Response<Incoming>,
    lease: Lease,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<ClientBody>, Refusal> {
    *response.version_mut() = Version::HTTP_11;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        headers::pass_on(response.headers_mut());
        return Ok(response.map(|body| Leased { body, _lease: lease }.boxed()));
    }
    let Some(client) = upgrade else {
        return Err(Refusal::Broken("it changed the protocol without being asked".to_owned()));
    };
    headers::pass_on(response.headers_mut());
    let process = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        if let (Ok(client), Ok(process)) = tokio::join!(client, process) {
            // An end of either side ends both; there is nobody left to tell.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(process)).await;
        }
        drop(lease);
    });
    Ok(response.map(|_| Empty::new().map_err(|never| match never {}).boxed()))
}

/// A response body that keeps its request in flight until it is through.
struct Leased {
    body: Incoming,
    _lease: Lease,
}

impl Body for Leased {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
