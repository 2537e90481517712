//! The wire message of one app, without marks.

use buffa::MessageField;
use buffa_types::google::protobuf::Duration;
use flyte_schema::flyteidl2::app::{
    App as Message, AutoscalingConfig, Concurrency, IngressConfig, Input, InputList, Link, Meta, Profile, Replicas,
    RequestRate, ScalingMetric, SecurityContext, Spec, TimeoutConfig, spec::DesiredState,
};
use flyte_schema::flyteidl2::common::{RuntimeMetadata, runtime_metadata::RuntimeType};
use flyte_schema::flyteidl2::core::{Container, ContainerPort, Identity, KeyValuePair, Secret, secret::MountType};

use super::LowerError;
use super::command::{arguments, endpoints, fserve};
use crate::bundle::Bundle;
use crate::model::{Activation, App, EnvValue, Marks, Metric, Scaling, spec::identifier};
use crate::resolve::Project;

pub fn message(project: &Project, app: &App, bundle: Option<&Bundle>) -> Result<Message, LowerError> {
    let metadata = Meta {
        id: identifier(&project.scope.app(&app.name)).into(),
        code_bundle_uri: bundle.map(|bundle| bundle.digest.placeholder()).unwrap_or_default(),
        ..Default::default()
    };
    let state = match app.activation {
        Activation::Auto => DesiredState::DESIRED_STATE_ACTIVE,
        Activation::Manual => DesiredState::DESIRED_STATE_STOPPED,
    };
    let spec = Spec {
        app_payload: Some(container(project, app, bundle)?.into()),
        autoscaling: autoscaling(&app.scaling).into(),
        // Present even when empty: the SDK insists on it in what it reads.
        ingress: IngressConfig::default().into(),
        desired_state: state.into(),
        cluster_pool: "default".to_owned(),
        security_context: security_context(app).into(),
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
        inputs: MessageField::some(inputs(app)),
        links: app.links.iter().map(link).collect(),
        timeouts: timeouts(app).into(),
        ..Default::default()
    };
    Ok(Message { metadata: metadata.into(), spec: spec.into(), ..Default::default() })
}

fn container(project: &Project, app: &App, bundle: Option<&Bundle>) -> Result<Container, LowerError> {
    let (command, args) = match &app.command {
        Some(command) => (command.clone(), app.args.clone()),
        None => (fserve(&project.scope, app, bundle.map(|bundle| bundle.digest)), arguments(app)?),
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
    env.extend(app.ready.http.as_ref().map(|path| pair(Marks::READY, path)));
    if let (Some(_), Some(bundle)) = (&app.command, bundle) {
        env.push(pair(Marks::BUNDLE, &bundle.digest.0.to_string()));
    }
    Ok(Container {
        image: app.image.clone().unwrap_or_default(),
        command,
        args,
        env,
        ports: vec![ContainerPort {
            container_port: app.port.number.into(),
            name: app.port.name.clone().unwrap_or_default(),
            ..Default::default()
        }],
        ..Default::default()
    })
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

/// Absent where there is nothing to say: no secrets, and authentication on.
fn security_context(app: &App) -> Option<SecurityContext> {
    let secrets: Vec<Secret> = app
        .secrets
        .iter()
        .map(|secret| Secret {
            group: secret.group.clone().unwrap_or_default(),
            key: secret.key.clone(),
            mount_requirement: MountType::ENV_VAR.into(),
            env_var: secret.env.clone(),
            ..Default::default()
        })
        .collect();
    (!secrets.is_empty() || !app.requires_auth).then(|| SecurityContext {
        run_as: (!secrets.is_empty()).then(Identity::default).into(),
        secrets,
        allow_anonymous: !app.requires_auth,
        ..Default::default()
    })
}

fn inputs(app: &App) -> InputList {
    let item = |(name, to, _): (&str, &crate::model::AppName, bool)| Input {
        name: name.to_owned(),
        value: Some(flyte_schema::flyteidl2::app::input::Value::StringValue(to.to_string())),
        ..Default::default()
    };
    InputList { items: endpoints(app).map(item).collect(), ..Default::default() }
}

fn link(link: &crate::model::Link) -> Link {
    Link { path: link.path.clone(), title: link.title.clone(), is_relative: link.is_relative, ..Default::default() }
}

fn timeouts(app: &App) -> Option<TimeoutConfig> {
    let request = app.timeouts.request?;
    Some(TimeoutConfig { request_timeout: Duration::from(request).into(), ..Default::default() })
}
