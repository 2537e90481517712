//! A checked table to the app it declares.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::parameters::parameters;
use super::resources::resources;
use crate::diagnostic::Span;
use crate::manifest::pod::template;
use crate::manifest::rules::{AppView, secret_variable};
use crate::manifest::{Manifest, Node, Table, Value, format, normal};
use crate::model::{
    Activation, App, AppName, CodeBundle, Dependency, DomainSuffix, EnvValue, External, Ingress, Link, Metric,
    Placement, Port, Ready, Scaling, SecretRef, SecretTarget, Source, Subdomain, Timeouts, key_path,
};

/// Apps wait this long for readiness unless told otherwise.
const DEFAULT_WITHIN: Duration = Duration::from_secs(300);
const DEFAULT_PORT: u16 = 8080;

/// The table is free of mistakes: schema and rules have seen it.
pub fn app(manifest: &Manifest, name: &AppName, view: &AppView) -> App {
    let table = &view.table;
    let text = |key: &str| table.text(key).map(str::to_owned);
    App {
        name: name.clone(),
        declared_at: view.declared_at,
        directory: view.directory.clone(),
        description: text("description"),
        kind: text("type"),
        image: text("image"),
        command: table.get("command").map(words),
        args: table.get("args").map(words).unwrap_or_default(),
        python: text("python"),
        port: port(table),
        env: env(table),
        secrets: table.get("secrets").map(|node| node.elements().iter().filter_map(secret).collect()),
        parameters: parameters(table.table("parameters")),
        depends_on: dependencies(view),
        external: external(view),
        apart: view
            .endpoints()
            .filter(|endpoint| endpoint.apart.is_some())
            .filter_map(|endpoint| AppName::new(endpoint.app).ok())
            .collect(),
        activation: if table.text("activation") == Some("auto") { Activation::Auto } else { Activation::Manual },
        source: source(table, &view.directory),
        code_bundle: stored_code(table),
        code_dest: dest(table).unwrap_or(".").to_owned(),
        resources: resources(table.table("resources")),
        scaling: scaling(table.table("scaling")),
        ingress: ingress(table.table("ingress")),
        requires_auth: table.get("requires_auth").and_then(Node::as_boolean).unwrap_or(true),
        links: table.get("links").map_or(&[][..], Node::elements).iter().filter_map(link).collect(),
        ready: Ready {
            http: table.table("ready").text("http").map(str::to_owned),
            within: duration(table.table("ready").get("within")).unwrap_or(DEFAULT_WITHIN),
        },
        timeouts: Timeouts { request: duration(table.table("timeouts").get("request")) },
        placement: Placement { cluster: text("cluster"), pool: text("cluster_pool") },
        service_account: text("service_account"),
        pod_template: table
            .get("pod_template")
            .and_then(|node| template(manifest, &view.directory, node).ok().flatten()),
        spans: spans(table),
    }
}

/// A list as it is, a text split into words.
fn words(node: &Node) -> Vec<String> {
    match node.as_text() {
        Some(text) => format::words(text).unwrap_or_default(),
        None => texts(Some(node)),
    }
}

pub(super) fn texts(list: Option<&Node>) -> Vec<String> {
    let nodes = list.map_or(&[][..], Node::elements);
    nodes.iter().filter_map(|node| node.as_text().map(str::to_owned)).collect()
}

fn duration(node: Option<&Node>) -> Option<Duration> {
    format::duration(node?.as_text()?).ok()
}

fn port(table: &Table) -> Port {
    let number = |node: &Node| node.as_integer().and_then(|number| u16::try_from(number).ok());
    match table.get("port") {
        Some(node) => match node.as_table() {
            Some(inner) => Port {
                number: inner.get("number").and_then(number).unwrap_or(DEFAULT_PORT),
                name: inner.text("name").map(str::to_owned),
            },
            None => Port { number: number(node).unwrap_or(DEFAULT_PORT), name: None },
        },
        None => Port { number: DEFAULT_PORT, name: None },
    }
}

fn env(table: &Table) -> Vec<(String, EnvValue)> {
    let value = |node: &Node| match node.as_table() {
        Some(inner) => Some(EnvValue::Endpoint {
            app: AppName::new(inner.text("endpoint")?).ok()?,
            public: inner.get("public").and_then(Node::as_boolean).unwrap_or(false),
        }),
        None => node.as_text().map(|text| EnvValue::Text(text.to_owned())),
    };
    let entries = &table.table("env").entries;
    entries.iter().filter_map(|entry| Some((entry.key.clone(), value(&entry.node)?))).collect()
}

fn secret(node: &Node) -> Option<SecretRef> {
    let target = secret_variable(node).map_or(SecretTarget::File, |(variable, _)| SecretTarget::Variable(variable));
    Some(match node.as_table() {
        Some(table) => {
            SecretRef { key: table.text("key")?.to_owned(), group: table.text("group").map(str::to_owned), target }
        }
        None => SecretRef { key: node.as_text()?.to_owned(), group: None, target },
    })
}

