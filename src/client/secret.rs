//! Secrets of a control plane: names are read, values are only written.

use std::collections::BTreeSet;

use flyte_schema::flyteidl2::cluster::select_cluster_request::{Operation, Resource};
use flyte_schema::flyteidl2::common::{DomainIdentifier, OrgIdentifier};
use flyte_schema::flyteidl2::secret::{
    CreateSecretRequest, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, SecretIdentifier, SecretSpec,
    UpdateSecretRequest, secret_spec,
};
use futures::{StreamExt, TryStreamExt};

use super::call::{Kind, call};
use super::pages::Pages;
use super::transport::Channel;
use super::{Client, project_identifier};
use crate::model::Scope;
use crate::port::{Delivery, RpcCode, RpcError};

/// Secrets asked for at once.
const AT_ONCE: usize = 8;

/// A secret on a control plane: its name and whom it is for. An empty project or domain stands for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName {
    pub scope: Scope,
    pub name: String,
}

impl Client {
    /// Creates a secret, or gives an existing one a new value.
    ///
    /// # Errors
    /// As the server refuses it.
    pub async fn set_secret(&self, scope: &Scope, name: &str, value: &str) -> Result<(), RpcError> {
        let channel = self.secret_channel(scope).await?;
        let secrets = channel.secrets();
        let spec = SecretSpec { value: Some(secret_spec::Value::StringValue(value.to_owned())), ..Default::default() };
        let id = identifier(scope, name);
        let request =
            CreateSecretRequest { id: id.clone().into(), secret_spec: spec.clone().into(), ..Default::default() };
        let created = call(&channel, "SecretService/CreateSecret", Kind::Write, |options| {
            let (secrets, request) = (secrets.clone(), request.clone());
            async move { secrets.create_secret_with_options(request, options).await.map(drop) }
        })
        .await;
        if !matches!(&created, Err(error) if error.code == RpcCode::AlreadyExists) {
            return created;
        }
        let request = UpdateSecretRequest { id: id.into(), secret_spec: spec.into(), ..Default::default() };
        call(&channel, "SecretService/UpdateSecret", Kind::Write, |options| {
            let (secrets, request) = (secrets.clone(), request.clone());
            async move { secrets.update_secret_with_options(request, options).await.map(drop) }
        })
        .await
    }

    /// The secrets of exactly this scope, by name.
    ///
    /// # Errors
    /// As the server refuses it.
    pub async fn list_secrets(&self, scope: &Scope) -> Result<Vec<SecretName>, RpcError> {
        let channel = self.secret_channel(scope).await?;
        let secrets = channel.secrets();
        let mut names = Vec::new();
        let method = "SecretService/ListSecrets";
        let (mut pages, mut token) = (Pages::of(method), String::new());
        loop {
            let request = ListSecretsRequest {
                organization: scope.org.clone(),
                project: scope.project.clone(),
                domain: scope.domain.clone(),
                limit: 100,
                token: token.clone(),
                ..Default::default()
            };
            let page = call(&channel, method, Kind::Read, |options| {
                let (secrets, request) = (secrets.clone(), request.clone());
                async move { Ok(secrets.list_secrets_with_options(request, options).await?.into_owned()) }
            })
            .await?;
            names.extend(page.secrets.into_iter().map(|secret| SecretName {
                scope: Scope {
                    org: secret.id.organization.clone(),
                    project: secret.id.project.clone(),
                    domain: secret.id.domain.clone(),
                },
                name: secret.id.name.clone(),
            }));
            match pages.next(page.token)? {
                Some(next) => token = next,
                None => break,
            }
        }
        names.sort();
        Ok(names)
    }

    /// # Errors
    /// `not_found` where there is none of this name in exactly this scope.
    pub async fn delete_secret(&self, scope: &Scope, name: &str) -> Result<(), RpcError> {
        let channel = self.secret_channel(scope).await?;
        let secrets = channel.secrets();
        let request = DeleteSecretRequest { id: identifier(scope, name).into(), ..Default::default() };
        call(&channel, "SecretService/DeleteSecret", Kind::Write, |options| {
            let (secrets, request) = (secrets.clone(), request.clone());
            async move { secrets.delete_secret_with_options(request, options).await.map(drop) }
        })
        .await
    }

    async fn secret_channel(&self, scope: &Scope) -> Result<Channel, RpcError> {
        let resource: Resource = if !scope.project.is_empty() && !scope.domain.is_empty() {
            project_identifier(scope).into()
        } else if scope.domain.is_empty() {
            OrgIdentifier { name: scope.org.clone(), ..Default::default() }.into()
        } else {
            let (organization, name) = (scope.org.clone(), scope.domain.clone());
            DomainIdentifier { organization, name, ..Default::default() }.into()
        };
        self.select(Operation::OPERATION_USE_SECRETS, resource).await
    }
}

/// Which of these secrets there are for exactly this scope. Their values are not asked for.
pub async fn find(client: &Client, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
    let channel = client.secret_channel(scope).await?;
    let secrets = channel.secrets();
    let one = |name: &String| {
        let (channel, secrets, name) = (channel.clone(), secrets.clone(), name.clone());
        let request = GetSecretRequest { id: identifier(scope, &name).into(), ..Default::default() };
        async move {
            let answer = call(&channel, "SecretService/GetSecret", Kind::Read, |options| {
                let (secrets, request) = (secrets.clone(), request.clone());
                async move { secrets.get_secret_with_options(request, options).await.map(drop) }
            })
            .await;
            match answer {
                Ok(()) => Ok(Some(name)),
                Err(error) if error.code == RpcCode::NotFound && error.delivery == Delivery::Answered => Ok(None),
                Err(error) => Err(error),
            }
        }
    };
    let found = futures::stream::iter(names.iter().map(one)).buffer_unordered(AT_ONCE);
    let found: Vec<Option<String>> = found.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn identifier(scope: &Scope, name: &str) -> SecretIdentifier {
    SecretIdentifier {
        name: name.to_owned(),
        organization: scope.org.clone(),
        project: scope.project.clone(),
        domain: scope.domain.clone(),
        ..Default::default()
    }
}
