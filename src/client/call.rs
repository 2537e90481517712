//! One logical call: its request id, which attempts it gets, and its error in our words.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use connectrpc::client::CallOptions;
use connectrpc::{ConnectError, ErrorCode};
use http::header::CONTENT_TYPE;

use crate::port::{Delivery, RpcCode, RpcError};

/// What may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: repeated after any error that may pass.
    Read,
    /// Sent once: repeated only where it was never sent, because no connection came about.
    Write,
}

/// Makes a call, up to four times where its kind allows. `attempt` sends it once.
///
/// # Errors
/// That of the last attempt.
pub async fn call<T, F>(method: &str, kind: Kind, attempt: impl Fn(CallOptions) -> F) -> Result<T, RpcError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let request_id = request_id();
    let send = || {
        let options = CallOptions::default().with_header("x-request-id", request_id.as_str());
        let reply = attempt(options);
        let (begun, request_id) = (Instant::now(), &request_id);
        async move {
            let reply = reply.await;
            let (milliseconds, code) =
                (begun.elapsed().as_millis(), reply.as_ref().err().map(|error| code(error.code)));
            tracing::info!(method, request_id, milliseconds, error = code.map(tracing::field::display), "call");
            reply.map_err(|error| (never_sent(&error), rpc_error(method, request_id, &error)))
        }
    };
    let again = |(never_sent, error): &(bool, RpcError)| match kind {
        Kind::Read => error.is_transient(),
        Kind::Write => *never_sent,
    };
    send.retry(waits()).when(again).await.map_err(|(_, error)| error)
}

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
