//! A spec as a list of its values by path: what a saved plan keeps of it.

use std::collections::{BTreeMap, BTreeSet};

use flyte_schema::flyteidl2::app::{App, spec::DesiredState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::field::{Difference, key, walk};
use super::hide::{conceal, hide_all, mask_of};
use crate::canonical::canonical;
use crate::model::sensitive::is_placeholder;
use crate::model::spec::variable;
use crate::model::{Marks, Mask};
use crate::schema::Schema;

/// Whether it runs.
const STATE: &str = "desired_state";
/// Whose it is, and what its version is called.
const MARKS: [(&str, &str); 2] = [("owner", Marks::OWNER), ("version", Marks::VERSION)];

/// Every value of a spec by its wire path, as [`super::FieldChange`] names it, sensitive ones as placeholders; besides
/// `desired_state`, `owner` and `version`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flat(pub BTreeMap<String, Value>);

impl Flat {
    /// Texts with the same mask can be compared.
    pub fn of(app: &App, mask: &Mask) -> Self {
        let message = canonical(app);
        let mask = mask_of(mask, [&message]);
        let values = walk(&Value::Object(Map::new()), &message).into_iter();
        let mut flat: BTreeMap<String, Value> = values
            .filter_map(|Difference { path, new, .. }| {
                let value = conceal(&path, new?, &mask);
                Some((path, value))
            })
            .collect();
        let stopped = app.spec.desired_state == DesiredState::DESIRED_STATE_STOPPED;
        flat.insert(STATE.to_owned(), if stopped { "stopped" } else { "active" }.into());
        for (name, mark) in MARKS {
            flat.extend(variable(&app.spec, mark).map(|value| (name.to_owned(), Value::from(value))));
        }
        Self(flat)
    }

    /// The same, hiding also what `other` hides: a text may have had another secret inside.
    #[must_use]
    pub fn hidden_as(mut self, other: &Self, mask: &Mask) -> Self {
        for (path, value) in &mut self.0 {
            if other.0.get(path).is_some_and(is_hidden) {
                *value = hide_all(value.take(), mask);
            }
        }
        self
    }

    /// Whether it was asked to be stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.get(STATE).is_some_and(|state| state == "stopped")
    }
}

/// Whether a placeholder is in it.
fn is_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => is_placeholder(text),
        Value::Array(items) => items.iter().any(is_hidden),
        Value::Object(members) => members.values().any(is_hidden),
        _ => false,
    }
}

/// The manifest keys, or else the paths, of what differs, each once and in order.
pub fn differing(old: &Flat, new: &Flat) -> Vec<String> {
    let paths: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let named = paths.into_iter().filter_map(|path| {
        let (old, new) = (old.0.get(path), new.0.get(path));
        (old != new).then(|| key(path, [old, new].into_iter().flatten(), Schema::load()))
    });
    named.collect::<BTreeSet<_>>().into_iter().collect()
}
