//! Files behind signed addresses: put there, fetched from there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Path as UrlPath, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use md5::{Digest as _, Md5};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::sign::{Grant, SignError, Signer, Verb};
use crate::server::hub::Hub;
use crate::server::store::BundlePath;

#[derive(Clone)]
pub struct Transfers {
    pub hub: Arc<Hub>,
    pub signer: Arc<Signer>,
}

/// Why a file is not taken or given.
#[derive(Debug, thiserror::Error)]
enum TransferError {
    #[error("the address is not a signed one")]
    Address,
    #[error(transparent)]
    Signature(#[from] SignError),
    #[error("the file is larger than was said: more than {0} bytes")]
    TooLarge(u64),
    #[error("BadDigest: the content does not have the MD5 that was said")]
    BadDigest,
    #[error("the content did not arrive whole")]
    Interrupted,
    #[error("there is no such file")]
    Missing,
    #[error("the file cannot be stored: {0}")]
    Io(#[from] io::Error),
}

impl IntoResponse for TransferError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Address | Self::BadDigest | Self::Interrupted => StatusCode::BAD_REQUEST,
            Self::Signature(_) => StatusCode::FORBIDDEN,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{self}\n")).into_response()
    }
}

impl Transfers {
    fn admit(&self, verb: Verb, path: &str, query: Option<&str>) -> Result<(BundlePath, Grant), TransferError> {
        let path = BundlePath::parse(path).map_err(|_| TransferError::Address)?;
        let grant = grant(query.unwrap_or_default()).ok_or(TransferError::Address)?;
        self.signer.check(verb, &path, &grant, self.hub.now())?;
        Ok((path, grant))
    }
}

/// What the query of an address says. No value of ours needs decoding.
fn grant(query: &str) -> Option<Grant> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Some(Grant {
        expires: value("expires")?.parse().ok()?,
        max: value("max")?.parse().ok()?,
        md5: value("md5")?.to_owned(),
        signature: value("signature")?.to_owned(),
    })
}

pub async fn put(
    State(transfers): State<Transfers>,
    UrlPath(path): UrlPath<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    match receive(&transfers, &path, query.as_deref(), request).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

pub async fn get(
    State(transfers): State<Transfers>,
    UrlPath(path): UrlPath<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match send(&transfers, &path, query.as_deref()).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn receive(
    transfers: &Transfers,
    path: &str,
    query: Option<&str>,
    request: Request,
) -> Result<(), TransferError> {
    let (path, grant) = transfers.admit(Verb::Put, path, query)?;
    let wanted = announced(&grant, request.headers())?;
    let target = transfers.hub.store().bundle_file(&path);
    let directory = target.parent().ok_or(TransferError::Address)?;
    fs::create_dir_all(directory).await?;
    let unfinished = Unfinished::beside(directory);
    let digest = write(&unfinished.0, request.into_body(), grant.max).await?;
    if wanted.is_some_and(|wanted| wanted != digest) {
        return Err(TransferError::BadDigest);
    }
    fs::rename(&unfinished.0, &target).await?;
    // The name is durable once its directory is.
    fs::File::open(directory).await?.sync_all().await?;
    Ok(())
}

/// The MD5 that the content must have. Refuses at once what would be refused in the end.
fn announced(grant: &Grant, headers: &HeaderMap) -> Result<Option<[u8; 16]>, TransferError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > grant.max) {
        return Err(TransferError::TooLarge(grant.max));
    }
    let Some(said) = header("content-md5") else { return Ok(grant.md5()) };
    let said = STANDARD.decode(said).ok().and_then(|said| <[u8; 16]>::try_from(said).ok());
    let said = said.ok_or(TransferError::BadDigest)?;
    match grant.md5() {
        Some(wanted) if wanted != said => Err(TransferError::BadDigest),
        _ => Ok(Some(said)),
    }
}

/// Streams a body to a file and onto the disk; answers its MD5.
async fn write(path: &Path, body: Body, max: u64) -> Result<[u8; 16], TransferError> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).await?;
    let mut content = body.into_data_stream();
    let mut md5 = Md5::new();
    let mut length = 0;
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|_| TransferError::Interrupted)?;
        length += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if length > max {
            return Err(TransferError::TooLarge(max));
        }
        md5.update(&chunk);
        file.write_all(&chunk).await?;
    }
    file.sync_all().await?;
    Ok(md5.finalize().into())
}

/// A file that is deleted unless it got its name.
struct Unfinished(PathBuf);

impl Unfinished {
    /// One writer's own: one process at a time has the store open.
    fn beside(directory: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(directory.join(format!(".{}-{count}.part", std::process::id())))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is gone where it was renamed.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn send(transfers: &Transfers, path: &str, query: Option<&str>) -> Result<Response, TransferError> {
    let (path, _) = transfers.admit(Verb::Get, path, query)?;
    let file = match fs::File::open(transfers.hub.store().bundle_file(&path)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TransferError::Missing),
        opened => opened?,
    };
    let length = file.metadata().await?.len();
    let headers = [(CONTENT_LENGTH, length.to_string()), (CONTENT_TYPE, "application/gzip".to_owned())];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}
