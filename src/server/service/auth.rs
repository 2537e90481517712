//! `flyteidl2.auth.AuthMetadataService` and `flyteidl2.auth.IdentityService`: everyone on this machine is the same user.

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::auth::{
    AuthMetadataService, GetOAuth2MetadataRequest, GetOAuth2MetadataResponse, GetPublicClientConfigRequest,
    GetPublicClientConfigResponse, IdentityService, UserInfoRequest, UserInfoResponse,
};

use crate::server::state::SUBJECT;

pub struct AuthMetadata;

impl AuthMetadataService for AuthMetadata {
    async fn get_o_auth2_metadata(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, GetOAuth2MetadataRequest>,
    ) -> ServiceResult<GetOAuth2MetadataResponse> {
        Err(ConnectError::unimplemented("this server asks for no log-in"))
    }

    async fn get_public_client_config(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, GetPublicClientConfigRequest>,
    ) -> ServiceResult<GetPublicClientConfigResponse> {
        Err(ConnectError::unimplemented("this server asks for no log-in"))
    }
}

pub struct Identity;

impl IdentityService for Identity {
    async fn user_info(
        &self,
        _: RequestContext,
        _: ServiceRequest<'_, UserInfoRequest>,
    ) -> ServiceResult<UserInfoResponse> {
        Response::ok(UserInfoResponse {
            subject: SUBJECT.to_owned(),
            name: "The user of this machine".to_owned(),
            preferred_username: SUBJECT.to_owned(),
            ..Default::default()
        })
    }
}
