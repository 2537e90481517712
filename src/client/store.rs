//! Transfers to and from signed addresses. What such an address says behind its path opens the store, and is told nowhere.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flyte_schema::flyteidl2::dataproxy::CreateUploadLocationResponse;
use futures::stream::{self, Stream};
use http::header::{CONTENT_LENGTH, HOST, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::answer::{Told, retry_after, shown};
use super::network::{Network, place};
use super::text::{excerpt, never_show};
use super::trouble::{Trouble, seconds};
use crate::port::{Content, Delivery, Parcel, RpcCode, RpcError};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// The slowest line that is waited for, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// What may lie in the system's buffers when everything has been handed to it.
const BUFFERED: u64 = 4 << 20;
/// The longest file that is fetched. Bundles are smaller.
const MAX_FILE: u64 = 2 << 30;
/// How much of a store's error is shown, in characters.
const SHOWN: usize = 300;

/// A transfer that failed.
pub struct Failure {
    pub trouble: Trouble,
    /// Whether another address is needed.
    pub expired: bool,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, expired: false }
    }
}

impl Failure {
    pub fn into_error(self, method: &str) -> RpcError {
        let Trouble { message, help, code, delivery, .. } = self.trouble;
        RpcError { method: method.to_owned(), code, message, request_id: String::new(), delivery, help }
    }
}

/// Streams a file to where the control plane says.
pub async fn put(network: &Network, location: &CreateUploadLocationResponse, parcel: &Parcel) -> Result<(), Failure> {
    let address = address(&location.signed_url)?;
    let moved = Arc::new(AtomicU64::new(0));
    let body = reqwest::Body::wrap_stream(chunks(parcel.content.clone(), moved.clone()));
    let request = network.to(&address).put(&location.signed_url).headers(headers(location, parcel)?).body(body);
    let begun = Instant::now();
    let answered = watch(request.send(), &moved, parcel.length, network.timeouts.write).await;
    let status = answered.as_ref().ok().and_then(|answer| answer.as_ref().ok()).map(|answer| answer.status().as_u16());
    let (milliseconds, bytes) = (begun.elapsed().as_millis(), moved.load(Ordering::Relaxed));
    tracing::info!(to = shown(&address), milliseconds, sent = bytes, status, "upload");
    let response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(Trouble::of(&error, &address, network).into()),
        Err(Stalled(pause)) => {
            let message = format!(
                "{} took {bytes} of {} bytes and then nothing for {}",
                place(&address),
                parcel.length,
                seconds(pause)
            );
            return Err(Trouble::new(RpcCode::DeadlineExceeded, Delivery::Unanswered, message).into());
        }
    };
    match response.status() {
        StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
        _ => Err(refusal(response, &address, network).await),
    }
}

/// Fetches a file.
pub async fn get(network: &Network, url: &str, into: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let address = address(url)?;
    let pause = network.timeouts.write;
    let stalled = || {
        let message = format!("{} sent nothing for {}", place(&address), seconds(pause));
        Trouble::new(RpcCode::DeadlineExceeded, Delivery::Unanswered, message)
    };
    let sent = tokio::time::timeout(pause, network.to(&address).get(url).send()).await.map_err(|_| stalled())?;
    let mut response = sent.map_err(|error| Trouble::of(&error, &address, network))?;
    tracing::info!(from = shown(&address), status = response.status().as_u16(), "download");
    if !response.status().is_success() {
        return Err(refusal(response, &address, network).await);
    }
    let mut received = 0;
    loop {
        let chunk = tokio::time::timeout(pause, response.chunk()).await.map_err(|_| stalled())?;
        let Some(chunk) = chunk.map_err(|error| Trouble::of(&error, &address, network))? else { return Ok(()) };
        received += chunk.len() as u64;
        let unkept = |message| Trouble::new(RpcCode::Internal, Delivery::Answered, message);
        if received > MAX_FILE {
            return Err(unkept(format!("{} sends more than {MAX_FILE} bytes", place(&address))).into());
        }
        into.write_all(&chunk).map_err(|error| unkept(format!("what is fetched cannot be kept: {error}")))?;
    }
}

/// An address as the control plane names it.
///
/// # Errors
/// Nothing can be sent there.
pub fn address(url: &str) -> Result<Uri, Trouble> {
    let usable = |address: &Uri| matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some();
    if let Some((_, query)) = url.split_once('?') {
        never_show(query);
    }
    url.parse().ok().filter(usable).ok_or_else(|| {
        let message = "the control plane named no usable address of its store";
        Trouble::new(RpcCode::Internal, Delivery::Answered, message)
    })
}

