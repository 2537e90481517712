//! What of a spec is not compared as it stands, and why. Everything not named here is.

use serde_json::{Map, Value};

use super::order::STANDS_BEFORE;
use crate::model::quantity;

/// Fields left out.
pub const DROPPED: &[&[&str]] = &[
    // Whether an app runs is a question of its own, asked by activation: not part of what it is.
    &["desired_state"],
    // Filled in by the server from the caller's credentials.
    &["creator"],
    // Names the program that deployed, not what was deployed: an update of the tool is no change.
    &["runtime_metadata"],
    // Links to build jobs, for the console.
    &["images"],
];

/// Values that mean the same as nothing.
pub const DEFAULTS: &[(&[&str], &str)] = &[
    // Servers with one pool store no name of it.
    (&["cluster_pool"], "default"),
];

/// JSON whose empty values mean something (`emptyDir: {}`): left as it is.
pub const VERBATIM: &[&[&str]] = &[&["pod", "pod_spec"]];

/// Lists in which the order says nothing, as objects by name.
pub const KEYED: &[Keyed] = &[
    // Kubernetes takes the last of a name.
    Keyed { path: &["container", "env"], entry: variable, collect: last },
    Keyed { path: &["container", "resources", "requests"], entry: resource, collect: last },
    Keyed { path: &["container", "resources", "limits"], entry: resource, collect: last },
    Keyed { path: &["security_context", "secrets"], entry: secret, collect: each },
    Keyed { path: &["inputs", "items"], entry: by_name, collect: each },
];

/// Quantities outside lists.
pub const QUANTITIES: &[&[&str]] = &[&["extended_resources", "shared_memory", "size_limit"]];

/// A name and what stands under it.
pub type Entry = (String, Value);

/// A list, what names and fills an entry made of an item, and what becomes of two of a name.
pub struct Keyed {
    pub path: &'static [&'static str],
    pub entry: fn(&Value) -> Entry,
    pub collect: fn(Vec<Entry>) -> Map<String, Value>,
}

/// Of two of a name the last counts.
pub fn last(entries: Vec<Entry>) -> Map<String, Value> {
    entries.into_iter().collect()
}

/// Each counts: the second of a name is `name#2`.
pub fn each(entries: Vec<Entry>) -> Map<String, Value> {
    let mut by_name = Map::new();
    for (name, value) in entries {
        let others = (2..).map(|number| format!("{name}#{number}"));
        let free = std::iter::once(name.clone()).chain(others).find(|name| !by_name.contains_key(name));
        by_name.extend(free.map(|name| (name, value)));
    }
    by_name
}

fn string(text: String) -> Value {
    Value::String(text)
}

/// A member as text. Numbers are enum values that we have no name of.
pub fn text(item: &Value, member: &str) -> String {
    match item.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn without(item: &Value, member: &str) -> Value {
    let rest = item.as_object().into_iter().flatten().filter(|(name, _)| *name != member);
    Value::Object(rest.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

/// The rest of the item by its `name`.
pub fn by_name(item: &Value) -> Entry {
    (text(item, "name"), without(item, "name"))
}

/// A text, or where its place counts the text and what comes after it.
fn variable(item: &Value) -> Entry {
    let name = text(item, "key");
    match item.get(STANDS_BEFORE) {
        Some(_) => (name, without(item, "key")),
        None => (name, string(text(item, "value"))),
    }
}

fn resource(item: &Value) -> Entry {
    (text(item, "name"), string(quantity::canonical(&text(item, "value"))))
}

/// By the variable that receives it; one that is mounted as a file by group and key.
fn secret(item: &Value) -> Entry {
    match text(item, "env_var") {
        variable if variable.is_empty() => (format!("{}/{}", text(item, "group"), text(item, "key")), item.clone()),
        variable => (variable, without(item, "env_var")),
    }
}
