//! One logical call: its request id, its deadline, which attempts it gets, and its error in our words.

use std::collections::hash_map::RandomState;
use std::error::Error as _;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use connectrpc::client::CallOptions;
use connectrpc::{ConnectError, ErrorCode};

use super::answer::retry_after;
use super::auth::Credential;
use super::caller::{Caller, Refused};
use super::detail;
use super::text::clean;
use super::transport::{Channel, METER, Meter, Seen};
use super::trouble::{Trouble, cause, seconds};
use crate::port::{Delivery, RpcCode, RpcError};

/// How much of a server's message is shown, in characters.
const MESSAGE: usize = 1_000;

/// What may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: repeated after any error that may pass.
    Read,
    /// Sent once: repeated only where it was never sent, because no connection came about.
    Write,
}

/// Makes a call, up to four times where its kind allows and its deadline leaves time. `attempt` sends it once, within
/// [`METER`] and with the options it is given. A call that is refused for want of a good token was not carried out, and
/// is made once more with a new one.
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
    let refused = match attempts(channel, &caller, kind, credential.as_ref(), &attempt).await {
        Ok(answer) => return Ok(answer),
        Err(failed) => failed.refused,
    };
    let Some(next) = caller.instead_of(credential.as_ref(), &refused).await? else {
        return Err(caller.explained(refused).await);
    };
    match attempts(channel, &caller, kind, Some(&next), &attempt).await {
        Ok(answer) => Ok(answer),
        Err(failed) => Err(caller.explained(failed.refused).await),
    }
}

async fn attempts<T, F>(
    channel: &Channel,
    caller: &Caller<'_>,
    kind: Kind,
    credential: Option<&Credential>,
    attempt: &impl Fn(CallOptions) -> F,
) -> Result<T, Failed>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let patience = match kind {
        Kind::Read => channel.network.timeouts.read,
        Kind::Write => channel.network.timeouts.write,
    };
    let Caller { method, request_id, .. } = *caller;
    let begun = Instant::now();
    let send = || {
        let left = patience.saturating_sub(begun.elapsed());
        let options = caller.options(credential).with_timeout(left);
        let meter = Arc::new(Meter::default());
        let reply = METER.scope(meter.clone(), attempt(options));
        let started = Instant::now();
        async move {
            let reply = reply.await;
            let seen = meter.seen();
            let milliseconds = started.elapsed().as_millis();
            let (sent, received) = (seen.sent, seen.received);
            let error = reply.as_ref().err().map(|error| tracing::field::display(code(error.code)));
            tracing::info!(method, milliseconds, sent, received, request_id, error, "call");
            reply.map_err(|error| Failed::new(method, request_id, &error, &seen, patience))
        }
    };
    let again = |failed: &Failed| match kind {
        Kind::Read => failed.passes,
        Kind::Write => failed.passes && failed.refused.error.delivery == Delivery::NotSent,
    };
    // As long as asked for, where that is within the deadline.
    let wait = |failed: &Failed, usual: Option<Duration>| {
        let wait = failed.wait.unwrap_or_default().max(usual?);
        (wait < patience.saturating_sub(begun.elapsed())).then_some(wait)
    };
    send.retry(waits()).when(again).adjust(wait).await
}

/// 0.2, 0.4, 0.8 s, each up to twice as long.
fn waits() -> ExponentialBuilder {
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

/// An attempt that failed.
struct Failed {
    refused: Refused,
    /// Whether the same may go well a moment later.
    passes: bool,
    /// As the server asks.
    wait: Option<Duration>,
}

impl Failed {
    fn new(method: &str, request_id: &str, error: &ConnectError, seen: &Seen, patience: Duration) -> Self {
        let trouble = trouble(error, seen, patience);
        let wait = trouble.as_ref().and_then(|trouble| trouble.wait);
        let wait =
            wait.or_else(|| retry_after(error.response_headers())).or_else(|| detail::retry_delay(&error.details));
        let passes = match &trouble {
            Some(trouble) => trouble.passes,
            // A server that is busy says when it will not be.
            None if error.code == ErrorCode::ResourceExhausted => wait.is_some(),
            None => matches!(error.code, ErrorCode::Unavailable | ErrorCode::DeadlineExceeded | ErrorCode::Internal),
        };
        let mut error = rpc_error(method, request_id, error, trouble);
        if let Some(wait) = wait {
            error.message += &format!(" (it asks to wait for {})", seconds(wait));
        }
        Self { refused: Refused { error, at: seen.date }, passes, wait }
    }
}

/// What went wrong on the way, if it is not the server that refuses.
fn trouble(error: &ConnectError, seen: &Seen, patience: Duration) -> Option<Trouble> {
    if let Some(trouble) = error.source().and_then(cause::<Trouble>) {
        return Some(trouble.clone());
    }
    let trouble = |code, message: String| Some(Trouble::new(code, Delivery::Unanswered, message));
    if let Some(broken) = &seen.broken {
        let message = format!("the answer broke off after {} bytes: {broken}", seen.received);
        return trouble(RpcCode::Unavailable, message).map(Trouble::passing);
    }
    match (error.code, seen.status) {
        (ErrorCode::DeadlineExceeded, None) => {
            trouble(RpcCode::DeadlineExceeded, format!("no answer within {}", seconds(patience)))
        }
        (ErrorCode::DeadlineExceeded, Some(_)) if error.response_headers().is_empty() => {
            let message = format!("the answer began and did not end within {}", seconds(patience));
            trouble(RpcCode::DeadlineExceeded, message)
        }
        (_, Some(200..=299)) => {
            let message = format!("what is answered is not the message asked for: {}", told(error));
            trouble(RpcCode::Internal, message)
                .map(|trouble| trouble.help("is this the address of a control plane? `flyte config show` prints it"))
        }
        (_, None) => trouble(code(error.code), told(error)),
        (_, Some(_)) => None,
    }
}

/// A stream that failed. A server's errors come as its last message, after a status of success.
pub fn stream_error(caller: &Caller<'_>, error: &ConnectError, seen: &Seen) -> Refused {
    let mut trouble = error.source().and_then(cause::<Trouble>).cloned();
    let cut = |why: &str| {
        let message = format!("the stream broke off after {} bytes: {why}", seen.received);
        Trouble::new(RpcCode::Unavailable, Delivery::Unanswered, message)
    };
    if let Some(broken) = &seen.broken {
        trouble = Some(cut(broken));
    } else if told(error).contains("END_STREAM") {
        trouble = Some(cut("its end is missing"));
    }
    Refused { error: rpc_error(caller.method, caller.request_id, error, trouble), at: seen.date }
}

fn rpc_error(method: &str, request_id: &str, error: &ConnectError, trouble: Option<Trouble>) -> RpcError {
    let (method, request_id) = (method.to_owned(), request_id.to_owned());
    match trouble {
        Some(Trouble { code, message, help, delivery, .. }) => {
            RpcError { method, code, message, request_id, delivery, help }
        }
        None => {
            let message = told(error) + &detail::told(&error.details);
            RpcError { method, code: code(error.code), message, request_id, delivery: Delivery::Answered, help: None }
        }
    }
}

/// What the server says.
fn told(error: &ConnectError) -> String {
    let text = clean(error.message.as_deref().unwrap_or_default(), MESSAGE);
    if text.is_empty() { "no message".to_owned() } else { text }
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

pub fn wire_code(wanted: RpcCode) -> ErrorCode {
    let all = (1..=16).filter_map(ErrorCode::from_grpc_code);
    all.into_iter().find(|known| code(*known) == wanted).unwrap_or(ErrorCode::Unknown)
}
