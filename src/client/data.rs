//! Code bundles to and from the store behind a control plane.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flyte_schema::flyteidl2::dataproxy::{
    ArtifactType, CreateDownloadLinkRequest, CreateUploadLocationRequest, CreateUploadLocationResponse,
    create_download_link_request,
};
use http::{Method, StatusCode};
use md5::{Digest as _, Md5};

use super::call::{Kind, call};
use super::transport::Channel;
use crate::model::spec::identifier;
use crate::model::{AppId, Scope};
use crate::port::{Delivery, RpcCode, RpcError};

/// How long a signed address stays good.
const EXPIRES_IN: Duration = Duration::from_secs(900);
/// The longest one transfer may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);
/// Waits between attempts of a transfer.
const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);

pub async fn upload(channel: &Channel, scope: &Scope, file_name: &str, content: Bytes) -> Result<String, RpcError> {
    let md5 = Md5::digest(&content).to_vec();
    let request = CreateUploadLocationRequest {
        org: scope.org.clone(),
        project: scope.project.clone(),
        domain: scope.domain.clone(),
        filename: file_name.to_owned(),
        content_md5: md5.clone(),
        content_length: i64::try_from(content.len()).unwrap_or(i64::MAX),
        expires_in: buffa_types::google::protobuf::Duration::from_secs(EXPIRES_IN.as_secs().cast_signed()).into(),
        add_content_md5_metadata: true,
        ..Default::default()
    };
    let data = channel.data();
    let location = call(channel, "DataProxyService/CreateUploadLocation", Kind::Read, |options| {
        let (data, request) = (data.clone(), request.clone());
        async move { Ok(data.create_upload_location_with_options(request, options).await?.into_owned()) }
    })
    .await?;
    put(channel, &location, &STANDARD.encode(md5), content).await?;
    Ok(location.native_url)
}

async fn put(
    channel: &Channel,
    location: &CreateUploadLocationResponse,
    md5: &str,
    content: Bytes,
) -> Result<(), RpcError> {
    let request = || {
        let mut request = channel
            .network
            .to(&channel.base)
            .put(&location.signed_url)
            .header("content-md5", md5)
            .body(content.clone());
        for (name, value) in &location.headers {
            request = request.header(name, value);
        }
        if location.native_url.starts_with("abfs://") {
            request = request.header("x-ms-blob-type", "BlockBlob");
        }
        request
    };
    transfer(Method::PUT, request).await.map(drop)
}

/// `None` where the server keeps or offers none.
pub async fn download(channel: &Channel, app: &AppId) -> Result<Option<Bytes>, RpcError> {
    let data = channel.data();
    let request = CreateDownloadLinkRequest {
        artifact_type: ArtifactType::ARTIFACT_TYPE_CODE_BUNDLE.into(),
        source: Some(create_download_link_request::Source::AppId(Box::new(identifier(app)))),
        expires_in: buffa_types::google::protobuf::Duration::from_secs(EXPIRES_IN.as_secs().cast_signed()).into(),
        ..Default::default()
    };
    let answer = call(channel, "DataProxyService/CreateDownloadLink", Kind::Read, |options| {
        let (data, request) = (data.clone(), request.clone());
        async move { Ok(data.create_download_link_with_options(request, options).await?.into_owned()) }
    })
    .await;
    let urls = match answer {
        Ok(answer) => answer.pre_signed_urls.into_option().unwrap_or_default().signed_url,
        Err(error) if matches!(error.code, RpcCode::NotFound | RpcCode::Unimplemented) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(url) = urls.first() else { return Ok(None) };
    transfer(Method::GET, || channel.network.to(&channel.base).get(url)).await.map(Some)
}

/// Sends a request to a signed address, again where that may help.
async fn transfer(method: Method, request: impl Fn() -> reqwest::RequestBuilder) -> Result<Bytes, RpcError> {
    let mut waits = WAITS.into_iter();
    loop {
        let failure = match attempt(request().timeout(TRANSFER_TIMEOUT)).await {
            Ok(body) => return Ok(body),
            Err(failure) => failure,
        };
        match waits.next().filter(|_| failure.again) {
            Some(wait) => tokio::time::sleep(failure.wait.unwrap_or(wait).min(MAX_WAIT)).await,
            None => {
                return Err(RpcError {
                    method: format!("{method} of a code bundle"),
                    code: failure.code,
                    message: failure.message,
                    request_id: String::new(),
                    delivery: failure.delivery,
                    help: None,
                });
            }
        }
    }
}

struct Failure {
    code: RpcCode,
    message: String,
    delivery: Delivery,
    again: bool,
    /// As the server asks.
    wait: Option<Duration>,
}

async fn attempt(request: reqwest::RequestBuilder) -> Result<Bytes, Failure> {
    let lost = |error: reqwest::Error| Failure {
        code: RpcCode::Unavailable,
        message: with_causes(&error.without_url()),
        delivery: Delivery::Unanswered,
        again: true,
        wait: None,
    };
    let response = request.send().await.map_err(lost)?;
    let status = response.status();
    if status.is_success() {
        return response.bytes().await.map_err(lost);
    }
    let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let body = response.text().await.unwrap_or_default();
    Err(refusal(status, &body, asked.map(Duration::from_secs)))
}

fn refusal(status: StatusCode, body: &str, asked: Option<Duration>) -> Failure {
    let lower = body.to_ascii_lowercase();
    let slow = status == StatusCode::BAD_REQUEST && lower.contains("<code>requesttimeout</code>");
    let expired = matches!(status.as_u16(), 400 | 403) && lower.contains("expired");
    let again = slow || matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
    let shown: String = body.chars().take(300).collect();
    let message = match expired {
        true => format!("the signed address has expired ({status}): {shown}"),
        false => format!("the store answered {status}: {shown}"),
    };
    let code = match status.as_u16() {
        _ if again => RpcCode::Unavailable,
        400 | 413 => RpcCode::InvalidArgument,
        401 => RpcCode::Unauthenticated,
        403 => RpcCode::PermissionDenied,
        404 => RpcCode::NotFound,
        _ => RpcCode::Unknown,
    };
    Failure {
        code,
        message,
        delivery: Delivery::Answered,
        again,
        wait: asked.filter(|_| matches!(status.as_u16(), 429 | 503)),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text += &format!(": {source}");
        cause = source.source();
    }
    text
}
