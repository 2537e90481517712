//! What a written manifest comes to when it is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use flyte_schema::flyteidl2::app::App as Message;
use serde::Serialize;
use serde_json::Value;

use super::text::{self, Place};
use super::{Draft, Error, Options, Overlay, Unsaid};
use crate::bundle::{Bundle, BundleSet};
use crate::canonical::canonical;
use crate::desired::{self, LowerOptions};
use crate::diagnostic::{Diagnostic, Severity};
use crate::diff;
use crate::manifest;
use crate::model::{AppName, BundleRef, Digest, Mask, spec};
use crate::port::Files;
use crate::resolve::{self, Graph, Project, Selection};
use crate::schema::Schema;

/// Each round takes out at least one thing per mistaken place; more are not needed in practice.
const MAX_ROUNDS: usize = 50;

/// A place where a manifest, lowered, is not the message it was made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub app: String,
    /// Where it stands in the message: `spec.container.env[MODE]`.
    pub path: String,
    /// Credentials are replaced by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Value>,
}

impl Difference {
    /// The reason, where nothing better is known. `unpacks`: the app starts through what unpacks its code.
    pub fn unsaid(&self, unpacks: bool) -> Unsaid {
        let why = if self.path == "spec.code_bundle" && !unpacks {
            "code was sent along, and the app's own command does not unpack it: it is left out".to_owned()
        } else if self.path == "spec.code_bundle" {
            "other code than the manifest names runs: name its files with `source` or `include`, or its address with \
             `code_bundle`"
                .to_owned()
        } else if Schema::load().key_for_wire(&self.path).is_none() {
            "flyte.toml has no key for it".to_owned()
        } else {
            let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
            format!("{} would become {}", show(&self.imported), show(&self.written))
        };
        Unsaid { app: self.app.clone(), path: self.path.clone(), why, lost: true }
    }
}

/// Takes out of the drafts what a manifest may not say, until it has no mistakes.
pub fn refine(
    files: &dyn Files,
    path: &Path,
    drafts: &mut Vec<Draft>,
    options: &Options,
    unsaid: &mut Vec<Unsaid>,
) -> Result<(), Error> {
    for _ in 0..MAX_ROUNDS {
        tell_external(drafts);
        open_circles(drafts);
        let (text, places) = text::probe(drafts, options);
        let invalid = match read(files, path, text, options) {
            Ok(_) => return Ok(()),
            Err(Error::Invalid(invalid)) => invalid,
            Err(other) => return Err(other),
        };
        let mut found: Vec<(Place, String)> = Vec::new();
        for finding in invalid.0.list.iter().filter(|finding| finding.severity == Severity::Error) {
            if let Some(place) = place(finding, &places)
                && found.iter().all(|(known, _)| *known != place)
            {
                found.push((place, reason(finding)));
            }
        }
        if found.is_empty() {
            return Err(Error::Invalid(invalid));
        }
        remove(drafts, found, unsaid);
    }
    Ok(())
}

/// The endpoints of apps that are not among the drafts, or no longer, are those of apps that are deployed elsewhere.
fn tell_external(drafts: &mut [Draft]) {
    let names: BTreeSet<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
    for table in drafts.iter_mut().flat_map(|draft| draft.table.iter_mut()) {
        let ("env" | "parameters", toml::Value::Table(values)) = (table.0.as_str(), table.1) else { continue };
        for value in values.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
            let is_elsewhere = |app: &toml::Value| app.as_str().is_some_and(|app| !names.contains(app));
            if value.get("endpoint").is_some_and(is_elsewhere) {
                value.insert("external".to_owned(), true.into());
            }
        }
    }
}

/// Apps may be given each other's URLs: then one of them does without the other at first.
fn open_circles(drafts: &mut [Draft]) {
    let names: Vec<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
    while let Err(circles) = Graph::new(drafts.iter().filter_map(needs).collect()) {
        let edges: Vec<(AppName, AppName)> = circles
            .iter()
            .flat_map(|circle| circle.0.iter().cloned().zip(circle.0.iter().cycle().skip(1).cloned()))
            .collect();
        let opened = edges.iter().any(|(name, other)| {
            let at = names.iter().position(|known| known == name.as_str());
            at.is_some_and(|at| set_apart(&mut drafts[at], other))
        });
        if !opened {
            return;
        }
    }
}

/// An app and what its draft depends on.
fn needs(draft: &Draft) -> Option<(AppName, BTreeSet<AppName>)> {
    let written = draft.table.get("depends_on").and_then(toml::Value::as_array).into_iter().flatten();
    let written = written.filter_map(toml::Value::as_str);
    let tables = ["env", "parameters"].into_iter().filter_map(|key| draft.table.get(key)?.as_table());
    let values = tables.flat_map(|table| table.iter()).filter_map(|(_, value)| value.as_table());
    let endpoints = values.filter(|value| !value.contains_key("external") && !value.contains_key("depends"));
    let endpoints = endpoints.filter_map(|value| value.get("endpoint")?.as_str());
    let named = written.chain(endpoints).filter(|other| *other != draft.name).filter_map(|other| other.parse().ok());
    Some((draft.name.parse().ok()?, named.collect()))
}

/// Whether `other` was needed for its URL alone, and is no dependency any more.
fn set_apart(draft: &mut Draft, other: &AppName) -> bool {
    let written = draft.table.get("depends_on").and_then(toml::Value::as_array);
    if written.is_some_and(|apps| apps.iter().any(|app| app.as_str() == Some(other.as_str()))) {
        return false;
    }
    let mut found = false;
    for key in ["env", "parameters"] {
        let Some(values) = draft.table.get_mut(key).and_then(toml::Value::as_table_mut) else { continue };
        for value in values.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
            if value.get("endpoint").and_then(toml::Value::as_str) == Some(other.as_str()) {
                found |= value.insert("depends".to_owned(), false.into()).is_none();
            }
        }
    }
    found
}