/// Those the control plane asks for, and what each kind of store wants to know. Nothing that tells who we are.
fn headers(location: &CreateUploadLocationResponse, parcel: &Parcel) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    for (name, value) in &location.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            let message = "the control plane asks for a header that cannot be sent to its store";
            return Err(Trouble::new(RpcCode::Internal, Delivery::Answered, message));
        };
        if ![CONTENT_LENGTH, HOST, TRANSFER_ENCODING].contains(&name) {
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_LENGTH, parcel.length.into());
    let md5 = HeaderValue::try_from(STANDARD.encode(parcel.md5)).expect("base64 is text");
    headers.entry("content-md5").or_insert(md5);
    let azure = ["abfs://", "abfss://", "azure://", "az://", "wasb://", "wasbs://"];
    if azure.iter().any(|scheme| location.native_url.starts_with(scheme)) {
        headers.entry("x-ms-blob-type").or_insert(HeaderValue::from_static("BlockBlob"));
    }
    Ok(headers)
}

/// The content in pieces, read where waiting for a disk holds up nobody.
fn chunks(content: Arc<dyn Content>, moved: Arc<AtomicU64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(None, move |reader: Option<Box<dyn Read + Send>>| {
        let (content, moved) = (content.clone(), moved.clone());
        async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut reader = reader.map_or_else(|| content.open(), Ok)?;
                let mut chunk = Vec::with_capacity(CHUNK);
                reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
                Ok::<_, std::io::Error>((chunk, reader))
            });
            let (chunk, reader) = read.await.map_err(std::io::Error::other)??;
            moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), Some(reader))))
        }
    })
}

/// Nothing moved for this long.
struct Stalled(Duration);

/// Waits for an answer for as long as bytes are taken, and for a pause. At the end the pause is as long as a slow line
/// needs for what has been handed over.
async fn watch<T>(
    sending: impl Future<Output = T>,
    moved: &AtomicU64,
    length: u64,
    pause: Duration,
) -> Result<T, Stalled> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let before = moved.load(Ordering::Relaxed);
        let left = if before < length { 0 } else { length.min(BUFFERED) / SLOWEST };
        let pause = pause + Duration::from_secs(left);
        match tokio::time::timeout(pause, &mut sending).await {
            Ok(answer) => return Ok(answer),
            Err(_) if moved.load(Ordering::Relaxed) != before => {}
            Err(_) => return Err(Stalled(pause)),
        }
    }
}

/// What a store answers that is no success. Redirects are not followed: a bundle goes where the control plane says.
async fn refusal(response: reqwest::Response, address: &Uri, network: &Network) -> Failure {
    let (parts, body) = http::Response::from(response).into_parts();
    let status = parts.status;
    if status.is_redirection() {
        let to = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok()?.parse::<Uri>().ok());
        let to = to.map_or_else(|| "elsewhere".to_owned(), |to| shown(&to));
        let message = format!("{} redirects to {to}, which is not followed", shown(address));
        return Trouble::new(RpcCode::FailedPrecondition, Delivery::Answered, message)
            .help("the control plane's store is set up with another address or region than it has")
            .into();
    }
    let told = Told::read(&parts, body, network.timeouts.read).await;
    classify(status, &told, retry_after(&parts.headers), address)
}

fn classify(status: StatusCode, told: &Told, asked: Option<Duration>, address: &Uri) -> Failure {
    let text = String::from_utf8_lossy(&told.text);
    let lower = text.to_ascii_lowercase();
    let slow = status == StatusCode::BAD_REQUEST && lower.contains("<code>requesttimeout</code>");
    let expired = matches!(status.as_u16(), 400 | 403) && lower.contains("expired");
    let passes = slow || expired || matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
    let code = match status.as_u16() {
        _ if expired => RpcCode::PermissionDenied,
        _ if passes => RpcCode::Unavailable,
        400 | 413 => RpcCode::InvalidArgument,
        401 => RpcCode::Unauthenticated,
        403 => RpcCode::PermissionDenied,
        404 => RpcCode::NotFound,
        _ => RpcCode::Unknown,
    };
    let says = excerpt(&text, SHOWN);
    let says = if says.is_empty() { told.extent() } else { says };
    let what = if expired { "says that its signed address has expired" } else { "refuses the transfer" };
    let mut trouble = Trouble::new(code, Delivery::Answered, format!("{} {what} ({status}): {says}", shown(address)));
    trouble.passes = passes;
    trouble.wait = asked.filter(|_| matches!(status.as_u16(), 429 | 503));
    if expired {
        trouble = trouble.help("are the clocks of the control plane and of its store right?");
    } else if status == StatusCode::FORBIDDEN {
        trouble =
            trouble.help("the control plane signed an address that its store does not accept: tell its operators");
    }
    Failure { trouble, expired }
}
