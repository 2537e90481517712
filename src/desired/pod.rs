//! A pod around the app's container.
//!
//! Source: the published SDK, whose merge this is to the letter: the container's image only where the template has
//! none, its command and arguments always, its variables and ports before the template's, its resources over them.

use flyte_schema::flyteidl2::core::resources::ResourceEntry;
use flyte_schema::flyteidl2::core::{Container, K8sObjectMetadata, K8sPod};
use serde_json::{Map, Value, json};

use crate::model::pod::{APP_CONTAINER, PodTemplate};

pub fn payload(template: &PodTemplate, container: &Container) -> K8sPod {
    let mut spec = template.spec.clone();
    let containers = spec.get_mut("containers").and_then(Value::as_array_mut);
    let app =
        containers.into_iter().flatten().filter_map(Value::as_object_mut).find(|app| app["name"] == APP_CONTAINER);
    if let Some(app) = app {
        merge(app, container);
    }
    let metadata = K8sObjectMetadata {
        labels: template.labels.clone(),
        annotations: template.annotations.clone(),
        ..Default::default()
    };
    let spec: buffa_types::google::protobuf::Struct =
        serde_json::from_value(Value::Object(spec)).expect("every JSON object is a Struct");
    K8sPod { metadata: metadata.into(), pod_spec: spec.into(), ..Default::default() }
}

fn merge(app: &mut Map<String, Value>, container: &Container) {
    if app.get("image").and_then(Value::as_str).is_none_or(str::is_empty) && !container.image.is_empty() {
        app.insert("image".to_owned(), json!(container.image));
    }
    app.insert("command".to_owned(), json!(container.command));
    app.insert("args".to_owned(), json!(container.args));
    let env = container.env.iter().map(|pair| json!({ "name": pair.key, "value": pair.value }));
    before(app, "env", env.collect());
    let ports = container.ports.iter().map(|port| {
        let mut object = json!({ "containerPort": port.container_port });
        if !port.name.is_empty() {
            object["name"] = json!(port.name);
        }
        object
    });
    before(app, "ports", ports.collect());
    if container.resources.is_set() {
        let resources = app.entry("resources").or_insert_with(|| json!({}));
        for (member, entries) in [("requests", &container.resources.requests), ("limits", &container.resources.limits)]
        {
            if !resources[member].is_object() {
                resources[member] = json!({});
            }
            for entry in entries {
                resources[member][resource_name(entry)] = json!(entry.value);
            }
        }
    }
}

/// Puts items in front of a list's own.
fn before(app: &mut Map<String, Value>, member: &str, mut items: Vec<Value>) {
    if let Some(Value::Array(own)) = app.get_mut(member) {
        items.append(own);
    }
    if !items.is_empty() {
        app.insert(member.to_owned(), Value::Array(items));
    }
}

/// As a pod calls it: `EPHEMERAL_STORAGE` is `ephemeral-storage`. A count of GPUs becomes `gpu`, as with the SDK: which
/// device it is stands in the extended resources, and the control plane finds the name the cluster has for it.
fn resource_name(entry: &ResourceEntry) -> String {
    entry.name.to_string().to_ascii_lowercase().replace('_', "-")
}