fn ingress(table: &Table) -> Ingress {
    let subdomain = table.get("subdomain").and_then(|node| match node.as_table() {
        Some(inner) => Some(Subdomain::Named {
            prefix: inner.text("app_name")?.to_owned(),
            suffix: match inner.text("project_domain_suffix") {
                Some("default") => DomainSuffix::Full,
                _ => DomainSuffix::Hash,
            },
        }),
        None => node.as_text().map(|text| Subdomain::Text(text.to_owned())),
    });
    Ingress {
        subdomain,
        custom_domain: table.text("custom_domain").map(str::to_owned),
        private: table.get("private").and_then(Node::as_boolean).unwrap_or(false),
    }
}

/// Each app once; it is waited for if any of the needs waits.
fn dependencies(view: &AppView) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    for need in view.needs() {
        let Ok(app) = AppName::new(need.app) else { continue };
        match found.iter_mut().find(|dependency| dependency.app == app) {
            Some(known) => known.wait |= need.wait,
            None => found.push(Dependency { app, wait: need.wait, span: need.span }),
        }
    }
    found
}

/// Each app once, where it is named first.
fn external(view: &AppView) -> Vec<External> {
    let mut found: Vec<External> = Vec::new();
    for endpoint in view.endpoints().filter(|endpoint| endpoint.external.is_some()) {
        let Ok(app) = AppName::new(endpoint.app) else { continue };
        if found.iter().all(|known| known.app != app) {
            found.push(External { app, span: endpoint.span });
        }
    }
    found
}

fn source(table: &Table, directory: &Path) -> Option<Source> {
    let more = texts(table.get("include"));
    let Some(node) = table.get("source") else {
        return table.get("include").map(|_| Source { root: directory.to_owned(), include: more, exclude: Vec::new() });
    };
    let inner = table.table("source");
    let root = node.as_text().or_else(|| inner.text("root")).unwrap_or(".");
    let mut include = texts(inner.get("include"));
    if include.is_empty() && !more.is_empty() {
        // Everything, and by name what is not packed otherwise.
        include.push("**".to_owned());
    }
    include.extend(more);
    Some(Source { root: normal(&directory.join(root)), include, exclude: texts(inner.get("exclude")) })
}

fn stored_code(table: &Table) -> Option<CodeBundle> {
    let inner = table.table("code_bundle");
    let uri = table.text("code_bundle").or_else(|| inner.text("uri"))?.to_owned();
    Some(CodeBundle { uri, pickled: inner.get("pickled").and_then(Node::as_boolean).unwrap_or(false) })
}

fn dest(table: &Table) -> Option<&str> {
    table.table("source").text("dest").or_else(|| table.table("code_bundle").text("dest"))
}

fn scaling(table: &Table) -> Scaling {
    let count = |node: Option<&Node>| node.and_then(Node::as_integer).and_then(|number| u32::try_from(number).ok());
    let replicas = table.get("replicas");
    let bounds = table.table("replicas");
    let (min, max) = match count(replicas) {
        Some(number) => (number, number),
        None => (count(bounds.get("min")).unwrap_or(0), count(bounds.get("max")).unwrap_or(1)),
    };
    let metric = table.table("metric");
    let concurrency = count(metric.get("concurrency")).map(Metric::Concurrency);
    let metric = concurrency.or_else(|| count(metric.get("request_rate")).map(Metric::RequestRate));
    Scaling { min, max, metric, scaledown_after: duration(table.get("scaledown_after")) }
}

fn link(node: &Node) -> Option<Link> {
    let table = node.as_table()?;
    Some(Link {
        path: table.text("path")?.to_owned(),
        title: table.text("title").unwrap_or_default().to_owned(),
        is_relative: table.get("is_relative").and_then(Node::as_boolean).unwrap_or(false),
    })
}

/// Every key path within the app, with the text that set it. Short forms are listed under the long keys too.
fn spans(table: &Table) -> BTreeMap<String, Span> {
    let mut spans = BTreeMap::new();
    collect(table, "", &mut spans);
    for (short, long) in [
        ("port", &["port.number"][..]),
        ("scaling.replicas", &["scaling.replicas.min", "scaling.replicas.max"]),
        ("code_bundle", &["code_bundle.uri"]),
        ("source", &["source.root"]),
        ("resources.cpu", &["resources.cpu.request"]),
        ("resources.memory", &["resources.memory.request"]),
    ] {
        let path: Vec<&str> = short.split('.').collect();
        if let Some(node) = table.at(&path).filter(|node| node.as_table().is_none()) {
            spans.extend(long.iter().map(|long| ((*long).to_owned(), node.span)));
        }
    }
    for node in table.get("secrets").map_or(&[][..], Node::elements) {
        if let Some((variable, _)) = secret_variable(node) {
            spans.insert(key_path("secrets", &variable), node.span);
        } else if let Some(key) = node.as_table().and_then(|table| table.text("key")) {
            spans.insert(key_path("secrets", key), node.span);
        }
    }
    spans
}

fn collect(table: &Table, prefix: &str, spans: &mut BTreeMap<String, Span>) {
    for entry in &table.entries {
        let path = key_path(prefix, &entry.key);
        spans.insert(path.clone(), entry.node.span);
        if let Value::Table(inner) = &entry.node.value {
            collect(inner, &path, spans);
        }
    }
}
