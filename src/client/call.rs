//! One logical call: its request id, which attempts it gets, and its error in our words.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use connectrpc::client::CallOptions;
use connectrpc::{ConnectError, ErrorCode};
use http::header::{CONTENT_TYPE, DATE};

use super::auth::{AuthError, Authenticator, Credential};
use super::data::with_causes;
use super::transport::Channel;
use crate::port::{Delivery, RpcCode, RpcError};

/// What may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: repeated after any error that may pass.
    Read,
    /// Sent once: repeated only where it was never sent, because no connection came about.
    Write,
}

/// Makes a call, up to four times where its kind allows. `attempt` sends it once. A call that is refused for want of a
/// good token was not carried out, and is made once more with a new one.
///
/// # Errors
/// That of the last attempt, or why there is no token.
pub async fn call<T, F>(
    channel: &Channel,
    method: &str,
    kind: Kind,
    attempt: impl Fn(CallOptions) -> F,
) -> Result<T, RpcError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let id = request_id();
    let caller = Caller { authenticator: channel.authenticator.as_ref(), method, request_id: &id };
    let credential = caller.credential().await?;
    let refused = match attempts(method, kind, &id, credential.as_ref(), &attempt).await {
        Err(refused) if caller.may_renew(&refused, credential.as_ref()) => refused,
        other => return other.map_err(|error| rpc_error(method, &id, &error)),
    };
    let Some(credential) = caller.renew(credential.as_ref()).await? else { return Err(caller.refusal(&refused).await) };
    match attempts(method, kind, &id, Some(&credential), &attempt).await {
        Ok(answer) => Ok(answer),
        Err(refused) => Err(caller.refusal(&refused).await),
    }
}

/// The same without a token, for what must be known before there is one.
///
/// # Errors
/// That of the last attempt.
pub async fn anonymous<T, F>(method: &str, kind: Kind, attempt: impl Fn(CallOptions) -> F) -> Result<T, RpcError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let id = request_id();
    attempts(method, kind, &id, None, &attempt).await.map_err(|error| rpc_error(method, &id, &error))
}

async fn attempts<T, F>(
    method: &str,
    kind: Kind,
    request_id: &str,
    credential: Option<&Credential>,
    attempt: &impl Fn(CallOptions) -> F,
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let send = || {
        let reply = attempt(options(request_id, credential));
        let begun = Instant::now();
        async move {
            let reply = reply.await;
            let (milliseconds, code) =
                (begun.elapsed().as_millis(), reply.as_ref().err().map(|error| code(error.code)));
            tracing::info!(method, request_id, milliseconds, error = code.map(tracing::field::display), "call");
            reply
        }
    };
    let again = |error: &ConnectError| match kind {
        Kind::Read => rpc_error(method, request_id, error).is_transient(),
        Kind::Write => never_sent(error),
    };
    send.retry(waits()).when(again).await
}

/// The headers of a call.
pub fn options(request_id: &str, credential: Option<&Credential>) -> CallOptions {
    let options = CallOptions::default().with_header("x-request-id", request_id);
    match credential {
        Some(credential) => options.with_header(credential.header.clone(), credential.value.clone()),
        None => options,
    }
}

/// Who makes one call.
pub struct Caller<'a> {
    pub authenticator: Option<&'a Arc<Authenticator>>,
    pub method: &'a str,
    pub request_id: &'a str,
}

