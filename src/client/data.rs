//! Code bundles to and from the store behind a control plane: where they go.

use std::io::Write;
use std::time::Duration;

use flyte_schema::flyteidl2::dataproxy::{
    ArtifactType, CreateDownloadLinkRequest, CreateUploadLocationRequest, CreateUploadLocationResponse,
    create_download_link_request,
};

use super::call::{Kind, call};
use super::transport::Channel;
use super::{presence, store};
use crate::model::spec::identifier;
use crate::model::{AppId, Scope};
use crate::port::{Parcel, RpcCode, RpcError};

/// How long a signed address is to stay good: a transfer must begin within it. Source: the published SDK.
const EXPIRES_IN: Duration = Duration::from_secs(900);
/// Waits between attempts of an upload. Source: the published SDK.
const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The longest wait that a store may ask for. Source: the published SDK.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Sends a bundle, up to four times where that may help. An address that has expired is asked for anew.
pub async fn upload(channel: &Channel, scope: &Scope, parcel: &Parcel) -> Result<String, RpcError> {
    let mut location = locate(channel, scope, parcel).await?;
    let mut waits = WAITS.into_iter();
    loop {
        let Err(failure) = store::put(&channel.network, &location, parcel).await else {
            return Ok(location.native_url);
        };
        let Some(usual) = waits.next().filter(|_| failure.trouble.passes) else {
            return Err(failure.into_error("upload of a code bundle"));
        };
        tokio::time::sleep(failure.trouble.wait.unwrap_or_default().max(usual).min(MAX_WAIT)).await;
        if failure.expired {
            location = locate(channel, scope, parcel).await?;
        }
    }
}

async fn locate(channel: &Channel, scope: &Scope, parcel: &Parcel) -> Result<CreateUploadLocationResponse, RpcError> {
    let request = CreateUploadLocationRequest {
        org: scope.org.clone(),
        project: scope.project.clone(),
        domain: scope.domain.clone(),
        filename: parcel.file_name.clone(),
        content_md5: parcel.md5.to_vec(),
        content_length: i64::try_from(parcel.length).unwrap_or(i64::MAX),
        expires_in: buffa_types::google::protobuf::Duration::from_secs(EXPIRES_IN.as_secs().cast_signed()).into(),
        add_content_md5_metadata: true,
        ..Default::default()
    };
    let data = channel.data();
    call(channel, "DataProxyService/CreateUploadLocation", Kind::Read, |options| {
        let (data, request) = (data.clone(), request.clone());
        async move { Ok(data.create_upload_location_with_options(request, options).await?.into_owned()) }
    })
    .await
}

/// `false` where the server keeps or offers none. Sent once: it only serves to tell what changed.
pub async fn download(channel: &Channel, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError> {
    let Some(url) = link(channel, app).await? else { return Ok(false) };
    let fetched = store::get(&channel.network, &url, into).await;
    fetched.map_err(|failure| failure.into_error("download of a code bundle"))?;
    Ok(true)
}

/// Whether the bundle that an app runs is still at its address. `None` where that cannot be told: the server gives no
/// link, or one that leads elsewhere because the app runs other code by now.
pub async fn is_stored(channel: &Channel, app: &AppId, address: &str) -> Option<bool> {
    let url = link(channel, app).await.ok().flatten()?;
    if !presence::leads_to(&url, address) {
        return None;
    }
    presence::is_there(&channel.network, &url).await
}

/// The signed address of the bundle that an app runs. `None` where the server keeps or offers none.
async fn link(channel: &Channel, app: &AppId) -> Result<Option<String>, RpcError> {
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
    match answer {
        Ok(answer) => Ok(answer.pre_signed_urls.into_option().unwrap_or_default().signed_url.into_iter().next()),
        Err(error) if matches!(error.code, RpcCode::NotFound | RpcCode::Unimplemented) => Ok(None),
        Err(error) => Err(error),
    }
}
