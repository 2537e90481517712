//! A pod back to the container of the app and the template around it.

use std::collections::BTreeMap;

use flyte_schema::flyteidl2::core::resources::{ResourceEntry, ResourceName};
use flyte_schema::flyteidl2::core::{Container, ContainerPort, K8sPod, KeyValuePair, Resources};
use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};

use crate::canonical::references;
use crate::model::pod::APP_CONTAINER;

/// The app's container, and the table `pod_template`; or why there is none: the pod has no container of the app, or
/// cannot be written as TOML.
pub fn taken_apart(pod: &K8sPod) -> Result<(Container, Table), String> {
    let mut spec = match serde_json::to_value(&*pod.pod_spec) {
        Ok(Json::Object(spec)) => spec,
        _ => Map::new(),
    };
    let containers = spec.get_mut("containers").and_then(Json::as_array_mut).into_iter().flatten();
    let mut containers = containers.filter_map(Json::as_object_mut);
    let Some(app) = containers.find(|app| app.get("name").and_then(Json::as_str) == Some(APP_CONTAINER)) else {
        return Err(format!("it has no container named `{APP_CONTAINER}`"));
    };
    let container = container(app);
    let mut template = Table::new();
    for (key, map) in [("labels", &pod.metadata.labels), ("annotations", &pod.metadata.annotations)] {
        if !map.is_empty() {
            template.insert(key.to_owned(), texts(map));
        }
    }
    let pod_spec = toml_value("pod_spec", &Json::Object(spec))
        .map_err(|path| format!("`{path}` is null, which TOML cannot write: leave it out"))?;
    template.insert("pod_spec".to_owned(), pod_spec);
    Ok((container, template))
}

fn texts(map: &BTreeMap<String, String>) -> Value {
    Value::Table(map.iter().map(|(key, text)| (key.clone(), text.as_str().into())).collect())
}

/// Takes out what the merge of a template puts in.
fn container(app: &mut Map<String, Json>) -> Container {
    let words = |value: Option<Json>| -> Vec<String> {
        let list = value.as_ref().and_then(Json::as_array).into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let mut container = Container {
        image: app.shift_remove("image").and_then(|image| image.as_str().map(str::to_owned)).unwrap_or_default(),
        command: words(app.shift_remove("command")),
        args: words(app.shift_remove("args")),
        ..Default::default()
    };
    if let Some(Json::Array(env)) = app.get_mut("env") {
        // What is taken out comes to stand before all that stays.
        let (taken, left) = apart(std::mem::take(env));
        *env = left;
        container.env = taken;
    }
    if let Some(Json::Array(ports)) = app.get_mut("ports")
        && let Some(port) = ports.first().and_then(plain_port)
    {
        container.ports.push(port);
        ports.remove(0);
    }
    // The device is said beside the pod, and its number with it.
    if let Some(count) =
        app.get_mut("resources").and_then(|all| all.get_mut("requests")?.as_object_mut()?.shift_remove("gpu"))
    {
        let value = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
        let entry = ResourceEntry { name: ResourceName::GPU.into(), value, ..Default::default() };
        container.resources = Resources { requests: vec![entry], ..Default::default() }.into();
    }
    for member in ["env", "ports"] {
        if app.get(member).is_some_and(|list| *list == json!([])) {
            app.shift_remove(member);
        }
    }
    if let Some(Json::Object(resources)) = app.get_mut("resources") {
        resources.retain(|_, amounts| *amounts != json!({}));
        if resources.is_empty() {
            app.shift_remove("resources");
        }
    }
    container
}

/// The variables that a manifest can say, and those that are left to the template: what is no text, and what has its
/// place behind one that is left because one of the two refers to the other or has its name.
fn apart(env: Vec<Json>) -> (Vec<KeyValuePair>, Vec<Json>) {
    let (mut taken, mut left): (Vec<KeyValuePair>, Vec<Json>) = Default::default();
    for variable in env {
        let text = |variable: &Json, member: &str| variable[member].as_str().unwrap_or_default().to_owned();
        let (key, value) = (text(&variable, "name"), text(&variable, "value"));
        let is_tied = |other: &Json| {
            let name = text(other, "name");
            name == key
                || references(&value).contains(&name.as_str())
                || references(&text(other, "value")).contains(&key.as_str())
        };
        if variable["name"].is_string() && variable["value"].is_string() && !left.iter().any(is_tied) {
            taken.push(KeyValuePair { key, value, ..Default::default() });
        } else {
            left.push(variable);
        }
    }
    (taken, left)
}

fn plain_port(port: &Json) -> Option<ContainerPort> {
    let port = port.as_object()?;
    if !port.keys().all(|member| matches!(member.as_str(), "containerPort" | "name")) {
        return None;
    }
    let number = port.get("containerPort")?.as_f64()?;
    Some(ContainerPort {
        container_port: format!("{number}").parse().ok()?,
        name: port.get("name").and_then(Json::as_str).unwrap_or_default().to_owned(),
        ..Default::default()
    })
}

/// Fails with the path of a null, which TOML has no word for.
fn toml_value(path: &str, json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => return Err(path.to_owned()),
        Json::Bool(yes) => (*yes).into(),
        Json::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            match format!("{number}").parse::<i64>() {
                Ok(whole) => whole.into(),
                Err(_) => number.into(),
            }
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => {
            let items = items.iter().enumerate().map(|(at, item)| toml_value(&format!("{path}[{at}]"), item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            // The wire keeps no order. What tells an element apart is read first.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| (*key != "name", *key));
            let mut table = Table::new();
            for (key, value) in members {
                table.insert(key.clone(), toml_value(&format!("{path}.{key}"), value)?);
            }
            Value::Table(table)
        }
    })
}