impl Caller<'_> {
    /// # Errors
    /// There is no token: nothing was sent.
    pub async fn credential(&self) -> Result<Option<Credential>, RpcError> {
        match self.authenticator {
            None => Ok(None),
            Some(authenticator) => {
                authenticator.credential().await.map_err(|error| self.without_token(&error, Delivery::NotSent))
            }
        }
    }

    /// Whether a new token may be what is wanted. Other refusals, such as an unknown error, never start a log-in.
    pub fn may_renew(&self, refused: &ConnectError, sent: Option<&Credential>) -> bool {
        let for_want_of_one = refused.code == ErrorCode::PermissionDenied && sent.is_none();
        self.authenticator.is_some() && (refused.code == ErrorCode::Unauthenticated || for_want_of_one)
    }

    /// # Errors
    /// There is no other token: the call was refused.
    pub async fn renew(&self, refused: Option<&Credential>) -> Result<Option<Credential>, RpcError> {
        match self.authenticator {
            None => Ok(None),
            Some(authenticator) => {
                authenticator.renew(refused).await.map_err(|error| self.without_token(&error, Delivery::Answered))
            }
        }
    }

    /// A refusal, with what may be wrong with the token.
    pub async fn refusal(&self, refused: &ConnectError) -> RpcError {
        let mut error = rpc_error(self.method, self.request_id, refused);
        if let (RpcCode::Unauthenticated, Some(authenticator)) = (error.code, self.authenticator) {
            let date = refused.response_headers().get(DATE).and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
            match authenticator.reason(date).await {
                Some(reason) => {
                    error.message = format!("{}: {}", error.message, reason.what);
                    error.help = reason.help.to_owned();
                }
                None => error.help = REFUSED.to_owned(),
            }
        }
        error
    }

    fn without_token(&self, error: &AuthError, delivery: Delivery) -> RpcError {
        let code = match error {
            AuthError::Unreachable { .. } | AuthError::Busy { .. } => RpcCode::Unavailable,
            AuthError::Discovery(cause) => cause.code,
            _ => RpcCode::Unauthenticated,
        };
        RpcError {
            method: self.method.to_owned(),
            code,
            message: with_causes(error),
            help: error.help(),
            request_id: self.request_id.to_owned(),
            delivery,
        }
    }
}

/// What to do where a token is refused that shows no fault.
const REFUSED: &str = "the control plane does not accept this token: `flyte auth login` gets another; a token from a \
     variable or a command must be replaced there; `flyte auth whoami` tells whom it is for";

/// 0.2, 0.4, 0.8 s, each up to twice as long.
pub fn waits() -> ExponentialBuilder {
    ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(3).with_jitter()
}

/// A random identifier in the form of a UUID of version 4.
pub fn request_id() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 48) & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

pub fn rpc_error(method: &str, request_id: &str, error: &ConnectError) -> RpcError {
    RpcError {
        method: method.to_owned(),
        code: code(error.code),
        message: message(error),
        help: String::new(),
        request_id: request_id.to_owned(),
        delivery: delivery(error),
    }
}

fn delivery(error: &ConnectError) -> Delivery {
    if never_sent(error) {
        return Delivery::NotSent;
    }
    let headers = error.response_headers();
    if error.source().is_some() || headers.is_empty() {
        return Delivery::Unanswered;
    }
    // A proxy that gave up waiting for the server says so in a page of its own.
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let by_proxy = error.code == ErrorCode::Unavailable && !kind.starts_with("application/");
    if by_proxy { Delivery::Unanswered } else { Delivery::Answered }
}

/// No connection came about, so nothing was sent.
fn never_sent(error: &ConnectError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    cause.is_some_and(reqwest::Error::is_connect)
}

/// What the server said with its details, or what went wrong on the way with its causes.
fn message(error: &ConnectError) -> String {
    let mut text = error.message.clone().unwrap_or_else(|| "no message".to_owned());
    let mut cause = error.source();
    while let Some(source) = cause {
        let part = source.to_string();
        if !text.ends_with(&part) {
            text += ": ";
            text += &part;
        }
        cause = source.source();
    }
    for detail in &error.details {
        let kind = detail.type_url.rsplit('/').next().unwrap_or_default();
        match &detail.debug {
            Some(debug) => text += &format!(" [{kind} {debug}]"),
            None => text += &format!(" [{kind}]"),
        }
    }
    text
}

fn code(code: ErrorCode) -> RpcCode {
    match code {
        ErrorCode::Canceled => RpcCode::Canceled,
        ErrorCode::InvalidArgument => RpcCode::InvalidArgument,
        ErrorCode::DeadlineExceeded => RpcCode::DeadlineExceeded,
        ErrorCode::NotFound => RpcCode::NotFound,
        ErrorCode::AlreadyExists => RpcCode::AlreadyExists,
        ErrorCode::PermissionDenied => RpcCode::PermissionDenied,
        ErrorCode::ResourceExhausted => RpcCode::ResourceExhausted,
        ErrorCode::FailedPrecondition => RpcCode::FailedPrecondition,
        ErrorCode::Aborted => RpcCode::Aborted,
        ErrorCode::OutOfRange => RpcCode::OutOfRange,
        ErrorCode::Unimplemented => RpcCode::Unimplemented,
        ErrorCode::Internal => RpcCode::Internal,
        ErrorCode::Unavailable => RpcCode::Unavailable,
        ErrorCode::DataLoss => RpcCode::DataLoss,
        ErrorCode::Unauthenticated => RpcCode::Unauthenticated,
        _ => RpcCode::Unknown,
    }
}
