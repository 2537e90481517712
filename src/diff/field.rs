//! Walks two canonical messages side by side, and names each difference as its manifest does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::attribution::ChangedBy;
use super::hide::{conceal, hide_all, holds};
use super::written::as_written;
use crate::canonical::secrets::{INPUTS, PARAMETERS, below, is_entry};
use crate::diagnostic::Span;
use crate::model::parameter::Pin;
use crate::model::{Mask, key_path};
use crate::schema::Schema;

/// One place where two messages differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// The manifest key that sets it, or the wire path where no key exists.
    pub key: String,
    /// Where it lands in the message: `spec.container.env[LOG_LEVEL]`.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Who made it differ since the last release.
    pub changed_by: ChangedBy,
    /// What it was then, where neither value is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Value>,
    /// What the new value was pinned to, where the manifest refers to a run or an artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// The text that set the new value.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// A place where two canonical messages differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// `spec.container.env[LOG_LEVEL]`
    pub path: String,
    /// The same as a JSON pointer into the message: `/container/env/LOG_LEVEL`.
    pub pointer: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// What belongs to the metadata or is encoded in the command, and stands beside the spec in the canonical form.
pub(super) const CODE: &str = "spec.code_bundle";
const CONTAINER: &str = "spec.container.";
const COMMAND: &str = "spec.container.command";

impl FieldChange {
    /// Whether it is the code that changed; told file by file rather than as a field.
    pub fn is_code(&self) -> bool {
        self.path == CODE
    }

    /// Whether nobody wrote it: the entry point that every app with bundled code has.
    pub fn is_boilerplate(&self) -> bool {
        let starts_fserve = |value: &Value| value.get(0).is_some_and(|word| word == "fserve");
        self.path == COMMAND && self.old.is_none() && self.new.as_ref().is_some_and(starts_fserve)
    }
}

/// Every difference of two canonical messages: objects by key, lists as a whole.
pub fn walk(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    descend("spec".into(), String::new(), [Some(old), Some(new)], &mut found);
    found
}

fn descend(path: String, pointer: String, values: [Option<&Value>; 2], found: &mut Vec<Difference>) {
    let [old, new] = values;
    if old == new {
        return;
    }
    let empty = serde_json::Map::new();
    let whole = |path, pointer| Difference { path, pointer, old: old.cloned(), new: new.cloned() };
    let (left, right) = match (old, new) {
        _ if is_entry(&path) => {
            found.push(whole(path, pointer));
            return;
        }
        (Some(Value::Object(left)), Some(Value::Object(right))) => (left, right),
        // A whole section that appears or vanishes is told element by element.
        (Some(Value::Object(left)), None) if !left.is_empty() => (left, &empty),
        (None, Some(Value::Object(right))) if !right.is_empty() => (&empty, right),
        _ => {
            found.push(whole(path, pointer));
            return;
        }
    };
    let mut keys: Vec<&String> = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))).collect();
    keys.sort();
    for key in keys {
        let next = below(&path, key);
        let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        descend(next, at, [left.get(key), right.get(key)], found);
    }
}

/// Where values come from, and what must not be seen of them.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub spans: &'a BTreeMap<String, Span>,
    pub pins: &'a BTreeMap<String, Pin>,
    pub mask: &'a Mask,
}

/// Gives each difference its manifest key, its place in the text, and a placeholder where its value must not be seen.
/// `who` tells of each who made it, and what was there before.
pub fn describe(
    differences: Vec<Difference>,
    context: Context<'_>,
    who: impl Fn(&Difference) -> (ChangedBy, Option<Value>),
) -> Vec<FieldChange> {
    let schema = Schema::load();
    let parameters: BTreeSet<String> =
        differences.iter().filter_map(|difference| entry(PARAMETERS, &difference.path)).collect();
    // An input repeats what its parameter says.
    let told = |path: &str| entry(INPUTS, path).is_some_and(|name| parameters.contains(&name));
    let mut changes: Vec<FieldChange> = differences
        .into_iter()
        .filter(|difference| !told(&difference.path))
        .map(|difference| {
            let (changed_by, released) = who(&difference);
            let Difference { path, old, new, .. } = difference;
            let parameter = parameter(&path);
            let key = key(&path, [&old, &new].into_iter().flatten(), schema);
            // Where several keys say the same, the one that is written.
            let same = schema.keys_for_wire(&path);
            let is_written = |same: &&String| same.contains(&key) && context.spans.contains_key(*same);
            let key = same.iter().find(is_written).cloned().unwrap_or(key);
            // Of a text that had another secret inside before, that one must not be seen either.
            let hidden = [&old, &new, &released].into_iter().flatten().any(|value| holds(value, context.mask));
            let written = |value: Value| as_written(&path, value);
            // Where the manifest has one word for both, the wire tells them apart.
            let is_told = old.clone().map(written) != new.clone().map(written);
            let show = |value: Value| {
                let value = if is_told { written(value) } else { value };
                match hidden {
                    true => hide_all(value, context.mask),
                    false => conceal(&path, value, context.mask),
                }
            };
            let pin = parameter.and_then(|name| context.pins.get(&name)).filter(|_| new.is_some()).cloned();
            let span = written_at(context.spans, &key, &path, new.is_some());
            let [old, new, released] = [old, new, released].map(|value| value.map(show));
            FieldChange { key, path, old, new, changed_by, released, pin, span }
        })
        .collect();
    changes.sort_by(|a, b| (&a.key, &a.path).cmp(&(&b.key, &b.path)));
    changes
}

