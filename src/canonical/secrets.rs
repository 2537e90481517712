//! Where a canonical message holds what may be a credential.

use std::collections::BTreeMap;

use serde_json::Value;

use super::order::STANDS_BEFORE;
use super::rules;
use crate::model::mask::credentials_among;
use crate::model::{Mask, key, sensitive};

/// What is encoded in the command, and stands beside the spec in the canonical form.
pub const PARAMETERS: &str = "spec.parameters";
pub const INPUTS: &str = "spec.inputs";

/// Every text of a message that may be a credential, with the first of its places in order.
pub fn secrets(message: &Value) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    each_entry("spec", message, &mut |path, value| {
        each_secret(path, value, &Mask::default(), &mut |path, text| {
            let first = found.entry(text.to_owned()).or_insert_with(|| path.to_owned());
            if path < first.as_str() {
                path.clone_into(first);
            }
        });
    });
    found
}

/// Every value of a canonical message by the path that names it.
pub fn each_entry(path: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) if !is_entry(path) => {
            for (key, value) in members {
                each_entry(&below(path, key), value, visit);
            }
        }
        value => visit(path, value),
    }
}

/// The path of a member: `spec.container.env[LOG_LEVEL]`, `spec.pod.metadata.labels."example.com/team"`.
pub fn below(path: &str, member: &str) -> String {
    if is_keyed(path) { format!("{path}[{member}]") } else { format!("{path}.{}", key(member)) }
}

/// Every text in a value that must not be seen.
pub fn each_secret(path: &str, value: &Value, mask: &Mask, visit: &mut dyn FnMut(&str, &str)) {
    match value {
        // The name of a secret is no secret; only values of plain variables are.
        Value::String(text) if mask.hides(text) || is_sensitive(path) && !path.contains("secrets[") => {
            visit(path, text)
        }
        Value::Array(items) => {
            let among = credentials_among(items.iter().map(Value::as_str));
            for (item, is_credential) in items.iter().zip(among) {
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
            // The names of other variables are no secret.
            for (key, item) in members.iter().filter(|(key, _)| *key != STANDS_BEFORE) {
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

/// Whether the members of an object are the entries of a list, by name.
pub fn is_keyed(path: &str) -> bool {
    path == PARAMETERS
        || path == INPUTS
        || rules::KEYED
            .iter()
            .any(|keyed| path.strip_prefix("spec.").is_some_and(|path| path.split('.').eq(keyed.path.iter().copied())))
}

/// Whether it is one entry of a list, which is told as a whole.
pub fn is_entry(path: &str) -> bool {
    path.ends_with(']')
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
pub fn names_in(path: &str) -> impl Iterator<Item = &str> {
    let entries = path.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let variables = path.split_once(".env.").map(|(_, rest)| match rest.strip_prefix('"') {
        Some(quoted) => &quoted[..end_of_quoted(quoted)],
        None => rest.split(['.', '[']).next().unwrap_or(rest),
    });
    entries.chain(variables)
}

/// Where the closing quote is, that of none behind a backslash.
fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    };
    text.find(closes).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_quotes_are_read_whole() {
        let check = |name: &str| {
            let path = below(&below("spec.pod.pod_spec.containers.proxy.env", name), "value");
            let found: Vec<&str> = names_in(&path).collect();
            let [found] = found[..] else { panic!("{path}: {found:?}") };
            assert_eq!(found, key(name).trim_matches('"'), "{path}");
            assert!(sensitive::is_sensitive_name(found), "{path}");
        };
        check("DB_PASSWORD");
        check("db.password");
        check("a\"b.password");
        check("a\\.password");
    }
}