/// What the first label of a finding points at.
fn place(finding: &Diagnostic, places: &[(std::ops::Range<usize>, Place)]) -> Option<Place> {
    let labels = finding.labels.iter().map(|label| label.span.start);
    let mut named = labels.filter_map(|at| places.iter().find(|(range, _)| range.contains(&at)));
    named.next().map(|(_, place)| place.clone())
}

fn reason(finding: &Diagnostic) -> String {
    format!("flyte.toml refuses it: {}", finding.message)
}

fn remove(drafts: &mut Vec<Draft>, mut found: Vec<(Place, String)>, unsaid: &mut Vec<Unsaid>) {
    // From the back, so that what is left keeps its place: an app goes after what is in it.
    let order = |place: &Place| {
        let index = place.path.get(1).and_then(|segment| segment.parse::<usize>().ok());
        (place.draft, place.path.first().cloned(), index)
    };
    found.sort_by_key(|(place, _)| std::cmp::Reverse(order(place)));
    for (place, why) in found {
        let Some(draft) = drafts.get_mut(place.draft) else { continue };
        unsaid.push(Unsaid { app: draft.name.clone(), path: wire(&place.path), why, lost: true });
        match place.path.as_slice() {
            [] => drop(drafts.remove(place.draft)),
            [key] => drop(draft.table.remove(key)),
            [key, inner, ..] => {
                let empty = match draft.table.get_mut(key) {
                    Some(toml::Value::Table(table)) => {
                        table.remove(inner);
                        table.is_empty()
                    }
                    Some(toml::Value::Array(items)) => {
                        if let Some(at) = inner.parse().ok().filter(|at| *at < items.len()) {
                            items.remove(at);
                        }
                        items.is_empty()
                    }
                    _ => false,
                };
                if empty {
                    draft.table.remove(key);
                }
            }
        }
    }
}

/// Where a key lands in the message.
fn wire(path: &[String]) -> String {
    let schema = Schema::load();
    let [key, rest @ ..] = path else { return "spec".to_owned() };
    let lookup = |path: &str| schema.lookup(path).and_then(|key| key.wire.first().cloned());
    let whole = rest.first().map(|inner| format!("app.{key}.{inner}"));
    let found = whole.as_deref().and_then(lookup).or_else(|| lookup(&format!("app.{key}")));
    // Elements that are told apart by their place have no name in the message.
    let name = rest.first().filter(|inner| inner.parse::<usize>().is_err());
    match (found, name) {
        (Some(wire), Some(inner)) if wire.ends_with("[]") => wire.replace("[]", &format!("[{inner}]")),
        (Some(wire), _) => wire.replace("[]", ""),
        (None, Some(inner)) => format!("{key}.{inner}"),
        (None, None) => key.clone(),
    }
}

/// Every place where the lowered manifest differs from the messages.
pub fn differences(
    files: &dyn Files,
    path: &Path,
    text: &str,
    drafts: &[Draft],
    apps: &[Message],
    options: &Options,
) -> Result<Vec<Difference>, Error> {
    let project = read(files, path, text.to_owned(), options)?;
    let originals: BTreeMap<&str, &Message> = apps.iter().map(|app| (app.metadata.id.name.as_str(), app)).collect();
    // The code is where it is: the bundle only keeps the place of its address.
    let stand_in = Arc::new(Bundle {
        digest: BundleRef(Digest::of(b"code")),
        ..Bundle::new(project.root.clone(), Vec::new(), Vec::new())
    });
    let has_code = |name: &str| originals.get(name).is_some_and(|app| address(app).is_some());
    let coded = project.apps.iter().filter(|(name, app)| app.source.is_some() && has_code(name.as_str()));
    let bundles = BundleSet { by_app: coded.map(|(name, _)| (name.clone(), stand_in.clone())).collect() };
    let resolved = drafts.iter().filter_map(|draft| Some((draft.name.parse().ok()?, draft.resolved.clone()))).collect();
    let lowered = desired::lower(&project, &bundles, &LowerOptions { resolved, ..LowerOptions::default() })?;
    let mut found = Vec::new();
    for (name, original) in originals {
        let Some(desired) = lowered.apps.iter().find(|(known, _)| known.as_str() == name).map(|(_, app)| app) else {
            found.push(Difference { app: name.to_owned(), path: "spec".to_owned(), imported: None, written: None });
            continue;
        };
        let spec = match address(original) {
            Some(address) => desired.spec.clone().with_bundle_address(address),
            None => desired.spec.clone(),
        };
        let differences = diff::walk(&canonical(original), &canonical(&spec.0));
        found.extend(differences.into_iter().map(|diff::Difference { path, old, new, .. }| {
            let show = |value: Option<Value>| value.map(|value| diff::conceal(&path, value, &Mask::new(name)));
            let (imported, written) = (show(old), show(new));
            Difference { app: name.to_owned(), path, imported, written }
        }));
    }
    Ok(found)
}

fn address(app: &Message) -> Option<&str> {
    spec::bundle_address(app)
}

/// What the text means, for the control plane it is written for: the text alone may leave that to the SDK's configuration.
fn read(files: &dyn Files, path: &Path, text: String, options: &Options) -> Result<Project, Error> {
    let files = Overlay::new(files, path.to_owned(), text);
    let manifest = manifest::load(&files, path)?;
    let endpoint = options.target.connection.as_ref().map(|connection| connection.endpoint.clone());
    Ok(resolve::resolve(&manifest, &Selection { endpoint, ..Selection::default() })?)
}
