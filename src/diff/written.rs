//! Values as a manifest writes them, where the wire writes them otherwise.

use serde_json::{Map, Value, json};

use super::field::{entry, is_variable};
use crate::canonical::secrets::PARAMETERS;
use crate::model::SECRET_MOUNT;
use crate::model::shell::{self, Arguments};

const SECRETS: &str = "spec.security_context.secrets[";
const ARGS: &str = "spec.container.args";
/// The wire says who may come in without logging in, the manifest whether everybody has to log in.
const ANONYMOUS: &str = "spec.security_context.allow_anonymous";

/// What stands at a path, as the manifest writes it.
pub(super) fn as_written(path: &str, value: Value) -> Value {
    if let (Some(app), Some(name)) = (value.pointer("/value/app_name"), entry(PARAMETERS, path)) {
        let mut written = json!({ "endpoint": app });
        if !is_variable(&name, &value) && value.get("env_var").is_some() {
            written["env"] = value["env_var"].clone();
        }
        return written;
    }
    match (path, value) {
        (_, Value::Object(parameter)) if entry(PARAMETERS, path).is_some() => parameter_as_written(parameter),
        ("spec.container.ports", Value::Array(ports)) if ports.len() == 1 => match &ports[0] {
            Value::Object(port) if port.len() == 1 => port.get("container_port").cloned().unwrap_or(Value::Null),
            Value::Object(port) => json!({ "number": port.get("container_port"), "name": port.get("name") }),
            other => other.clone(),
        },
        (ANONYMOUS, Value::Bool(allowed)) => (!allowed).into(),
        (ARGS, Value::Array(words)) => unquoted(words).into(),
        (_, Value::Object(mut secret)) if path.starts_with(SECRETS) => {
            if secret.shift_remove("mount_requirement").is_some_and(|mount| mount == "FILE") {
                secret.insert("mount".to_owned(), SECRET_MOUNT.into());
            }
            Value::Object(secret)
        }
        (_, value) => value,
    }
}

/// A parameter under the name that its kind has in a manifest, without what goes without saying.
fn parameter_as_written(mut members: Map<String, Value>) -> Value {
    let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
    let (name, is_fetched) = match kind {
        "string" => ("value", false),
        "file" => ("file", true),
        "directory" => ("directory", true),
        _ => return Value::Object(members.into_iter().map(|(member, value)| (key_of(&member), value)).collect()),
    };
    members.shift_remove("type");
    let mut written = Map::new();
    written.extend(members.shift_remove("value").map(|value| (name.to_owned(), value)));
    if members.shift_remove("download").is_none() && is_fetched {
        written.insert("download".to_owned(), false.into());
    }
    written.extend(members.into_iter().map(|(member, value)| (key_of(&member), value)));
    match written.get("value") {
        Some(value) if written.len() == 1 => value.clone(),
        _ => Value::Object(written),
    }
}

/// Words without the quotes that keep them whole on their way through `fserve`. What we would not have sent is shown to
/// the letter.
fn unquoted(words: Vec<Value>) -> Vec<Value> {
    let sent: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    match shell::read(&sent) {
        Arguments::Words(plain) if shell::sent(&plain).is_some_and(|ours| ours == sent) => {
            plain.into_iter().map(Value::from).collect()
        }
        _ => words,
    }
}

/// What the manifest calls a member of a parameter.
fn key_of(member: &str) -> String {
    match member {
        "env_var" => "env",
        "dest" => "mount",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_as_the_manifest_has_them() {
        let check = |wire: Value, told: Value| assert_eq!(as_written(ARGS, json!([wire])), json!([told]));
        check("$PORT".into(), "$PORT".into());
        check("'echo bye; exit 3'".into(), "echo bye; exit 3".into());
        check("\"it's\"".into(), "it's".into());
        check("''".into(), "".into());
        // Not what we would have sent: shown to the letter.
        check("'a'".into(), "'a'".into());
        check("a b".into(), "a b".into());
        check("'open".into(), "'open".into());
    }

    #[test]
    fn parameters_are_told_by_their_kind() {
        let check = |wire: Value, told: Value| assert_eq!(as_written("spec.parameters[x]", wire), told);
        check(json!({ "value": "a", "type": "string" }), json!("a"));
        check(json!({ "value": "a", "type": "string", "env_var": "A" }), json!({ "value": "a", "env": "A" }));
        let file = json!({ "value": "s3://a", "type": "file", "download": true, "dest": "/a" });
        check(file, json!({ "file": "s3://a", "mount": "/a" }));
        check(json!({ "value": "s3://a", "type": "directory" }), json!({ "directory": "s3://a", "download": false }));
        check(json!({ "value": "a", "type": "new" }), json!({ "value": "a", "type": "new" }));
    }
}
