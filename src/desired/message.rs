//! The wire message of one app, without marks.

use std::collections::BTreeMap;

use buffa::MessageField;
use buffa_types::google::protobuf::Duration;
use flyte_schema::flyteidl2::app::{
    App as Message, AutoscalingConfig, Concurrency, IngressConfig, Link, Meta, Profile, Replicas, RequestRate,
    ScalingMetric, SecurityContext, Spec, TimeoutConfig, spec::DesiredState,
};
use flyte_schema::flyteidl2::common::{RuntimeMetadata, runtime_metadata::RuntimeType};
use flyte_schema::flyteidl2::core::{Container, ContainerPort, Identity, KeyValuePair, Secret, secret::MountType};
use flyte_schema::flyteidl2::task::SourceCode;
use sha2::{Digest as _, Sha256};

use super::command::{arguments, fserve};
use super::{LowerError, parameters, pod, resources};
use crate::bundle::Bundle;
use crate::model::parameter::Resolved;
use crate::model::{
    Activation, App, CodeBundle, DomainSuffix, EnvValue, Ingress, Marks, Metric, Placement, Scaling, Scope, SecretRef,
    SecretTarget, Subdomain, spec::identifier,
};

/// What a message is made from beside the app itself.
pub struct Context<'a> {
    pub scope: &'a Scope,
    pub bundle: Option<&'a Bundle>,
    pub source_link: Option<&'a str>,
    pub resolved: &'a BTreeMap<String, Resolved>,
}

impl Context<'_> {
    /// The code at its address, or at what stands for that until it is sent.
    fn code(&self, app: &App) -> Option<CodeBundle> {
        let packed = |bundle: &Bundle| CodeBundle { uri: bundle.digest.placeholder(), pickled: false };
        app.code_bundle.clone().or_else(|| self.bundle.map(packed))
    }
}

pub fn message(context: &Context<'_>, app: &App) -> Result<Message, LowerError> {
    let link = context.source_link.map(|link| SourceCode { link: link.to_owned(), ..Default::default() });
    let metadata = Meta {
        id: identifier(&context.scope.app(&app.name)).into(),
        // Of archives only. Source: the published SDK.
        code_bundle_uri: context.code(app).filter(|code| !code.pickled).map(|code| code.uri).unwrap_or_default(),
        source_code: link.into(),
        ..Default::default()
    };
    let state = match app.activation {
        Activation::Auto => DesiredState::DESIRED_STATE_ACTIVE,
        Activation::Manual => DesiredState::DESIRED_STATE_STOPPED,
    };
    let parameters = parameters::known(app, context.resolved)?;
    let container = container(context, app, parameters::transport(&parameters).as_deref())?;
    let spec = Spec {
        app_payload: Some(match &app.pod_template {
            Some(template) => pod::payload(template, &container).into(),
            None => container.into(),
        }),
        autoscaling: autoscaling(&app.scaling).into(),
        // Present even when empty: the SDK insists on it in what it reads.
        ingress: ingress(&app.ingress, context.scope).into(),
        desired_state: state.into(),
        cluster: app.placement.cluster.clone().unwrap_or_default(),
        cluster_pool: cluster_pool(&app.placement),
        security_context: security_context(app).into(),
        extended_resources: resources::extended(&app.resources).into(),
        runtime_metadata: MessageField::some(RuntimeMetadata {
            r#type: RuntimeType::OTHER.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            flavor: "rust".to_owned(),
            ..Default::default()
        }),
        profile: MessageField::some(Profile {
            r#type: app.kind.clone().unwrap_or_default(),
            short_description: app.description.clone().unwrap_or_default(),
            ..Default::default()
        }),
        inputs: MessageField::some(parameters::inputs(&parameters)),
        links: app.links.iter().map(link_message).collect(),
        timeouts: timeouts(app).into(),
        ..Default::default()
    };
    Ok(Message { metadata: metadata.into(), spec: spec.into(), ..Default::default() })
}

