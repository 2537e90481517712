//! A case as the text of a `flyte.toml`, by rules alone.

use serde_json::{Map, Value, json};

use super::Case;

/// Fields of the SDK's app environment that say nothing about an app on the wire, and have no key.
const WITHOUT_KEY: [&str; 1] = ["interruptible"];

/// The text that declares the app of a case. The apps whose endpoints it uses are deployed elsewhere.
pub fn text(case: &Case) -> String {
    let mut text = String::from("name = \"golden\"\n");
    for key in ["org", "project", "domain"] {
        if let Some(value) = case.context[key].as_str() {
            text.push_str(&format!("{key} = {}\n", quoted(value)));
        }
    }
    text.push_str("target.remote = { endpoint = \"https://example.com\", default = true }\n");
    let name = case.app["name"].as_str().unwrap_or_default();
    text.push_str(&format!("\n[app.{}]\nactivation = \"auto\"\n", quoted(name)));
    text.push_str(&code(case));
    for (field, value) in case.app.as_object().into_iter().flatten() {
        if let Some((key, value)) = key(case, field, value) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

/// Where the code of the context goes, and code that no deploy of a manifest could have packed.
fn code(case: &Case) -> String {
    let bundle = &case.context["code_bundle"];
    let dest = bundle["destination"].as_str().map(quoted).unwrap_or_default();
    match (bundle["tgz"].as_str(), bundle["pkl"].as_str()) {
        (None, Some(uri)) => format!("code_bundle = {{ uri = {}, pickled = true, dest = {dest} }}\n", quoted(uri)),
        (Some(_), _) if bundle["destination"] != "." => format!("source = {{ dest = {dest} }}\n"),
        _ => String::new(),
    }
}

/// The files that a manifest of the case names, all of them empty.
pub fn files(case: &Case) -> Vec<String> {
    let named = case.app["include"].as_array().into_iter().flatten().filter_map(Value::as_str);
    named.map(|path| if path.ends_with('/') { format!("{path}file") } else { path.to_owned() }).collect()
}

/// The key of a field, and its value there as TOML. `None`: nothing is written.
fn key(case: &Case, field: &str, value: &Value) -> Option<(String, String)> {
    if value.is_null() || field == "name" || WITHOUT_KEY.contains(&field) {
        return None;
    }
    let (key, value) = match field {
        "image" => ("image", image(case, value)),
        "env_vars" => ("env", value.clone()),
        "port" => ("port", renamed(value, &[("port", "number")])),
        "scaling" => ("scaling", scaling(value)),
        "timeouts" => ("timeouts", with_duration(value, "request")),
        "domain" => ("ingress", value.clone()),
        "secrets" => ("secrets", each(value, |secret| renamed(secret, &[("as_env_var", "env")]))),
        "resources" => ("resources", resources(value)),
        "parameters" => return Some(("parameters".to_owned(), parameters(value))),
        "pod_template" => ("pod_template", pod_template(value)),
        other => (other, value.clone()),
    };
    Some((key.to_owned(), toml(&value)))
}

/// What was built for an app has taken the place of what it was built from, and a manifest names the image that `auto`
/// stands for, as `flyte import --python` does.
fn image(case: &Case, written: &Value) -> Value {
    let built = &case.context["image_cache"]["image_lookup"][case.app["name"].as_str().unwrap_or_default()];
    match written.as_str() {
        _ if built.is_string() => built.clone(),
        Some("auto") => Value::from(case.auto_image.as_str()),
        _ => written.clone(),
    }
}

fn scaling(value: &Value) -> Value {
    let mut value = with_duration(value, "scaledown_after");
    if let Some([min, max]) = value["replicas"].as_array().map(Vec::as_slice) {
        value["replicas"] = json!({ "min": min, "max": max });
    }
    value
}

/// Seconds, or milliseconds, become a text with a unit.
fn with_duration(value: &Value, field: &str) -> Value {
    let Some(members) = value.as_object() else { return value.clone() };
    let written = |(name, value): (&String, &Value)| match value.as_number() {
        Some(seconds) if name == field => (field.to_owned(), json!(format!("{seconds}s"))),
        Some(millis) if *name == format!("{field}_ms") => (field.to_owned(), json!(format!("{millis}ms"))),
        _ => (name.clone(), value.clone()),
    };
    Value::Object(members.iter().map(written).collect())
}

fn resources(value: &Value) -> Value {
    let mut value = value.clone();
    for amount in ["cpu", "memory"] {
        if let Some([request, limit]) = value[amount].as_array().map(Vec::as_slice) {
            value[amount] = json!({ "request": request, "limit": limit });
        }
    }
    // The family of a device follows from its name.
    if let Some(gpu) = value.get_mut("gpu").and_then(Value::as_object_mut) {
        gpu.retain(|name, kind| name != "kind" || kind == "DEVICE");
    }
    match value {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            Value::Object(members)
        }
        other => other,
    }
}

/// A list of named parameters becomes a table by name. Names that are there twice stay so.
fn parameters(value: &Value) -> String {
    let Some(items) = value.as_array() else { return toml(value) };
    let entries: Vec<String> = items
        .iter()
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            format!("{} = {}", quoted(name), toml(&parameter_value(parameter)))
        })
        .collect();
    format!("{{ {} }}", entries.join(", "))
}

fn parameter_value(parameter: &Value) -> Value {
    let mut members = Map::new();
    for (field, value) in parameter.as_object().into_iter().flatten().filter(|(field, _)| *field != "name") {
        match (field.as_str(), value) {
            // What it turned out to be is no part of the manifest.
            ("value", Value::Object(inner)) => {
                for (kind, value) in inner.iter().filter(|(kind, _)| *kind != "resolves_to") {
                    let key = match kind.as_str() {
                        "dir" => "directory",
                        "app_endpoint" => "endpoint",
                        other => other,
                    };
                    members.insert(key.to_owned(), value.clone());
                    if key == "endpoint" {
                        members.insert("external".to_owned(), true.into());
                    }
                }
            }
            ("env_var", _) => drop(members.insert("env".to_owned(), value.clone())),
            _ => drop(members.insert(field.clone(), value.clone())),
        }
    }
    Value::Object(members)
}

/// The app's container is always the one named `app`.
fn pod_template(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let is_kept = |(name, value): &(&String, &Value)| *name != "primary_container_name" || *value != "app";
            Value::Object(members.iter().filter(is_kept).map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

/// Changes a value, or each of a list.
fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(change).collect(),
        other => change(other),
    }
}

fn renamed(value: &Value, names: &[(&str, &str)]) -> Value {
    let Some(members) = value.as_object() else { return value.clone() };
    let name = |name: &String| {
        names.iter().find(|(theirs, _)| theirs == name).map_or_else(|| name.clone(), |(_, ours)| (*ours).to_owned())
    };
    Value::Object(members.iter().map(|(old, value)| (name(old), value.clone())).collect::<Map<_, _>>())
}

/// As TOML on one line. What TOML cannot say is written as it is, for the parser to refuse.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(&text.replace("${", "$${")),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{} = {}", quoted(name), toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A JSON string is a TOML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
