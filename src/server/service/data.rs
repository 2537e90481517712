//! `flyteidl2.dataproxy.DataProxyService`: code bundles only.

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::sync::Arc;

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::dataproxy::{
    ArtifactType, CreateDownloadLinkRequest, CreateDownloadLinkResponse, CreateUploadLocationRequest,
    CreateUploadLocationResponse, DataProxyService, GetActionDataRequest, GetActionDataResponse, PreSignedURLs,
    create_download_link_request,
};

use super::host;
use super::sign::{Grant, Signer, Verb};
use crate::model::LiveApp;
use crate::server::hub::{Hub, HubError};
use crate::server::state::{State, StateError, wire_time};
use crate::server::store::BundlePath;

/// How long a signed address is good where the request does not say, in seconds.
const DEFAULT_EXPIRY: i64 = 900;
/// The longest, in seconds. Source: the open-source server.
const MAX_EXPIRY: i64 = 3600;
/// The most bytes of a file. Source: the open-source server.
const MAX_LENGTH: u64 = 100 << 20;

pub struct Data {
    pub hub: Arc<Hub>,
    pub signer: Arc<Signer>,
}

impl Data {
    /// When an address that is asked for now runs out.
    fn expiry(&self, asked: Option<&buffa_types::google::protobuf::Duration>) -> Result<jiff::Timestamp, ConnectError> {
        let seconds = asked.map_or(DEFAULT_EXPIRY, |asked| asked.seconds);
        if !(1..=MAX_EXPIRY).contains(&seconds) {
            return Err(ConnectError::invalid_argument(format!("expires_in: between 1 s and {MAX_EXPIRY} s")));
        }
        let expires = self.hub.now().checked_add(jiff::SignedDuration::from_secs(seconds));
        expires.map_err(|error| ConnectError::invalid_argument(format!("expires_in: {error}")))
    }
}

impl DataProxyService for Data {
    async fn create_upload_location(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, CreateUploadLocationRequest>,
    ) -> ServiceResult<CreateUploadLocationResponse> {
        let request = request.to_owned_message();
        let md5: Option<[u8; 16]> = match request.content_md5.as_slice() {
            [] => None,
            bytes => {
                let md5 = bytes.try_into();
                Some(md5.map_err(|_| ConnectError::invalid_argument("content_md5: 16 bytes are expected"))?)
            }
        };
        let root = match (&md5, request.filename_root.as_str()) {
            (None, "") => return Err(ConnectError::invalid_argument("filename_root or content_md5 is required")),
            (Some(md5), "") => BundlePath::root_of(md5),
            (_, given) => given.to_owned(),
        };
        let max = u64::try_from(request.content_length).unwrap_or(u64::MAX);
        if max > MAX_LENGTH {
            return Err(ConnectError::invalid_argument(format!("content_length: at most {MAX_LENGTH} bytes")));
        }
        let path = BundlePath::new(&request.project, &request.domain, &root, &request.filename)
            .map_err(|error| ConnectError::invalid_argument(error.to_string()))?;
        let expires = self.expiry(request.expires_in.as_option())?;
        self.hub.store().ensure_project(path.project())?;
        let max = if max == 0 { MAX_LENGTH } else { max };
        let grant = Grant { max, ..Grant::until(expires.as_second()).with_md5(md5) };
        Response::ok(CreateUploadLocationResponse {
            signed_url: self.signer.url(host(&ctx)?, Verb::Put, &path, grant),
            native_url: path.address(),
            expires_at: wire_time(expires).into(),
            ..Default::default()
        })
    }

    async fn create_download_link(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, CreateDownloadLinkRequest>,
    ) -> ServiceResult<CreateDownloadLinkResponse> {
        let request = request.to_owned_message();
        if request.artifact_type != ArtifactType::ARTIFACT_TYPE_CODE_BUNDLE {
            return Err(ConnectError::unimplemented("only code bundles are kept here"));
        }
        let Some(create_download_link_request::Source::AppId(id)) = &request.source else {
            return Err(ConnectError::unimplemented("only code bundles of apps are kept here"));
        };
        let id = State::id(id).map_err(HubError::from)?;
        let record = self.hub.record(&id).ok_or_else(|| HubError::from(StateError::NotFound(id.to_string())))?;
        let live = LiveApp(record.app);
        let path = live.bundle_address().and_then(BundlePath::of_address);
        let path = path.filter(|path| self.hub.store().bundle_file(path).is_file());
        let path = path.ok_or_else(|| ConnectError::not_found(format!("app {id} has no code bundle here")))?;
        let expires = self.expiry(request.expires_in.as_option())?;
        let url = self.signer.url(host(&ctx)?, Verb::Get, &path, Grant::until(expires.as_second()));
        let urls = PreSignedURLs { signed_url: vec![url], expires_at: wire_time(expires).into(), ..Default::default() };
        Response::ok(CreateDownloadLinkResponse { pre_signed_urls: urls.into(), ..Default::default() })
    }

    async fn get_action_data(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, GetActionDataRequest>,
    ) -> ServiceResult<GetActionDataResponse> {
        Err(ConnectError::unimplemented("there are no runs here"))
    }
}