/// The manifest key that sets a place, or its path where no key exists. `values` are what stands or stood there.
pub fn key<'a>(path: &str, mut values: impl Iterator<Item = &'a Value>, schema: &Schema) -> String {
    match parameter(path) {
        // An endpoint in `env` is a parameter named after the variable.
        Some(name) if values.any(|value| is_variable(&name, value)) => key_path("env", &name),
        Some(name) => key_path("parameters", &name),
        None => in_pod(path).or_else(|| schema.key_for_wire(path)).unwrap_or_else(|| path.to_owned()),
    }
}

/// The parameter that a place belongs to.
pub fn parameter(path: &str) -> Option<String> {
    entry(PARAMETERS, path).or_else(|| entry(INPUTS, path))
}

/// The key of a place in a pod: what is inside has the same names in the manifest. A secret without a group is told by
/// its key alone.
fn in_pod(path: &str) -> Option<String> {
    const PLACES: [(&str, &str); 5] = [
        ("spec.pod.pod_spec.", "pod_template.pod_spec."),
        ("spec.pod.order.", "pod_template.pod_spec."),
        ("spec.pod.metadata.labels.", "pod_template.labels."),
        ("spec.pod.metadata.annotations.", "pod_template.annotations."),
        ("spec.security_context.secrets[/", "secrets."),
    ];
    let place = |(wire, key): (&str, &str)| Some(format!("{key}{}", path.strip_prefix(wire)?.trim_end_matches(']')));
    PLACES.into_iter().find_map(place)
}

/// The name in `list[name]`.
pub(super) fn entry(list: &str, path: &str) -> Option<String> {
    path.strip_prefix(list)?.strip_prefix('[')?.strip_suffix(']').map(str::to_owned)
}

/// Whether a parameter is what an endpoint in `env` becomes.
pub(super) fn is_variable(name: &str, parameter: &Value) -> bool {
    parameter["type"] == "app_endpoint" && parameter["env_var"] == name
}

/// The span of what sets a key. What a container has and the manifest does not say, the pod template does.
fn written_at(spans: &BTreeMap<String, Span>, key: &str, path: &str, is_set: bool) -> Option<Span> {
    let is_said = || {
        let around = std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(outer, _)| outer));
        let said = around.into_iter().find(|key| spans.contains_key(*key));
        // A table that is said key by key says nothing of others.
        said.is_some_and(|said| {
            let below = format!("{said}.");
            said == key || !spans.range(below.clone()..).next().is_some_and(|(inner, _)| inner.starts_with(&below))
        })
    };
    match spans.get("pod_template") {
        Some(template) if is_set && path.starts_with(CONTAINER) && !is_said() => Some(*template),
        _ => nearest(spans, key),
    }
}

/// The span of a key, or of the closest table around it.
fn nearest(spans: &BTreeMap<String, Span>, key: &str) -> Option<Span> {
    let mut key = key;
    loop {
        if let Some(span) = spans.get(key) {
            return Some(*span);
        }
        key = key.rsplit_once('.')?.0;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(old: Value, new: Value, expected: &[&str]) {
        let told: Vec<String> = walk(&old, &new)
            .into_iter()
            .map(|Difference { path, old, new, .. }| {
                let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
                format!("{path}: {} -> {}", show(old), show(new))
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn differences_are_told_by_path() {
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(json!({"a": 1, "b": 2}), json!({"a": 3}), &["spec.a: 1 -> 3", "spec.b: 2 -> -"]);
        check(
            json!({"container": {"env": {"A": "1"}}}),
            json!({"container": {"env": {"A": "2", "B": "3"}}}),
            &["spec.container.env[A]: \"1\" -> \"2\"", "spec.container.env[B]: - -> \"3\""],
        );
        check(json!({}), json!({"container": {"env": {"A": "1"}}}), &["spec.container.env[A]: - -> \"1\""]);
        check(json!({"l": [1]}), json!({"l": [1, 2]}), &["spec.l: [1] -> [1,2]"]);
    }

    #[test]
    fn a_field_that_differs_shows_how() {
        let args = |word: &str| json!({ "container": { "args": ["x", word] } });
        let (spans, pins, mask) = (BTreeMap::new(), BTreeMap::new(), Mask::new("shop"));
        let context = Context { spans: &spans, pins: &pins, mask: &mask };
        let told = describe(walk(&args("$PORT/y"), &args("'$PORT/y'")), context, |_| (ChangedBy::Us, None));
        assert_eq!((&told[0].old, &told[0].new), (&Some(json!(["x", "$PORT/y"])), &Some(json!(["x", "'$PORT/y'"]))));
    }
}
