//! Folds profile, workspace, flags and an environment snapshot into a [`Project`]: one meaning, nothing inherited.

mod app;
mod choose;
mod draft;
mod graph;
mod merge;
mod parameters;
mod project;
mod resources;
#[cfg(test)]
pub mod sample;
mod settings;
mod vars;

use std::collections::{BTreeMap, BTreeSet};

pub use graph::{Cycle, Graph};
pub use project::{Layer, Origin, Project, Selection, Setting, Target};

use crate::diagnostic::{Diagnostic, Diagnostics, Invalid, Severity, Span, codes};
use crate::manifest::suggest::did_you_mean;
use crate::manifest::{Manifest, rules};
use crate::model::{AppName, Scope};
use draft::Draft;

/// What the manifest means under `selection`.
///
/// # Errors
/// Every mistake of every text under this selection.
pub fn resolve(manifest: &Manifest, selection: &Selection) -> Result<Project, Invalid> {
    let mut draft = Draft::new(manifest, selection);
    let graph = draft.graph();
    let selected = selected(&draft, &graph, selection);
    let mut findings = manifest.findings.clone();
    findings.append(&mut draft.findings);
    findings.extend(rules::check(&draft.view));
    findings.extend(choose::missing_scope(manifest, &draft.chosen));
    match &selected {
        Ok(names) => findings.extend(
            draft
                .unset
                .iter()
                .filter(|(app, _)| app.as_ref().is_none_or(|app| names.contains(app)))
                .map(|(_, finding)| finding.clone()),
        ),
        Err(unknown) => findings.extend(unknown.iter().cloned()),
    }
    let diagnostics = Diagnostics::new(manifest.sources.clone(), once_each(findings));
    let (Some(scope), Ok(names), false) = (draft.chosen.scope(), selected, diagnostics.has_errors()) else {
        return Err(Invalid(diagnostics));
    };
    Ok(project(manifest, selection, &draft, scope, &graph.restrict(&names), diagnostics))
}

fn project(
    manifest: &Manifest,
    selection: &Selection,
    draft: &Draft<'_>,
    scope: Scope,
    graph: &Graph,
    diagnostics: Diagnostics,
) -> Project {
    let mut apps = BTreeMap::new();
    for view in draft.view.apps.iter().filter(|view| graph.order().contains(&view.name)) {
        apps.insert(view.name.clone(), app::app(manifest, view));
    }
    let mut declared: Vec<AppName> = draft.view.apps.iter().map(|view| view.name.clone()).collect();
    declared.sort();
    Project {
        owner: draft.chosen.name.value.clone().unwrap_or_default(),
        scope,
        target: draft.chosen.target.clone(),
        root: manifest.root.clone(),
        apps,
        declared,
        graph: graph.clone(),
        diagnostics,
        settings: settings::settings(manifest, selection, draft),
    }
}

/// Every mistake of every text, without a profile and under each. An environment variable that is missing is a
/// warning, since a check often runs where it is not set; so is nothing about `project` and `domain`, which may be
/// given as flags.
pub fn check_all(manifest: &Manifest, environment: &BTreeMap<String, String>) -> Diagnostics {
    let mut findings = manifest.findings.clone();
    let profiles = manifest.profiles().into_iter().map(|name| Some(name.to_owned()));
    let mut seen: BTreeSet<Place> = findings.iter().map(place).collect();
    for profile in std::iter::once(None).chain(profiles) {
        let selection =
            Selection { profile: profile.clone(), environment: environment.clone(), ..Selection::default() };
        let mut draft = Draft::new(manifest, &selection);
        draft.graph();
        let mut found = std::mem::take(&mut draft.findings);
        found.extend(rules::check(&draft.view));
        found.extend(draft.unset.into_iter().map(|(_, finding)| Diagnostic { severity: Severity::Warning, ..finding }));
        for finding in found {
            if seen.insert(place(&finding)) {
                findings.push(match &profile {
                    Some(name) => under_profile(manifest, name, finding),
                    None => finding,
                });
            }
        }
    }
    Diagnostics::new(manifest.sources.clone(), findings)
}

/// What makes two findings the same: what is said about which places.
type Place = (&'static str, Vec<Span>, String);

fn place(finding: &Diagnostic) -> Place {
    let spans: Vec<Span> = finding.labels.iter().map(|label| label.span).collect();
    // A value of the defaults is wrong once, however many apps inherit it.
    let message = if spans.is_empty() { finding.message.clone() } else { String::new() };
    (finding.code.0, spans, message)
}

fn once_each(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    findings.into_iter().filter(|finding| seen.insert(place(finding))).collect()
}

/// Adds the profile to a finding that does not point into it.
fn under_profile(manifest: &Manifest, name: &str, finding: Diagnostic) -> Diagnostic {
    let entries = manifest.documents.iter().filter_map(|document| document.table.table("profile").entry(name));
    let mut inside = BTreeSet::new();
    let mut first = None;
    for entry in entries {
        first = first.or(Some(entry.key_span));
        if let Some(table) = entry.node.as_table() {
            merge::each_node(table, &mut |span| {
                inside.insert(span);
            });
        }
    }
    let points_into_it = finding.labels.iter().any(|label| inside.contains(&label.span));
    match first {
        Some(span) if !points_into_it => finding.label(span, "under this profile"),
        _ => finding,
    }
}

/// The apps asked for and all they depend on.
fn selected(draft: &Draft<'_>, graph: &Graph, selection: &Selection) -> Result<BTreeSet<AppName>, Vec<Diagnostic>> {
    if selection.apps.is_empty() {
        return Ok(graph.order().iter().cloned().collect());
    }
    let mut names = Vec::new();
    let mut unknown = Vec::new();
    for text in &selection.apps {
        match draft.view.apps.iter().find(|app| app.name.as_str() == text) {
            Some(app) => names.push(app.name.clone()),
            None => {
                let all = || draft.view.apps.iter().map(|app| app.name.as_str());
                let help = match did_you_mean(text, all()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if draft.view.apps.is_empty() => "the manifest declares no apps".to_owned(),
                    None => format!(
                        "declared are {}",
                        all().take(20).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
                    ),
                };
                unknown.push(Diagnostic::error(codes::UNKNOWN_APP, format!("there is no app `{text}`")).help(help));
            }
        }
    }
    if unknown.is_empty() { Ok(graph.closure(names)) } else { Err(unknown) }
}
