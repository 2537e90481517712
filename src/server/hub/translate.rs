//! From the spec of an app to the process that stands for it.

use std::collections::BTreeMap;
use std::time::Duration;

use flyte_schema::flyteidl2::app::{Spec, spec};
use flyte_schema::flyteidl2::core::{K8sPod, Secret, secret};
use serde::Deserialize;

use super::fserve;
use crate::model::{AppId, Marks};
use crate::server::runtime::{Entry, ReadyProbe, Workload};
use crate::server::store::{BundlePath, Store};

/// The port of an app that does not say. Source: the SDK's default.
const DEFAULT_PORT: u16 = 8080;
/// Idle time of an app that may scale to zero and does not say after how long.
const DEFAULT_SCALEDOWN: Duration = Duration::from_secs(300);
/// The container of a pod that is the app. Source: the SDK's pod templates.
const APP_CONTAINER: &str = "app";

/// # Errors
/// Says why this cannot run on this machine.
pub fn workload(store: &Store, id: &AppId, revision: u64, spec: &Spec) -> Result<Workload, String> {
    let main = match &spec.app_payload {
        Some(spec::AppPayload::Container(container)) => Main {
            command: container.command.clone(),
            args: container.args.clone(),
            env: container.env.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect(),
            port: container.ports.first().and_then(|port| u16::try_from(port.container_port).ok()),
        },
        Some(spec::AppPayload::Pod(pod)) => of_pod(pod)?,
        None => return Err("it has neither a container nor a pod".to_owned()),
    };
    let entry = match fserve::read(&main.command, &main.args) {
        Some(read) => {
            let fserve::Command { bundle, dest, parameters, args, object } = read?;
            let bundle = bundle.map(|address| match BundlePath::of_address(&address) {
                Some(path) => Ok(store.bundle_file(&path)),
                None => Err(format!("its code lies at `{address}`, which this control plane cannot read")),
            });
            match (bundle.transpose()?, object) {
                (Some(code), Some(fserve::Object { pickled, options })) => {
                    Entry::Object { code, pickled, dest, options }
                }
                (bundle, _) => Entry::Serve { bundle, dest, parameters, args },
            }
        }
        None => {
            let argv: Vec<String> = main.command.into_iter().chain(main.args).collect();
            if argv.is_empty() {
                return Err("it has no command, and images are not used on this machine".to_owned());
            }
            Entry::Direct { argv }
        }
    };
    let ready = match main.env.get(Marks::READY) {
        Some(path) => ReadyProbe::Http(path.clone()),
        None => ReadyProbe::Port,
    };
    let period = &spec.autoscaling.scaledown_period;
    let min_replicas = spec.autoscaling.replicas.min;
    Ok(Workload {
        app: id.clone(),
        revision,
        entry,
        secrets: secrets(&spec.security_context.secrets)?,
        container_port: main.port.unwrap_or(DEFAULT_PORT),
        ready,
        min_replicas,
        scaledown_after: (min_replicas == 0)
            .then(|| period.as_option().and_then(duration).filter(|it| !it.is_zero()).unwrap_or(DEFAULT_SCALEDOWN)),
        request_timeout: spec.timeouts.request_timeout.as_option().and_then(duration).filter(|it| !it.is_zero()),
        env: main.env,
    })
}

/// Adds the variables by which an app finds the control plane and other apps, unless it has them itself.
pub fn tell_platform(workload: &mut Workload, endpoint: &str) {
    let scope = &workload.app.scope;
    let pattern = format!("{endpoint}/apps/{}/{}/{{app_fqdn}}", scope.project, scope.domain);
    let mut told = vec![
        ("INTERNAL_APP_ENDPOINT_PATTERN", pattern),
        ("FLYTE_INTERNAL_EXECUTION_PROJECT", scope.project.clone()),
        ("FLYTE_INTERNAL_EXECUTION_DOMAIN", scope.domain.clone()),
    ];
    if matches!(workload.entry, Entry::Object { .. }) {
        // The SDK would ask the control plane of its user's own configuration.
        told.extend([("_U_EP_OVERRIDE", endpoint.to_owned()), ("_U_INSECURE", "true".to_owned())]);
    }
    for (name, value) in told {
        workload.env.entry(name.to_owned()).or_insert(value);
    }
}

/// What matters of the container that is the app.
struct Main {
    command: Vec<String>,
    args: Vec<String>,
    /// The last value of a name counts, as in Kubernetes.
    env: BTreeMap<String, String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct PodSpec {
    #[serde(default)]
    containers: Vec<PodContainer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodContainer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<PodVariable>,
    #[serde(default)]
    ports: Vec<PodPort>,
}

#[derive(Deserialize)]
struct PodVariable {
    name: String,
    /// Absent where the value comes from elsewhere in the cluster.
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodPort {
    /// A number of JSON: a double.
    container_port: f64,
}

fn of_pod(pod: &K8sPod) -> Result<Main, String> {
    let unreadable = |error: serde_json::Error| format!("its pod cannot be read: {error}");
    let json = serde_json::to_value(&*pod.pod_spec).map_err(unreadable)?;
    let spec: PodSpec = serde_json::from_value(json).map_err(unreadable)?;
    let container = spec.containers.into_iter().find(|container| container.name == APP_CONTAINER);
    let container = container.ok_or_else(|| format!("its pod has no container named `{APP_CONTAINER}`"))?;
    let port = container.ports.first().map(|port| port.container_port);
    Ok(Main {
        command: container.command,
        args: container.args,
        env: container.env.into_iter().filter_map(|variable| Some((variable.name, variable.value?))).collect(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a port")]
        port: port.filter(|port| (1.0..=65535.0).contains(port)).map(|port| port as u16),
    })
}

/// Variable to key. The group is not part of the look-up.
fn secrets(asked: &[Secret]) -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    for secret in asked {
        if secret.env_var.is_empty() && secret.mount_requirement == secret::MountType::FILE {
            return Err(format!("secret `{}` is to be a file, and files are not mounted on this machine", secret.key));
        }
        let variable = match (secret.env_var.as_str(), secret.group.as_str()) {
            ("", "") => secret.key.to_uppercase().replace('-', "_"),
            ("", group) => format!("{group}_{}", secret.key).to_uppercase().replace('-', "_"),
            (given, _) => given.to_owned(),
        };
        variables.insert(variable, secret.key.clone());
    }
    Ok(variables)
}

fn duration(period: &buffa_types::google::protobuf::Duration) -> Option<Duration> {
    Some(Duration::new(u64::try_from(period.seconds).ok()?, u32::try_from(period.nanos).ok()?))
}
