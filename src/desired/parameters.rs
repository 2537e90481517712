//! The inputs of an app: what the control plane is told, and what `fserve` is told.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flyte_schema::flyteidl2::app::{Input, InputList, input};
use flyte_schema::flyteidl2::core::{ArtifactKey, ArtifactVersionId};
use serde::Serialize;

use super::LowerError;
use crate::bundle::gzip::gzip;
use crate::model::parameter::{ArtifactVersion, Parameter, ParameterKind, ParameterValue, Resolved};
use crate::model::{App, AppName, EnvValue};

/// An input with its value known.
pub struct Known<'a> {
    name: &'a str,
    /// As the control plane shows it: an endpoint by the name of its app.
    shown: &'a str,
    artifact: Option<&'a ArtifactVersion>,
    transported: Transported<'a>,
}

/// As `fserve` reads it.
#[derive(Serialize)]
struct Transported<'a> {
    name: &'a str,
    value: String,
    download: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    env_var: Option<&'a str>,
    dest: Option<&'a str>,
    ignore_patterns: &'a [String],
}

/// The value of an endpoint, as JSON text inside JSON.
#[derive(Serialize)]
struct Endpoint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    app_name: &'a str,
    public: bool,
}

/// The parameters in their order, then the endpoints among the variables.
///
/// # Errors
/// [`LowerError::Unresolved`] where nobody has looked up a value.
pub fn known<'a>(app: &'a App, resolved: &'a BTreeMap<String, Resolved>) -> Result<Vec<Known<'a>>, LowerError> {
    let declared = app.parameters.iter().map(|parameter| {
        let resolved = resolved.get(&parameter.name);
        of_parameter(parameter, resolved)
            .ok_or_else(|| LowerError::Unresolved { app: app.name.clone(), parameter: parameter.name.clone() })
    });
    let endpoints = app.env.iter().filter_map(|(name, value)| match value {
        EnvValue::Endpoint { app, public } => Some(Ok(of_variable(name, app, *public))),
        EnvValue::Text(_) => None,
    });
    declared.chain(endpoints).collect()
}

fn of_parameter<'a>(parameter: &'a Parameter, resolved: Option<&'a Resolved>) -> Option<Known<'a>> {
    let mut artifact = None;
    let (own_kind, shown, value) = match &parameter.value {
        ParameterValue::Text(text) => (ParameterKind::Text, text.as_str(), text.clone()),
        ParameterValue::File(address) => (ParameterKind::File, address.as_str(), address.clone()),
        ParameterValue::Directory(address) => (ParameterKind::Directory, address.as_str(), address.clone()),
        ParameterValue::Endpoint { app, public } => (ParameterKind::Endpoint, app.as_str(), endpoint(app, *public)),
        ParameterValue::RunOutput(_) | ParameterValue::Artifact(_) => {
            let resolved = resolved?;
            artifact = resolved.artifact();
            (resolved.kind, resolved.value.as_str(), resolved.value.clone())
        }
    };
    let kind = parameter.kind.unwrap_or(own_kind);
    // A mount is where something is fetched to. A text that was declared to be a file is not fetched without.
    let download =
        if kind.is_fetched() && parameter.mount.is_some() { true } else { own_kind.is_fetched() && parameter.download };
    let transported = Transported {
        name: &parameter.name,
        value,
        download,
        kind: kind.as_str(),
        env_var: parameter.env.as_deref(),
        dest: parameter.mount.as_deref(),
        ignore_patterns: &parameter.ignore_patterns,
    };
    Some(Known { name: &parameter.name, shown, artifact, transported })
}

fn of_variable<'a>(name: &'a str, app: &'a AppName, public: bool) -> Known<'a> {
    let transported = Transported {
        name,
        value: endpoint(app, public),
        download: false,
        kind: ParameterKind::Endpoint.as_str(),
        env_var: Some(name),
        dest: None,
        ignore_patterns: &[],
    };
    Known { name, shown: app.as_str(), artifact: None, transported }
}

fn endpoint(app: &AppName, public: bool) -> String {
    let value = Endpoint { kind: "string", app_name: app.as_str(), public };
    serde_json::to_string(&value).expect("plain data has a JSON form")
}

/// What the control plane is told.
pub fn inputs(parameters: &[Known<'_>]) -> InputList {
    let item = |known: &Known<'_>| Input {
        name: known.name.to_owned(),
        value: Some(match known.artifact {
            Some(artifact) => artifact_id(artifact).into(),
            None => input::Value::StringValue(known.shown.to_owned()),
        }),
        ..Default::default()
    };
    InputList { items: parameters.iter().map(item).collect(), ..Default::default() }
}

fn artifact_id(artifact: &ArtifactVersion) -> ArtifactVersionId {
    let key = ArtifactKey {
        org: artifact.org.clone(),
        project: artifact.project.clone(),
        domain: artifact.domain.clone(),
        name: artifact.name.clone(),
        ..Default::default()
    };
    ArtifactVersionId { key: key.into(), version: artifact.version.clone(), ..Default::default() }
}

/// What `fserve` is told. `None` without parameters.
pub fn transport(parameters: &[Known<'_>]) -> Option<String> {
    #[derive(Serialize)]
    struct Parameters<'a> {
        parameters: Vec<&'a Transported<'a>>,
    }
    if parameters.is_empty() {
        return None;
    }
    let all = Parameters { parameters: parameters.iter().map(|known| &known.transported).collect() };
    let json = serde_json::to_vec(&all).expect("plain data has a JSON form");
    Some(STANDARD.encode(gzip(&json).expect("writing to memory does not fail")))
}
