//! A manifest under one profile, before it is known to be free of mistakes.

use std::collections::{BTreeMap, BTreeSet};

use super::choose::{Chosen, choose};
use super::merge::overlay;
use super::vars::{Filling, Variables};
use super::{Graph, Selection};
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::manifest::check::{Phase, check_table};
use crate::manifest::rules::{AppView, View};
use crate::manifest::{Document, Manifest, Table};
use crate::model::AppName;
use crate::schema::{Schema, TableType};

pub struct Draft<'a> {
    pub view: View<'a>,
    pub chosen: Chosen,
    /// Mistakes that merging and filling brought to light.
    pub findings: Vec<Diagnostic>,
    /// Values of variables that are not for other eyes.
    pub secrets: Vec<String>,
    /// Environment variables that are not set, with the app that needs each.
    pub unset: Vec<(Option<String>, Diagnostic)>,
}

impl<'a> Draft<'a> {
    pub fn new(manifest: &'a Manifest, selection: &Selection) -> Self {
        let mut findings = Vec::new();
        let profile = selection.profile.as_deref();
        if let Some(name) = profile {
            findings.extend(unknown_profile(manifest, name));
        }
        let mut filling = Filling::default();
        let variables = variables(manifest, manifest.root_document(), selection);
        let chosen = choose(manifest, selection, &variables, &mut filling, &mut findings);
        findings.append(&mut filling.findings);
        let mut unset: Vec<_> = filling.unset.into_iter().map(|finding| (None, finding)).collect();

        let mut secrets: Vec<String> = variables.secrets().collect();
        let mut apps = Vec::new();
        let mut names = BTreeSet::new();
        let kind = Schema::load().table("app").expect("the schema defines it");
        for document in &manifest.documents {
            let variables = self::variables(manifest, document, selection);
            secrets.extend(variables.secrets());
            let defaults = defaults(manifest, document, profile, kind);
            for entry in &document.table.table("app").entries {
                names.insert(entry.key.clone());
                let Some(own) = entry.node.as_table() else { continue };
                let mut table = defaults.clone();
                overlay(&mut table, own, kind);
                for profile in profiles(manifest, document, profile) {
                    overlay(&mut table, profile.table("app").table(&entry.key), kind);
                }
                let mut filling = Filling::default();
                variables.fill(&mut table, &mut filling);
                findings.append(&mut filling.findings);
                findings.extend(check_table(&mut table, kind, &format!("app.{}", entry.key), Phase::Filled));
                unset.extend(filling.unset.into_iter().map(|finding| (Some(entry.key.clone()), finding)));
                apps.push(AppView {
                    name: entry.key.clone(),
                    declared_at: entry.key_span,
                    directory: document.directory.clone(),
                    table,
                });
            }
        }
        let view = View {
            manifest,
            apps,
            names,
            cycles: Vec::new(),
            is_local: chosen.target.is_local(),
            project: chosen.project.value.clone(),
            domain: chosen.domain.value.clone(),
        };
        Self { view, chosen, findings, secrets, unset }
    }

    /// The graph of the apps. Where there are circles it has no edges, and the view knows the circles.
    pub fn graph(&mut self) -> Graph {
        let mut edges: BTreeMap<AppName, BTreeSet<AppName>> = BTreeMap::new();
        for app in &self.view.apps {
            if let Ok(name) = AppName::new(app.name.as_str()) {
                let needed = app.needs();
                edges.entry(name).or_default().extend(needed.iter().filter_map(|need| AppName::new(need.app).ok()));
            }
        }
        let names: Vec<AppName> = edges.keys().cloned().collect();
        Graph::new(edges).unwrap_or_else(|cycles| {
            self.view.cycles = cycles.into_iter().map(|cycle| cycle.0).collect();
            Graph::new(names.into_iter().map(|name| (name, BTreeSet::new())).collect()).unwrap_or_default()
        })
    }
}

/// The tables of the chosen profile: the root's, then the member's own.
pub(super) fn profiles<'a>(manifest: &'a Manifest, document: &'a Document, profile: Option<&str>) -> Vec<&'a Table> {
    let root = manifest.root_document();
    let documents = if document.file == root.file { vec![root] } else { vec![root, document] };
    let Some(name) = profile else { return Vec::new() };
    documents.into_iter().map(|document| document.table.table("profile").table(name)).collect()
}

pub fn variables(manifest: &Manifest, document: &Document, selection: &Selection) -> Variables {
    let profiles = profiles(manifest, document, selection.profile.as_deref());
    let written = [manifest.root_document().table.table("vars"), document.table.table("vars")];
    let tables = written.into_iter().chain(profiles.into_iter().map(|profile| profile.table("vars")));
    Variables::new(tables, &selection.environment, manifest.incomplete)
}

fn defaults(manifest: &Manifest, document: &Document, profile: Option<&str>, kind: &TableType) -> Table {
    let mut defaults = manifest.root_document().table.table("defaults").clone();
    if document.file != manifest.root_document().file {
        overlay(&mut defaults, document.table.table("defaults"), kind);
    }
    for profile in profiles(manifest, document, profile) {
        overlay(&mut defaults, profile.table("defaults"), kind);
    }
    defaults
}

pub fn unknown_profile(manifest: &Manifest, name: &str) -> Option<Diagnostic> {
    let known = manifest.profiles();
    if known.contains(&name) || manifest.incomplete {
        return None;
    }
    let help = match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("the manifest declares no profiles; `[profile.{name}]` would be one"),
        None => format!("declared are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    Some(Diagnostic::error(codes::UNKNOWN_PROFILE, format!("there is no profile `{name}`")).help(help))
}
