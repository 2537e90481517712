//! Values that must not be seen, in canonical messages.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::canonical::secrets::{each_entry, each_secret, names_in};
use crate::model::{Mask, sensitive};

/// Replaces what must not be seen: the values of variables that are or hold credentials.
pub fn conceal(path: &str, value: Value, mask: &Mask) -> Value {
    let mut secrets = BTreeSet::new();
    each_secret(path, &value, mask, &mut |_, text| {
        secrets.insert(text.to_owned());
    });
    if secrets.is_empty() { value } else { replace(value, &|text| secrets.contains(text), mask) }
}

/// The mask that hides what one of these canonical messages holds as a credential wherever else it stands.
pub fn mask_of<'a>(mask: &Mask, messages: impl IntoIterator<Item = &'a Value>) -> Mask {
    let mut secrets = Vec::new();
    for message in messages {
        each_entry("spec", message, &mut |path, value| {
            each_secret(path, value, &Mask::default(), &mut |path, text| {
                if names_in(path).any(sensitive::is_secret_name) {
                    secrets.push(text.to_owned());
                }
            });
        });
    }
    mask.and(secrets)
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
    replace(value, &|_| true, mask)
}

/// Replaces texts, but for those that say how a value comes to an app.
fn replace(value: Value, is_hidden: &dyn Fn(&str) -> bool, mask: &Mask) -> Value {
    match value {
        Value::String(text) if is_hidden(&text) && !sensitive::is_placeholder(&text) => mask.placeholder(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| replace(item, is_hidden, mask)).collect(),
        Value::Object(members) => {
            let says_how = |key: &str| matches!(key, "type" | "env" | "env_var" | "mount" | "dest" | "name");
            let inner = |(key, item): (String, Value)| match says_how(&key) && item.is_string() {
                true => (key, item),
                false => (key, replace(item, is_hidden, mask)),
            };
            Value::Object(members.into_iter().map(inner).collect())
        }
        other => other,
    }
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
