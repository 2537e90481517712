//! What a server fills in where nothing is sent: no change, and nobody's doing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field::{CODE, Difference, walk};
use super::hide::conceal;
use crate::canonical::canonical;
use crate::canonical::secrets::{below, is_entry};
use crate::model::{Guarantees, Mask};
use flyte_schema::flyteidl2::app::App;

/// What is known of it: what was seen of the server on this machine, and what is on record with the app.
#[derive(Clone, Copy)]
pub(super) struct Filled<'a> {
    pub guarantees: &'a Guarantees,
    /// `None`: nothing is on record about it.
    pub recorded: Option<&'a BTreeMap<String, Value>>,
}

impl Filled<'_> {
    /// Whether what is not known to be filled in is known not to be.
    pub fn is_whole(self) -> bool {
        self.recorded.is_some() || self.guarantees.has_seen_writes()
    }

    fn fills(self, path: &str, value: &Value) -> bool {
        self.guarantees.fills(path, value) || self.recorded.is_some_and(|recorded| recorded.get(path) == Some(value))
    }
}

/// Takes out of `live` what the server has filled in and `sent` does not have; answers the paths.
pub(super) fn take_filled(live: &mut Value, sent: &Value, known: Filled<'_>) -> Vec<String> {
    let mut taken = Vec::new();
    without_filled("spec", live, Some(sent), known, &mut taken);
    taken
}

fn without_filled(path: &str, live: &mut Value, sent: Option<&Value>, known: Filled<'_>, taken: &mut Vec<String>) {
    let Value::Object(members) = live else { return };
    members.retain(|key, value| {
        let next = below(path, key);
        let same = sent.and_then(|sent| sent.get(key));
        if same.is_none() && known.fills(&next, value) {
            taken.push(next);
            return false;
        }
        if !is_entry(&next) {
            without_filled(&next, value, same, known, taken);
        }
        same.is_some() || !value.as_object().is_some_and(Map::is_empty)
    });
}

/// `live` without the single values that `declared` does not have, and those: a server may have filled them in.
pub(super) fn without_additions(live: &Value, declared: &Value) -> (Value, Vec<Difference>) {
    let is_single = |value: &Value| !value.is_object() && !value.is_array();
    let may_be_filled = |found: &Difference| {
        found.new.is_none()
            && found.old.as_ref().is_some_and(is_single)
            && !found.path.contains('[')
            && !found.path.starts_with("spec.pod")
            && found.path != CODE
    };
    let added: Vec<Difference> = walk(live, declared).into_iter().filter(may_be_filled).collect();
    let mut without = live.clone();
    for difference in &added {
        remove(&mut without, &difference.pointer);
    }
    (without, added)
}

/// Removes a place, and whatever held nothing else.
fn remove(value: &mut Value, pointer: &str) {
    let Some((outer, name)) = pointer.rsplit_once('/') else { return };
    let Some(Value::Object(members)) = value.pointer_mut(outer) else { return };
    members.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
    if members.is_empty() {
        remove(value, outer);
    }
}

/// What a server has added to a message that was sent, by path: for the record, so without what may be a credential.
pub fn filled_in(sent: &App, now: &App, mask: &Mask) -> BTreeMap<String, Value> {
    let may_be_seen = |path: &str, value: &Value| conceal(path, value.clone(), mask) == *value;
    let added = walk(&canonical(sent), &canonical(now)).into_iter().filter(|found| found.old.is_none());
    let added = added.filter_map(|found| Some((found.path, found.new?)));
    added.filter(|(path, value)| may_be_seen(path, value)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_single_values_may_have_been_filled_in() {
        let declared = json!({ "container": { "image": "i", "env": { "A": "1" } } });
        let live = json!({
            "container": { "image": "i", "env": { "A": "1", "B": "2" }, "args": ["x"] },
            "timeouts": { "request_timeout": "300s" },
            "code_bundle": "s3://b/c",
            "pod": { "pod_spec": { "host_network": true } },
        });
        let (without, added) = without_additions(&live, &declared);
        let paths: Vec<&str> = added.iter().map(|added| added.path.as_str()).collect();
        assert_eq!(paths, ["spec.timeouts.request_timeout"]);
        assert_eq!(without.get("timeouts"), None);
        assert_eq!(without["container"], live["container"]);
    }
}