fn container(context: &Context<'_>, app: &App, parameters: Option<&str>) -> Result<Container, LowerError> {
    let (command, args) = match &app.command {
        Some(command) => (command.clone(), app.args.clone()),
        None => (fserve(context.scope, app, context.code(app).as_ref(), parameters), arguments(app)?),
    };
    let pair =
        |key: &str, value: &str| KeyValuePair { key: key.to_owned(), value: value.to_owned(), ..Default::default() };
    let mut env: Vec<KeyValuePair> = app
        .env
        .iter()
        .filter_map(|(name, value)| match value {
            EnvValue::Text(text) => Some(pair(name, text)),
            EnvValue::Endpoint { .. } => None,
        })
        .collect();
    let markers = resources::markers(&app.resources, &env);
    env.extend(markers.into_iter().map(|(name, value)| pair(name, value)));
    env.extend(app.ready.http.as_ref().map(|path| pair(Marks::READY, path)));
    if let (Some(_), Some(bundle)) = (&app.command, context.bundle) {
        env.push(pair(Marks::BUNDLE, &bundle.digest.0.to_string()));
    }
    Ok(Container {
        image: app.image.clone().unwrap_or_default(),
        command,
        args,
        resources: resources::container(&app.resources).into(),
        env,
        ports: vec![ContainerPort {
            container_port: app.port.number.into(),
            name: app.port.name.clone().unwrap_or_default(),
            ..Default::default()
        }],
        ..Default::default()
    })
}

fn ingress(ingress: &Ingress, scope: &Scope) -> IngressConfig {
    let subdomain = match &ingress.subdomain {
        Some(Subdomain::Text(text)) => text.clone(),
        Some(Subdomain::Named { prefix, suffix: DomainSuffix::Full }) => {
            format!("{prefix}-{}-{}", scope.project, scope.domain)
        }
        Some(Subdomain::Named { prefix, suffix: DomainSuffix::Hash }) => {
            let hash = Sha256::digest(format!("{}-{}", scope.project, scope.domain));
            let hex: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{prefix}-{hex}")
        }
        None => String::new(),
    };
    IngressConfig {
        private: ingress.private,
        subdomain,
        cname: ingress.custom_domain.clone().unwrap_or_default(),
        ..Default::default()
    }
}

/// A cluster that is named leaves no choice to a pool.
fn cluster_pool(placement: &Placement) -> String {
    match &placement.cluster {
        Some(_) => String::new(),
        None => placement.pool.clone().unwrap_or_else(|| "default".to_owned()),
    }
}

fn autoscaling(scaling: &Scaling) -> AutoscalingConfig {
    let metric = |metric| match metric {
        Metric::Concurrency(target_value) => Concurrency { target_value, ..Default::default() }.into(),
        Metric::RequestRate(target_value) => RequestRate { target_value, ..Default::default() }.into(),
    };
    AutoscalingConfig {
        replicas: MessageField::some(Replicas { min: scaling.min, max: scaling.max, ..Default::default() }),
        // Zero is not sent, as in the SDK.
        scaledown_period: scaling.scaledown_after.filter(|after| !after.is_zero()).map(Duration::from).into(),
        scaling_metric: scaling
            .metric
            .map(|chosen| ScalingMetric { metric: Some(metric(chosen)), ..Default::default() })
            .into(),
        ..Default::default()
    }
}

/// Absent where nothing is said: of secrets (not even that there are none), of an account, and authentication is on.
fn security_context(app: &App) -> Option<SecurityContext> {
    let runs_as = app.secrets.is_some() || app.service_account.is_some();
    (runs_as || !app.requires_auth).then(|| SecurityContext {
        run_as: runs_as
            .then(|| Identity {
                k8s_service_account: app.service_account.clone().unwrap_or_default(),
                ..Default::default()
            })
            .into(),
        secrets: app.secrets.iter().flatten().map(secret).collect(),
        allow_anonymous: !app.requires_auth,
        ..Default::default()
    })
}

fn secret(secret: &SecretRef) -> Secret {
    let (mount, variable) = match &secret.target {
        SecretTarget::Variable(name) => (MountType::ENV_VAR, name.clone()),
        SecretTarget::File => (MountType::FILE, String::new()),
    };
    Secret {
        group: secret.group.clone().unwrap_or_default(),
        key: secret.key.clone(),
        mount_requirement: mount.into(),
        env_var: variable,
        ..Default::default()
    }
}

fn link_message(link: &crate::model::Link) -> Link {
    Link { path: link.path.clone(), title: link.title.clone(), is_relative: link.is_relative, ..Default::default() }
}

fn timeouts(app: &App) -> Option<TimeoutConfig> {
    let request = app.timeouts.request?;
    Some(TimeoutConfig { request_timeout: Duration::from(request).into(), ..Default::default() })
}
