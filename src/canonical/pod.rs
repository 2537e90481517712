//! Pods in the form of comparison: the app's container as if it were not in a pod, and the rest by name.

use serde_json::{Map, Value, json};

use super::order::{STANDS_BEFORE, mark_variables, of_containers};
use super::rules::{by_name, each, last, text};
use crate::model::{pod::APP_CONTAINER, quantity};

/// Takes what a container message has a field for out of the pod's app container, and puts it under `container`.
/// Containers and their variables become objects by name; the order of containers stands beside them.
pub fn lift(spec: &mut Map<String, Value>) {
    let mut lifted = Map::new();
    let Some(pod_spec) = spec.get_mut("pod").and_then(|pod| pod.get_mut("pod_spec")) else { return };
    let order = of_containers(pod_spec, APP_CONTAINER);
    for member in ["containers", "initContainers"] {
        let Some(list) = pod_spec.get_mut(member) else { continue };
        let Value::Array(containers) = list else { continue };
        for container in containers.iter_mut() {
            if let Some(Value::Array(env)) = container.get_mut("env") {
                mark_variables(env, "name");
            }
        }
        if member == "containers" {
            let app = containers.iter_mut().filter_map(Value::as_object_mut).find(|app| is_app(app));
            lifted = app.map(container).unwrap_or_default();
        }
        containers.iter_mut().for_each(tidy);
        *list = Value::Object(each(containers.iter().map(by_name).collect()));
    }
    sort(pod_spec);
    if let Some(Value::Object(pod)) = spec.get_mut("pod")
        && !order.is_empty()
    {
        pod.insert("order".to_owned(), Value::Object(order));
    }
    if !lifted.is_empty() {
        spec.insert("container".to_owned(), Value::Object(lifted));
    }
}

fn is_app(container: &Map<String, Value>) -> bool {
    container.get("name").is_some_and(|name| name == APP_CONTAINER)
}

/// The members of a container message, taken out.
fn container(app: &mut Map<String, Value>) -> Map<String, Value> {
    let mut message = Map::new();
    for member in ["image", "command", "args"] {
        if let Some(value) = app.shift_remove(member).filter(|value| *value != json!([])) {
            message.insert(member.to_owned(), value);
        }
    }
    if let Some(Value::Array(env)) = app.get_mut("env") {
        let is_plain = |variable: &Value| variable.get("value").is_some_and(Value::is_string);
        let plain: Vec<Value> = env
            .iter()
            .filter(|variable| is_plain(variable))
            .map(|variable| {
                let mut pair = json!({ "key": text(variable, "name"), "value": text(variable, "value") });
                if let Some(later) = variable.get(STANDS_BEFORE) {
                    pair[STANDS_BEFORE] = later.clone();
                }
                pair
            })
            .collect();
        env.retain(|variable| !is_plain(variable));
        message.insert("env".to_owned(), plain.into());
    }
    if let Some(Value::Array(ports)) = app.get("ports")
        && ports.iter().all(is_plain_port)
    {
        let port = |port: &Value| {
            let mut message = json!({ "container_port": port["containerPort"].as_f64().unwrap_or_default() as u64 });
            if let Some(name) = port.get("name") {
                message["name"] = name.clone();
            }
            message
        };
        message.insert("ports".to_owned(), ports.iter().map(port).collect());
        app.shift_remove("ports");
    }
    if let Some(resources) = app.get_mut("resources").and_then(Value::as_object_mut) {
        message.insert("resources".to_owned(), Value::Object(amounts(resources)));
    }
    for member in ["env", "resources"] {
        if app.get(member).is_some_and(|value| *value == json!([]) || *value == json!({})) {
            app.shift_remove(member);
        }
    }
    message
}

/// Whether a container message can say as much.
fn is_plain_port(port: &Value) -> bool {
    port.as_object().is_some_and(|port| port.keys().all(|member| matches!(member.as_str(), "containerPort" | "name")))
}

/// The amounts of resources that have a name of their own on the wire, taken out.
fn amounts(resources: &mut Map<String, Value>) -> Map<String, Value> {
    const NAMES: [(&str, &str); 4] =
        [("cpu", "CPU"), ("memory", "MEMORY"), ("gpu", "GPU"), ("ephemeral-storage", "EPHEMERAL_STORAGE")];
    let mut message = Map::new();
    for member in ["requests", "limits"] {
        let Some(Value::Object(written)) = resources.get_mut(member) else { continue };
        let entries: Vec<Value> = NAMES
            .iter()
            .filter_map(|(pod, wire)| Some(json!({ "name": wire, "value": amount(&written.shift_remove(*pod)?) })))
            .collect();
        if written.is_empty() {
            resources.shift_remove(member);
        }
        message.insert(member.to_owned(), entries.into());
    }
    message
}

/// A template may write a number where Kubernetes has a text.
fn amount(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Variables by name, and equal amounts alike.
fn tidy(container: &mut Value) {
    if let Some(env) = container.get_mut("env")
        && let Value::Array(variables) = env
    {
        *env = Value::Object(last(variables.iter().map(by_name).collect()));
    }
    for member in ["requests", "limits"] {
        if let Some(Value::Object(amounts)) = container.pointer_mut(&format!("/resources/{member}")) {
            for value in amounts.values_mut() {
                *value = quantity::canonical(&amount(value)).into();
            }
        }
    }
}

/// Members in one order: the message keeps none.
fn sort(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.sort_keys();
            members.values_mut().for_each(sort);
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}
