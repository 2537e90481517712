//! What `[vars]` takes from the environment.

use std::collections::BTreeMap;

use super::Selection;
use super::draft::profiles;
use crate::manifest::{Manifest, Value};

/// Every environment variable that `[vars]` names under a selection, with its value; `None` where it is not set.
pub fn environment(manifest: &Manifest, selection: &Selection) -> BTreeMap<String, Option<String>> {
    let written = manifest.documents.iter().flat_map(|document| {
        let profiles = profiles(manifest, document, selection.profile.as_deref());
        std::iter::once(&document.table).chain(profiles).map(|table| table.table("vars"))
    });
    let named = written.flat_map(|vars| &vars.entries).filter_map(|entry| match &entry.node.value {
        Value::Table(table) => table.text("env").map(str::to_owned),
        _ => None,
    });
    named.map(|name| (name.clone(), selection.environment.get(&name).cloned())).collect()
}
