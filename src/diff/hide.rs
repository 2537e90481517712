//! Values that must not be seen, in canonical messages.

use serde_json::Value;

use super::field::{PARAMETERS, is_entry, is_keyed};
use crate::model::mask::credentials_among;
use crate::model::{Mask, sensitive};

/// Replaces what must not be seen: the values of variables that are or hold credentials.
pub fn conceal(path: &str, value: Value, mask: &Mask) -> Value {
    let mut value = value;
    each_secret(path, &mut value, mask, &mut |_, text| {
        if !sensitive::is_placeholder(text) {
            *text = mask.placeholder(text);
        }
    });
    value
}

/// The mask that hides what one of these canonical messages holds as a credential wherever else it stands.
pub fn mask_of<'a>(mask: &Mask, messages: impl IntoIterator<Item = &'a Value>) -> Mask {
    let mut secrets = Vec::new();
    for message in messages {
        let mut message = message.clone();
        let none = Mask::new(mask.salt());
        each_entry("spec", &mut message, &mut |path, value| {
            each_secret(path, value, &none, &mut |path, text| {
                if names_in(path).any(sensitive::is_secret_name) {
                    secrets.push(text.clone());
                }
            });
        });
    }
    mask.and(secrets)
}

/// Every value of a canonical message by the path that names it.
fn each_entry(path: &str, value: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    match value {
        Value::Object(members) if !is_entry(path) => {
            for (key, value) in members.iter_mut() {
                let next = if is_keyed(path) { format!("{path}[{key}]") } else { format!("{path}.{key}") };
                each_entry(&next, value, visit);
            }
        }
        value => visit(path, value),
    }
}

/// Every text in a value that must not be seen.
fn each_secret(path: &str, value: &mut Value, mask: &Mask, visit: &mut dyn FnMut(&str, &mut String)) {
    match value {
        // The name of a secret is no secret; only values of plain variables are.
        Value::String(text) if mask.hides(text) || is_sensitive(path) && !path.contains("secrets[") => {
            visit(path, text)
        }
        Value::Array(items) => {
            let among = credentials_among(items.iter().map(Value::as_str));
            for (item, is_credential) in items.iter_mut().zip(among) {
                match item {
                    Value::String(text) if is_credential => visit(path, text),
                    item => each_secret(path, item, mask, visit),
                }
            }
        }
        Value::Object(members) => {
            // A parameter is as secret as the variable that it goes to, and what is named like a credential is one.
            let name = |member: &str| members.get(member).and_then(Value::as_str);
            let names = ["env", "env_var", "name"].into_iter().filter_map(name);
            let holder = names.rev().find(|name| sensitive::is_sensitive_name(name));
            let holder = holder.map(|name| format!("{path}[{name}]"));
            for (key, item) in members.iter_mut() {
                let at = match &holder {
                    Some(holder) if matches!(key.as_str(), "value" | "file" | "directory") => holder.clone(),
                    _ => format!("{path}[{key}]"),
                };
                each_secret(&at, item, mask, visit);
            }
        }
        _ => {}
    }
}

/// Whether a value holds one of the values that the mask knows.
pub(super) fn holds(value: &Value, mask: &Mask) -> bool {
    match value {
        Value::String(text) => mask.knows(text),
        Value::Array(items) => items.iter().any(|item| holds(item, mask)),
        Value::Object(members) => members.values().any(|item| holds(item, mask)),
        _ => false,
    }
}

/// Replaces every text.
pub(super) fn hide_all(value: Value, mask: &Mask) -> Value {
    match value {
        Value::String(text) if !sensitive::is_placeholder(&text) => mask.placeholder(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| hide_all(item, mask)).collect(),
        Value::Object(members) => {
            let says_how = |key: &str| matches!(key, "type" | "env" | "env_var" | "mount" | "dest" | "name");
            let inner =
                |(key, item): (String, Value)| if says_how(&key) { (key, item) } else { (key, hide_all(item, mask)) };
            Value::Object(members.into_iter().map(inner).collect())
        }
        other => other,
    }
}

/// Whether a path leads to the value of something named like a credential: an entry of a list, or a variable of one of
/// a pod's containers.
fn is_sensitive(path: &str) -> bool {
    // What stands beside the value of a parameter.
    if path.starts_with(PARAMETERS)
        && ["[type]", "[env]", "[env_var]", "[mount]", "[dest]"].iter().any(|member| path.ends_with(member))
    {
        return false;
    }
    names_in(path).any(sensitive::is_sensitive_name)
}

/// The entries of lists and the variables that a path leads through.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    let entries = path.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let variables = path.split_once(".env.").map(|(_, rest)| rest.split(['.', '[']).next().unwrap_or(rest));
    entries.chain(variables)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_concealed_and_stay_comparable() {
        let hide = |path: &str, text: &str| conceal(path, text.into(), &Mask::new("shop"));
        assert_eq!(hide("spec.container.env[LOG_LEVEL]", "info"), json!("info"));
        let first = hide("spec.container.env[DB_PASSWORD]", "hunter2");
        assert!(!first.to_string().contains("hunter2"));
        assert_eq!(first, hide("spec.container.env[OLD_PASSWORD]", "hunter2"));
        assert_ne!(first, hide("spec.container.env[DB_PASSWORD]", "hunter3"));
        let inside = conceal("spec.container.args", json!(["--url", "postgres://a:pw@h/d"]), &Mask::new("shop"));
        assert!(!inside.to_string().contains("pw@"));
        for (path, value) in [
            ("spec.pod.pod_spec.containers.proxy.env.API_TOKEN.value", json!("hunter2")),
            ("spec.pod.pod_spec.containers.proxy", json!({ "env": { "API_TOKEN": { "value": "hunter2" } } })),
            ("spec.parameters[api_token]", json!({ "value": "hunter2" })),
            ("spec.parameters[token-of-api]", json!({ "value": "hunter2", "env": "API_TOKEN" })),
            ("spec.parameters[a]", json!({ "value": "hunter2", "env": "API_TOKEN" })),
            ("spec.parameters[a]", json!({ "file": "hunter2", "env": "API_TOKEN" })),
            ("spec.inputs[api_token]", json!({ "string_value": "hunter2" })),
        ] {
            assert!(!conceal(path, value, &Mask::new("shop")).to_string().contains("hunter2"), "{path}");
        }
    }
}
