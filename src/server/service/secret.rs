//! `flyteidl2.secret.SecretService`: values come in and are never told.

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::sync::Arc;

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::secret::{
    CreateSecretRequest, CreateSecretResponse, DeleteSecretRequest, DeleteSecretResponse, GetSecretRequest,
    GetSecretResponse, ListSecretsRequest, ListSecretsResponse, OverallStatus, Secret, SecretIdentifier,
    SecretMetadata, SecretService, SecretSpec, SecretStatus, UpdateSecretRequest, UpdateSecretResponse, secret_spec,
};

use crate::model::{SECRET_NAME, is_of_secret_name};
use crate::server::hub::Hub;
use crate::server::state::wire_time;
use crate::server::store::{SecretKey, StoredSecret};

/// Secrets on a page where the request does not say.
const DEFAULT_LIMIT: usize = 100;

pub struct Secrets(pub Arc<Hub>);

fn key(id: Option<SecretIdentifier>) -> Result<SecretKey, ConnectError> {
    let id = id.ok_or_else(|| ConnectError::invalid_argument("id is required"))?;
    // Flyte's own service refuses `.`, but an app may ask for a key that has one, and then it must be possible to keep it.
    if id.name.is_empty() || !id.name.chars().all(is_of_secret_name) {
        return Err(ConnectError::invalid_argument(format!("id.name: {SECRET_NAME} are allowed")));
    }
    check_scope(&id.project, &id.domain)?;
    Ok(SecretKey { project: id.project, domain: id.domain, name: id.name })
}

fn check_scope(project: &str, domain: &str) -> Result<(), ConnectError> {
    if domain.is_empty() && !project.is_empty() {
        return Err(ConnectError::invalid_argument("a project needs a domain"));
    }
    Ok(())
}

fn value(spec: Option<SecretSpec>) -> Result<Vec<u8>, ConnectError> {
    match spec.and_then(|spec| spec.value) {
        Some(secret_spec::Value::StringValue(text)) => Ok(text.into_bytes()),
        Some(secret_spec::Value::BinaryValue(bytes)) => Ok(bytes),
        None => Err(ConnectError::invalid_argument("secret_spec.value is required")),
    }
}

fn not_found(key: &SecretKey) -> ConnectError {
    ConnectError::not_found(format!("secret {} not found", key.name))
}

fn described(secret: StoredSecret) -> Secret {
    let StoredSecret { key, created } = secret;
    let id = SecretIdentifier { name: key.name, project: key.project, domain: key.domain, ..Default::default() };
    let status = SecretStatus { overall_status: OverallStatus::FULLY_PRESENT.into(), ..Default::default() };
    let metadata =
        SecretMetadata { created_time: wire_time(created).into(), secret_status: status.into(), ..Default::default() };
    Secret { id: id.into(), secret_metadata: metadata.into(), ..Default::default() }
}

impl SecretService for Secrets {
    async fn create_secret(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, CreateSecretRequest>,
    ) -> ServiceResult<CreateSecretResponse> {
        let request = request.to_owned_message();
        let key = key(request.id.into_option())?;
        let value = value(request.secret_spec.into_option())?;
        if !self.0.store().create_secret(&key, &value, self.0.now())? {
            return Err(ConnectError::already_exists(format!("secret {} already exists", key.name)));
        }
        Response::ok(CreateSecretResponse::default())
    }

    async fn update_secret(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, UpdateSecretRequest>,
    ) -> ServiceResult<UpdateSecretResponse> {
        let request = request.to_owned_message();
        let key = key(request.id.into_option())?;
        let value = value(request.secret_spec.into_option())?;
        if !self.0.store().update_secret(&key, &value)? {
            return Err(not_found(&key));
        }
        Response::ok(UpdateSecretResponse::default())
    }

    async fn get_secret(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, GetSecretRequest>,
    ) -> ServiceResult<GetSecretResponse> {
        let key = key(request.to_owned_message().id.into_option())?;
        let secret = self.0.store().secret(&key)?.ok_or_else(|| not_found(&key))?;
        Response::ok(GetSecretResponse { secret: described(secret).into(), ..Default::default() })
    }

    async fn delete_secret(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, DeleteSecretRequest>,
    ) -> ServiceResult<DeleteSecretResponse> {
        let key = key(request.to_owned_message().id.into_option())?;
        if !self.0.store().delete_secret(&key)? {
            return Err(not_found(&key));
        }
        Response::ok(DeleteSecretResponse::default())
    }

    async fn list_secrets(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, ListSecretsRequest>,
    ) -> ServiceResult<ListSecretsResponse> {
        check_scope(request.project, request.domain)?;
        let mut secrets = self.0.store().secrets(request.project, request.domain)?;
        // The token is the last secret of the page before.
        secrets.retain(|secret| secret.key.name.as_str() > request.token);
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT);
        let more = secrets.len() > limit;
        secrets.truncate(limit);
        let token = secrets.last().filter(|_| more).map(|secret| secret.key.name.clone()).unwrap_or_default();
        let secrets = secrets.into_iter().map(described).collect();
        Response::ok(ListSecretsResponse { secrets, token, ..Default::default() })
    }
}
