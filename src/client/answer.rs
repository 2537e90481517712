//! What is answered in place of a message: errors, log-in pages, the pages of proxies.

use std::io::Read as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use reqwest::Body;
use tokio::time::{Instant, timeout_at};

use super::network::{Network, place};
use super::text::{cut, excerpt};
use super::trouble::{Trouble, proxy_wants_credentials};
use crate::port::{Delivery, RpcCode};

/// How much of an error is read. What servers say is shorter.
const MAX_ERROR: usize = 64 << 10;

/// How much of a page is shown, in characters.
const SHOWN: usize = 200;

/// How much of a message is shown whose end is not known.
const LONG: usize = 400;

/// Lets through what a control plane may have sent: messages, and errors that can be read. Errors are read here, no
/// more than [`MAX_ERROR`] bytes of them.
///
/// # Errors
/// For what something else must have sent, or nobody can read.
pub async fn admit(response: Response<Body>, address: &Uri, network: &Network) -> Result<Response<Body>, Trouble> {
    let status = response.status();
    let kind = header(&response, CONTENT_TYPE);
    if status.is_redirection() {
        let to = header(&response, LOCATION).parse::<Uri>().map_or_else(|_| "elsewhere".to_owned(), |to| shown(&to));
        let message =
            format!("the address redirects to {to}: it is not a control plane's, or asks for a log-in in a browser");
        return Err(not_a_control_plane(message));
    }
    if status.is_success() {
        if status == StatusCode::OK && kind.starts_with("application/") {
            return Ok(response);
        }
        let with = match kind.as_str() {
            "" => format!("{status} without a content type"),
            kind if status == StatusCode::OK => format!("a page ({})", cut(kind, 60)),
            kind => format!("{status} ({})", cut(kind, 60)),
        };
        let message =
            format!("the address answers with {with}: it is not a control plane's, or asks for a log-in in a browser");
        return Err(not_a_control_plane(message));
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        let proxy = network.proxy_to(address);
        let help = network.proxy_credentials_go(address);
        return Err(proxy_wants_credentials(proxy.as_deref().unwrap_or("in between"), help));
    }
    let (mut parts, body) = response.into_parts();
    let told = Told::read(&parts, body, network.timeouts.read).await;
    if told.is_whole() && is_rpc_error(&told.text) {
        parts.headers.remove(CONTENT_ENCODING);
        parts.headers.remove(CONTENT_LENGTH);
        return Ok(Response::from_parts(parts, Body::from(told.text)));
    }
    let wait = retry_after(&parts.headers);
    let mut trouble = match rpc_beginning(&kind, &told) {
        Some(trouble) => trouble,
        None => refusal(status, &kind, &told),
    };
    if let Some(proxy) = network.proxy_to(address) {
        trouble.message += &format!(" (through the proxy {proxy})");
    }
    Err(Trouble { wait, ..trouble })
}

/// What of an address may be shown: all but its query, which may open something.
pub fn shown(address: &Uri) -> String {
    if address.host().is_some() { format!("{}{}", place(address), address.path()) } else { address.path().to_owned() }
}

fn not_a_control_plane(message: String) -> Trouble {
    Trouble::new(RpcCode::Unknown, Delivery::Unanswered, message)
        .help("`flyte config show` prints the endpoint and where it was set; the address of the console is another one")
}

/// The seconds that the other side asks to wait for.
pub fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// An error's body, as far as it was read.
pub struct Told {
    pub text: Bytes,
    /// Of the whole body. `None`: it is longer than what was read, and the server does not tell.
    pub size: Option<u64>,
}

