//! Rules that cross keys, one file each.
//!
//! [`across_texts`] holds whatever profile is chosen. [`check`] looks at apps with their defaults and profile merged
//! in and variables filled in. A rule says nothing about what another has already found: mistaken values are skipped,
//! and where text was lost nothing is called absent.

mod code_bundle;
mod conflicting_root;
mod credentials;
mod cycle;
mod duplicate_app;
mod external;
mod knative_name;
mod parameters;
mod placement;
mod pod_containers;
mod pod_template;
mod profile_apps;
mod python_module;
mod replicas;
mod resources;
mod runnable;
mod secrets;
mod shell_line;
mod source_files;
mod starter;
pub mod targets;
mod unknown_app;
mod unused;
mod variables;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use resources::{amount_text, asked};
pub use variables::secret_variable;

use super::{Manifest, Node, Table};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::AppName;

/// The apps under one profile.
pub struct View<'a> {
    pub manifest: &'a Manifest,
    /// In the order of texts; also those whose name is not allowed, or another's.
    pub apps: Vec<AppView>,
    /// The names of all apps, those included whose tables are mistaken as a whole.
    pub names: BTreeSet<String>,
    /// Closed paths: each app needs the next, the last the first.
    pub cycles: Vec<Vec<AppName>>,
    /// The apps go to the embedded control plane.
    pub is_local: bool,
    pub project: Option<String>,
    pub domain: Option<String>,
}

/// An app with its defaults and profile merged in and variables filled in.
#[derive(Debug, Clone)]
pub struct AppView {
    /// As written.
    pub name: String,
    /// The name, where the app is declared.
    pub declared_at: Span,
    /// Of the text that declares it.
    pub directory: PathBuf,
    pub table: Table,
}

/// What one app needs another for.
pub struct Need<'a> {
    pub app: &'a str,
    pub span: Span,
    /// The variable or parameter that holds the other's URL.
    pub variable: Option<&'a str>,
    pub wait: bool,
}

/// An app whose URL another one is given.
pub struct Endpoint<'a> {
    pub app: &'a str,
    pub span: Span,
    /// The variable or parameter that holds the URL.
    pub variable: &'a str,
    /// Where it is said that the app is deployed elsewhere.
    pub external: Option<Span>,
    /// Where it is said that its URL alone is wanted.
    pub apart: Option<Span>,
}

impl AppView {
    /// Those in `env`, then those among the parameters.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint<'_>> {
        let entries = ["env", "parameters"].into_iter().flat_map(|key| &self.table.table(key).entries);
        entries.filter_map(|entry| {
            let table = entry.node.as_table()?;
            let app = table.get("endpoint")?;
            // What is mistaken is somebody else's finding.
            let external = table.entry("external").filter(|said| said.node.as_boolean() != Some(false));
            let external = external.map(|said| said.key_span);
            let apart = table.entry("depends").filter(|said| said.node.as_boolean() == Some(false));
            let apart = apart.map(|said| said.key_span);
            Some(Endpoint { app: app.as_text()?, span: app.span, variable: &entry.key, external, apart })
        })
    }

    /// Dependencies as written, then the endpoints of other apps that are deployed here.
    pub fn needs(&self) -> Vec<Need<'_>> {
        let written = self.table.get("depends_on").map_or(&[][..], Node::elements);
        let written = written.iter().filter_map(|node| match node.as_table() {
            Some(table) => {
                let wait = table.get("wait").and_then(Node::as_boolean).unwrap_or(true);
                let app = table.get("app")?;
                Some(Need { app: app.as_text()?, span: app.span, variable: None, wait })
            }
            None => Some(Need { app: node.as_text()?, span: node.span, variable: None, wait: true }),
        });
        let is_edge = |endpoint: &Endpoint<'_>| {
            endpoint.external.is_none() && endpoint.apart.is_none() && endpoint.app != self.name
        };
        let endpoints = self.endpoints().filter(is_edge);
        let endpoints = endpoints.map(|endpoint| {
            let Endpoint { app, span, variable, .. } = endpoint;
            Need { app, span, variable: Some(variable), wait: true }
        });
        written.chain(endpoints).collect()
    }
}

/// Rules over the texts as written. Takes out of members what belongs to the root.
pub fn across_texts(manifest: &mut Manifest) -> Vec<Diagnostic> {
    let mut findings = conflicting_root::check(manifest);
    findings.extend(duplicate_app::check(manifest));
    findings.extend(profile_apps::check(manifest));
    findings.extend(targets::check(manifest));
    findings.extend(unused::check(manifest));
    findings
}

/// Rules over the apps under one profile.
pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    const RULES: [fn(&View<'_>) -> Vec<Diagnostic>; 19] = [
        credentials::check,
        cycle::check,
        external::check,
        knative_name::check,
        parameters::check,
        code_bundle::check,
        placement::check,
        pod_template::check,
        pod_containers::check,
        python_module::check,
        replicas::check,
        resources::check,
        runnable::check,
        secrets::check,
        shell_line::check,
        source_files::check,
        starter::check,
        unknown_app::check,
        variables::check,
    ];
    RULES.iter().flat_map(|rule| rule(view)).collect()
}
