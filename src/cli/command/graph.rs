//! `flyte graph`: who needs whom, as text, for Graphviz or for Mermaid.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::model::{App, AppName};
use crate::pipeline;
use crate::resolve::Graph;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Only this app and what it depends on; repeatable
    #[arg(long = "app", value_name = "NAME")]
    apps: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One app per line, in the order of deployment
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
}

/// # Errors
/// The manifest has mistakes.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(&args.apps)?;
    let project = pipeline::load(&context.files(), &request)?;
    let graph = &project.graph;
    let of = |app: &App| app.external.iter().map(|external| external.app.clone()).collect();
    let external: External = project.apps.iter().map(|(name, app)| (name.clone(), of(app))).collect();
    let text = match args.format {
        Format::Text => text(graph, &external),
        Format::Dot => dot(&project.owner, graph, &external),
        Format::Mermaid => mermaid(graph, &external),
    };
    let apps: Vec<_> = graph
        .order()
        .iter()
        .map(|name| {
            let waits = |other: &AppName| project.apps[name].depends_on.iter().any(|d| d.app == *other && d.wait);
            let needs: Vec<_> = graph.dependencies(name).map(|on| json!({ "app": on, "wait": waits(on) })).collect();
            json!({ "name": name, "depends_on": needs, "external": external[name] })
        })
        .collect();
    Ok(Answer::text(text).with("apps", apps).diagnostics(project.diagnostics))
}

/// The apps deployed elsewhere that each app is given the endpoints of.
type External = BTreeMap<AppName, BTreeSet<AppName>>;

fn text(graph: &Graph, external: &External) -> String {
    let width = graph.order().iter().map(|name| name.as_str().len()).max().unwrap_or(0);
    let line = |name: &AppName| {
        let elsewhere = external.get(name).into_iter().flatten().map(|other| format!("{other} (external)"));
        let needs: Vec<String> = graph.dependencies(name).map(ToString::to_string).chain(elsewhere).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("  needs {}", needs.join(", ")) };
        format!("{}\n", format!("{name:width$}{needs}").trim_end())
    };
    graph.order().iter().map(line).collect()
}

fn dot(owner: &str, graph: &Graph, external: &External) -> String {
    let mut text = format!("digraph \"{}\" {{\n  rankdir = LR;\n", owner.replace('\\', "\\\\").replace('"', "\\\""));
    for name in graph.order() {
        text.push_str(&format!("  \"{name}\";\n"));
        for needed in graph.dependencies(name) {
            text.push_str(&format!("  \"{name}\" -> \"{needed}\";\n"));
        }
    }
    for name in external.values().flatten().collect::<BTreeSet<_>>() {
        text.push_str(&format!("  \"{name}\" [style = dashed];\n"));
    }
    for (name, other) in pairs(external) {
        text.push_str(&format!("  \"{name}\" -> \"{other}\" [style = dashed];\n"));
    }
    text.push_str("}\n");
    text
}

/// Names are quoted: `end`, for one, is a word of Mermaid.
fn mermaid(graph: &Graph, external: &External) -> String {
    let number = |name: &AppName| graph.order().iter().position(|other| other == name).unwrap_or_default();
    let mut text = String::from("graph LR\n");
    for (at, name) in graph.order().iter().enumerate() {
        text.push_str(&format!("  a{at}[\"{name}\"]\n"));
        for needed in graph.dependencies(name) {
            text.push_str(&format!("  a{at} --> a{}\n", number(needed)));
        }
    }
    let elsewhere: BTreeSet<&AppName> = external.values().flatten().collect();
    let place = |name: &AppName| elsewhere.iter().position(|other| *other == name).unwrap_or_default();
    for (at, name) in elsewhere.iter().enumerate() {
        text.push_str(&format!("  e{at}([\"{name}\"])\n"));
    }
    for (name, other) in pairs(external) {
        text.push_str(&format!("  a{} -.-> e{}\n", number(name), place(other)));
    }
    text
}

fn pairs(external: &External) -> impl Iterator<Item = (&AppName, &AppName)> {
    external.iter().flat_map(|(name, others)| others.iter().map(move |other| (name, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_shows_apps_and_edges() {
        let name = |text: &str| AppName::new(text).unwrap();
        let edges = [(name("web"), [name("api")].into()), (name("api"), [].into())];
        let graph = Graph::new(edges.into()).unwrap();
        let external = External::from([(name("api"), [name("search")].into()), (name("web"), [].into())]);
        assert_eq!(text(&graph, &external), "api  needs search (external)\nweb  needs api\n");
        assert_eq!(
            dot("shop", &graph, &external),
            "digraph \"shop\" {\n  rankdir = LR;\n  \"api\";\n  \"web\";\n  \"web\" -> \"api\";\n  \"search\" [style = dashed];\n  \"api\" -> \"search\" [style = dashed];\n}\n"
        );
        assert_eq!(
            mermaid(&graph, &external),
            "graph LR\n  a0[\"api\"]\n  a1[\"web\"]\n  a1 --> a0\n  e0([\"search\"])\n  a0 -.-> e0\n"
        );
    }
}
