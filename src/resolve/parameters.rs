//! A checked `parameters` table to the inputs of an app.

use super::app::texts;
use crate::manifest::{Node, Table};
use crate::model::AppName;
use crate::model::parameter::{Artifact, Parameter, ParameterKind, ParameterValue, RunChoice, RunOutput, TaskVersion};

pub fn parameters(table: &Table) -> Vec<Parameter> {
    table.entries.iter().filter_map(|entry| parameter(&entry.key, &entry.node)).collect()
}

fn parameter(name: &str, node: &Node) -> Option<Parameter> {
    let plain = Parameter {
        name: name.to_owned(),
        value: ParameterValue::Text(node.as_text().unwrap_or_default().to_owned()),
        kind: None,
        env: None,
        download: true,
        mount: None,
        ignore_patterns: Vec::new(),
    };
    let Some(table) = node.as_table() else { return node.as_text().map(|_| plain) };
    let text = |key: &str| table.text(key).map(str::to_owned);
    Some(Parameter {
        value: value(table)?,
        kind: table.text("type").and_then(kind),
        env: text("env"),
        download: table.get("download").and_then(Node::as_boolean).unwrap_or(true),
        mount: text("mount"),
        ignore_patterns: texts(table.get("ignore_patterns")),
        ..plain
    })
}

fn kind(text: &str) -> Option<ParameterKind> {
    [ParameterKind::Text, ParameterKind::File, ParameterKind::Directory].into_iter().find(|kind| kind.as_str() == text)
}

fn value(table: &Table) -> Option<ParameterValue> {
    let text = |key: &str| table.text(key).map(str::to_owned);
    let endpoint = || {
        let public = table.get("public").and_then(Node::as_boolean).unwrap_or(false);
        Some(ParameterValue::Endpoint { app: AppName::new(table.text("endpoint")?).ok()?, public })
    };
    text("value")
        .map(ParameterValue::Text)
        .or_else(|| text("file").map(ParameterValue::File))
        .or_else(|| text("directory").map(ParameterValue::Directory))
        .or_else(endpoint)
        .or_else(|| run_output(table.get("run_output")?.as_table()?).map(ParameterValue::RunOutput))
        .or_else(|| artifact(table.get("artifact")?.as_table()?).map(ParameterValue::Artifact))
}

fn run_output(table: &Table) -> Option<RunOutput> {
    let getter = table.get("getter").map_or(&[][..], Node::elements);
    let getter: Vec<u32> = getter.iter().filter_map(|node| u32::try_from(node.as_integer()?).ok()).collect();
    let of = match table.text("run_name") {
        Some(run) => RunChoice::Run(run.to_owned()),
        None => RunChoice::Task {
            name: table.text("task_name")?.to_owned(),
            version: match (table.text("task_version"), table.text("task_auto_version")) {
                (Some(version), _) => TaskVersion::Exact(version.to_owned()),
                (None, Some(_)) => TaskVersion::Latest,
                (None, None) => TaskVersion::Any,
            },
        },
    };
    let getter = if getter.is_empty() { vec![0] } else { getter };
    Some(RunOutput { kind: kind(table.text("type")?)?, of, getter })
}

fn artifact(table: &Table) -> Option<Artifact> {
    let text = |key: &str| table.text(key).map(str::to_owned);
    Some(Artifact {
        name: text("name")?,
        version: text("version"),
        project: text("project"),
        domain: text("domain"),
        kind: table.text("type").and_then(kind),
    })
}