impl Told {
    /// Reads no more than is needed, and waits no longer than so. A body that breaks off ends there.
    pub async fn read(parts: &http::response::Parts, mut body: Body, within: Duration) -> Self {
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
        let mut text = BytesMut::new();
        let mut size = announced;
        let deadline = Instant::now() + within;
        loop {
            match timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let Some(data) = frame.data_ref() else { continue };
                    let room = MAX_ERROR - text.len();
                    text.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        break;
                    }
                }
                Ok(Some(Err(_))) | Err(_) => break,
                Ok(None) => {
                    size = Some(text.len() as u64);
                    break;
                }
            }
        }
        let zipped = parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() == b"gzip");
        if zipped {
            let mut plain = Vec::new();
            // What comes before a fault is still the beginning.
            let _ = GzDecoder::new(&text[..]).take(MAX_ERROR as u64).read_to_end(&mut plain);
            let is_cut = plain.len() == MAX_ERROR || size != Some(text.len() as u64);
            return Self { size: (!is_cut).then_some(plain.len() as u64), text: plain.into() };
        }
        Self { text: text.freeze(), size }
    }

    fn is_whole(&self) -> bool {
        self.size == Some(self.text.len() as u64)
    }

    /// `4096 bytes`, `more than 65536 bytes`
    pub fn extent(&self) -> String {
        match self.size {
            Some(size) => format!("{size} bytes"),
            None => format!("more than {} bytes", self.text.len()),
        }
    }
}

fn is_rpc_error(text: &[u8]) -> bool {
    let value = serde_json::from_slice::<serde_json::Value>(text).unwrap_or_default();
    value.get("code").is_some_and(serde_json::Value::is_string)
}

/// An error of a control plane that is too long to be read whole.
fn rpc_beginning(kind: &str, told: &Told) -> Option<Trouble> {
    let text = String::from_utf8_lossy(&told.text);
    let value = |name: &str| {
        let rest = text.split_once(&format!("\"{name}\""))?.1.trim_start().strip_prefix(':')?;
        rest.trim_start().strip_prefix('"')
    };
    if !kind.starts_with("application/json") || told.is_whole() {
        return None;
    }
    let code = serde_json::from_value(value("code")?.split('"').next()?.into()).ok()?;
    let message = cut(value("message")?, LONG);
    let message = format!("{message} (the beginning of {})", told.extent());
    Some(Trouble { passes: code == RpcCode::Unavailable, ..Trouble::new(code, Delivery::Answered, message) })
}

/// An error status with something else than the error of a control plane.
fn refusal(status: StatusCode, kind: &str, told: &Told) -> Trouble {
    let code = match status.as_u16() {
        400 => RpcCode::Internal,
        401 => RpcCode::Unauthenticated,
        403 => RpcCode::PermissionDenied,
        404 => RpcCode::Unimplemented,
        408 => RpcCode::DeadlineExceeded,
        429 | 502 | 503 | 504 => RpcCode::Unavailable,
        _ => RpcCode::Unknown,
    };
    // What is refused with 4xx was not carried out, whoever refuses it. A proxy that gave up waiting does not know.
    let delivery = if status.is_client_error() && status != 408 { Delivery::Answered } else { Delivery::Unanswered };
    let text = String::from_utf8_lossy(&told.text);
    let what = match kind.split(';').next().unwrap_or_default() {
        "" => "no error of a control plane".to_owned(),
        kind => format!("no error of a control plane, but {}", cut(kind, 60)),
    };
    let beginning = excerpt(&text, SHOWN);
    let beginning = if beginning.is_empty() { String::new() } else { format!(": {beginning}") };
    let message = format!("the answer is {status} with {what}, {}{beginning}", told.extent());
    let mut trouble = Trouble::new(code, delivery, message);
    trouble.passes = code == RpcCode::Unavailable;
    let lower = text.to_ascii_lowercase();
    if lower.contains("http request") && lower.contains("https") {
        return trouble.help("that port speaks TLS: write `https://` or leave out `insecure`");
    }
    if code == RpcCode::Unimplemented {
        return trouble.help("is this the address of a control plane? `flyte config show` prints it");
    }
    trouble
}

fn header(response: &Response<Body>, name: HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
