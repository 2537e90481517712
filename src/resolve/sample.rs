//! A small project for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::{Graph, Project, Target};
use crate::diagnostic::{Diagnostics, FileId, SourceMap, Span};
use crate::model::resources::Resources;
use crate::model::{Activation, App, Ingress, Mask, Placement, Port, Ready, Scaling, Scope, Source, Timeouts};

/// An app with nothing but a name, declared in `/w/flyte.toml`.
pub fn app(name: &str) -> App {
    App {
        name: name.parse().unwrap(),
        declared_at: Span::new(FileId(0), 0..0),
        directory: PathBuf::from("/w"),
        description: None,
        kind: None,
        image: None,
        command: None,
        args: Vec::new(),
        port: Port { number: 8080, name: None },
        python: None,
        env: Vec::new(),
        secrets: None,
        parameters: Vec::new(),
        depends_on: Vec::new(),
        external: Vec::new(),
        apart: Default::default(),
        activation: Activation::Manual,
        source: None,
        code_bundle: None,
        code_dest: ".".to_owned(),
        resources: Resources::default(),
        scaling: Scaling { min: 0, max: 1, metric: None, scaledown_after: None },
        ingress: Ingress::default(),
        requires_auth: true,
        links: Vec::new(),
        ready: Ready { http: None, within: Duration::from_secs(300) },
        timeouts: Timeouts::default(),
        placement: Placement::default(),
        service_account: None,
        pod_template: None,
        spans: BTreeMap::new(),
    }
}

/// An app that packs what lies below a directory.
pub fn app_from(name: &str, root: impl Into<PathBuf>, include: &[&str], exclude: &[&str]) -> App {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    App { source: Some(Source { root: root.into(), include: texts(include), exclude: texts(exclude) }), ..app(name) }
}

/// The project `shop` in `proj/development` of `acme`.
pub fn project(apps: impl IntoIterator<Item = App>) -> Project {
    let apps: BTreeMap<_, _> = apps.into_iter().map(|app| (app.name.clone(), app)).collect();
    let edges = apps.iter().map(|(name, app)| {
        (name.clone(), app.depends_on.iter().map(|dependency| dependency.app.clone()).collect::<BTreeSet<_>>())
    });
    let mut sources = SourceMap::default();
    sources.add("flyte.toml", "");
    Project {
        owner: "shop".to_owned(),
        mask: Mask::new("shop"),
        scope: Scope { org: "acme".to_owned(), project: "proj".to_owned(), domain: "development".to_owned() },
        target: Target::local(),
        releases: super::ReleaseStore::Directory(PathBuf::from("/w/.flyte/releases")),
        root: PathBuf::from("/w"),
        declared: apps.keys().cloned().collect(),
        is_narrowed: false,
        graph: Graph::new(edges.collect()).unwrap(),
        diagnostics: Diagnostics::new(sources, Vec::new()),
        settings: Vec::new(),
        apps,
    }
}
