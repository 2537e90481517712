//! Where releases are on record.

use super::choose::Choice;
use super::vars::{Filling, Variables};
use super::{Layer, Origin, ReleaseStore};
use crate::manifest::{Manifest, normal};

/// Below the root, unless a manifest says otherwise.
const DEFAULT: &str = ".flyte/releases";

/// The store, and the settings that are written, each with where. Mistakes were reported when the text was checked.
pub fn store(
    manifest: &Manifest,
    variables: &Variables,
    filling: &mut Filling,
) -> (ReleaseStore, Vec<(&'static str, Choice)>) {
    let table = manifest.root_document().table.table("releases");
    let mut pick = |key: &str| {
        let mut node = table.get(key)?.clone();
        variables.fill_node(&mut node, filling);
        let value = node.as_text().map(str::to_owned);
        let origin = Origin::Text { span: node.span, layer: Layer::Root };
        Some(Choice { mistaken: value.is_none(), value, origin })
    };
    let (store, endpoint, region) = (pick("store"), pick("endpoint"), pick("region"));
    let value = |choice: &Option<Choice>| choice.as_ref().and_then(|choice| choice.value.clone());
    let releases = match value(&store) {
        Some(address) if address.contains("://") => {
            ReleaseStore::Bucket { address, endpoint: value(&endpoint), region: value(&region) }
        }
        path => ReleaseStore::Directory(normal(&manifest.root.join(path.as_deref().unwrap_or(DEFAULT)))),
    };
    let settings = [("releases.store", store), ("releases.endpoint", endpoint), ("releases.region", region)];
    (releases, settings.into_iter().filter_map(|(key, choice)| Some((key, choice?))).collect())
}
