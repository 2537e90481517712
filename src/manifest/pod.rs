//! Pod templates: tables of a manifest, or files of YAML or JSON that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::kubernetes::{label_key, label_value};
use super::paths::{layers, normal};
use super::{Manifest, Node, Value};
use crate::diagnostic::{Diagnostic, FileId, Span, byte_at, codes};
use crate::model::pod::{APP_CONTAINER, PodTemplate};
use crate::port::Files;

/// The greatest size of a pod file.
const MAX_BYTES: usize = 1 << 20;

/// What is at a path that a text names as `pod_template`.
#[derive(Debug, Clone)]
pub enum PodFile {
    Missing,
    /// There, but no text that can be read.
    Unreadable(String),
    /// Not YAML.
    Broken {
        at: Span,
        message: String,
    },
    Read {
        file: FileId,
        pod: Json,
    },
}

/// Reads the files that literal paths name; each becomes one of the manifest's sources.
pub fn read(files: &dyn Files, manifest: &mut Manifest) -> BTreeMap<PathBuf, PodFile> {
    let paths = named(manifest);
    paths.into_iter().map(|path| (path.clone(), read_one(files, manifest, &path))).collect()
}

fn named(manifest: &Manifest) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    for (document, tables) in layers(manifest) {
        let texts = tables.into_iter().filter_map(|table| table.text("pod_template"));
        let literal = texts.filter(|text| !text.contains("${")).map(|text| normal(&document.directory.join(text)));
        paths.extend(literal.filter(|path| path.starts_with(&manifest.root)));
    }
    paths
}

fn read_one(files: &dyn Files, manifest: &mut Manifest, path: &Path) -> PodFile {
    if files.kind(path).is_none() {
        return PodFile::Missing;
    }
    let text = match files.read_text(path) {
        Ok(text) if text.len() <= MAX_BYTES => text,
        Ok(text) => return PodFile::Unreadable(format!("it has {} bytes, at most {MAX_BYTES} are read", text.len())),
        Err(error) => return PodFile::Unreadable(error.to_string()),
    };
    let shown = path.strip_prefix(&manifest.root).unwrap_or(path).to_owned();
    let file = manifest.sources.add(shown, text.as_str());
    // JSON is YAML.
    match serde_saphyr::from_str::<Json>(&text) {
        Ok(pod) => PodFile::Read { file, pod },
        Err(error) => {
            let error = error.without_snippet();
            let place = error.location().map(|place| (place.line(), place.column()));
            let offset = place.map_or(0, |(line, column)| {
                byte_at(&text, usize::try_from(line).unwrap_or(1), usize::try_from(column).unwrap_or(1))
            });
            let whole = error.to_string();
            // The place is told by the label.
            let message = whole.split_once(": ").map_or(whole.as_str(), |(_, rest)| rest);
            let message =
                message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map_or(message, |(_, m)| m);
            PodFile::Broken {
                at: Span::new(file, offset..offset),
                message: message.lines().next().unwrap_or("").to_owned(),
            }
        }
    }
}

/// What the `pod_template` of an app in `directory` says. `None` where a mistake was told already.
///
/// # Errors
/// Everything wrong with it.
pub fn template(manifest: &Manifest, directory: &Path, node: &Node) -> Result<Option<PodTemplate>, Vec<Diagnostic>> {
    match &node.value {
        Value::Text(text) => from_file(manifest, directory, text, node.span).map(Some),
        Value::Table(table) => {
            let json = match table.get("pod_spec") {
                Some(spec) => spec.value.to_json(),
                None => Some(Json::Null),
            };
            let Some(json) = json else { return Ok(None) };
            let texts = |key: &str| {
                let entries = &table.table(key).entries;
                entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.node.as_text()?.to_owned()))).collect()
            };
            let spec = json.as_object().cloned().unwrap_or_default();
            let at = table.get("pod_spec").map_or(node.span, |node| node.span);
            containers(&spec, at)?;
            Ok(Some(PodTemplate { labels: texts("labels"), annotations: texts("annotations"), spec }))
        }
        _ => Ok(None),
    }
}

fn from_file(manifest: &Manifest, directory: &Path, text: &str, span: Span) -> Result<PodTemplate, Vec<Diagnostic>> {
    let path = normal(&directory.join(text));
    let refuse = |finding: Diagnostic| Err(vec![finding]);
    if !path.starts_with(&manifest.root) {
        return refuse(
            Diagnostic::error(codes::OUTSIDE_ROOT, format!("`{text}` leads out of the workspace"))
                .label(span, "outside")
                .help("name a file inside it"),
        );
    }
    match manifest.pods.get(&path) {
        Some(PodFile::Read { file, pod }) => from_json(pod, *file, &manifest.sources.file(*file).text, span),
        Some(PodFile::Broken { at, message }) => refuse(
            Diagnostic::error(codes::BAD_POD, format!("`{text}` is not YAML"))
                .label(*at, message.clone())
                .label(span, "named here")
                .help("correct the file; Kubernetes could not read it either"),
        ),
        Some(PodFile::Unreadable(reason)) => refuse(
            Diagnostic::error(codes::UNREADABLE, format!("cannot read `{text}`: {reason}"))
                .label(span, "named here")
                .help("name a text file of YAML or JSON"),
        ),
        Some(PodFile::Missing) => refuse(
            Diagnostic::error(codes::MISSING_FILE, format!("`{text}` does not exist"))
                .label(span, "nothing is there")
                .help("name a file of YAML or JSON that holds a pod, relative to the manifest"),
        ),
        // Only literal paths are read before variables are filled in.
        None => refuse(
            Diagnostic::error(codes::INVALID_VALUE, "the path of a pod template comes out of a variable")
                .label(span, "not known when files are read")
                .help("write the path itself; another profile may name another file"),
        ),
    }
}

/// A pod as Kubernetes writes it.
fn from_json(pod: &Json, file: FileId, text: &str, named: Span) -> Result<PodTemplate, Vec<Diagnostic>> {
    let bad = |key: &str, message: String, help: &str| {
        let at = Span::new(file, key_in(text, key));
        Diagnostic::error(codes::BAD_POD, message).label(at, "in this file").label(named, "named here").help(help)
    };
    let Some(members) = pod.as_object() else {
        return Err(vec![bad("", "the file holds no pod".to_owned(), "write `metadata` and `spec`, as in a pod")]);
    };
    let mut findings = Vec::new();
    for (name, value) in members {
        let known = match name.as_str() {
            "apiVersion" => value == "v1",
            "kind" => value == "Pod" || value == "PodTemplate",
            "metadata" | "spec" => value.is_object(),
            _ => false,
        };
        if !known {
            let message = format!("`{name}` of the pod has no meaning in a template");
            findings.push(bad(name, message, "keep `apiVersion: v1`, `kind: Pod`, `metadata` and `spec`"));
        }
    }
    let metadata = members.get("metadata").and_then(Json::as_object);
    for name in metadata.into_iter().flatten().map(|(name, _)| name) {
        if name != "labels" && name != "annotations" {
            let message = format!("`metadata.{name}` of the pod has no meaning in a template");
            findings.push(bad(name, message, "keep `labels` and `annotations` only: the app has a name of its own"));
        }
    }
    let mut texts = |member: &str, is_label: bool| {
        let mut found = BTreeMap::new();
        let written = metadata.and_then(|metadata| metadata.get(member)?.as_object());
        for (key, value) in written.into_iter().flatten() {
            let fault = match value.as_str() {
                None => Some(format!("the value of `{key}` in `metadata.{member}` is not a text")),
                Some(value) => {
                    let value = if is_label { label_value(value) } else { Ok(()) };
                    label_key(key).and(value).err().map(|fault| fault.message)
                }
            };
            match fault {
                Some(message) => findings.push(bad(key, message, "write it as Kubernetes takes it, in quotes")),
                None => drop(found.insert(key.clone(), value.as_str().unwrap_or_default().to_owned())),
            }
        }
        found
    };
    let (labels, annotations) = (texts("labels", true), texts("annotations", false));
    let spec = members.get("spec").and_then(Json::as_object).cloned().unwrap_or_default();
    if let Err(mut more) = containers(&spec, Span::new(file, key_in(text, "containers"))) {
        findings.append(&mut more);
    }
    if findings.is_empty() { Ok(PodTemplate { labels, annotations, spec }) } else { Err(findings) }
}

/// Where a key seems to be written, in YAML or JSON; the beginning where it is not found.
fn key_in(text: &str, key: &str) -> std::ops::Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let found = line.find(key).filter(|at| {
            let before =
                line[..*at].trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | ',' | '-'));
            let after = line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
            !key.is_empty() && before.is_empty() && after.starts_with(':')
        });
        if let Some(at) = found {
            return start + at..start + at + key.len();
        }
        start += line.len();
    }
    0..0
}

/// The app's container is there, once, and the lists that it is merged into are lists.
fn containers(spec: &Map<String, Json>, span: Span) -> Result<(), Vec<Diagnostic>> {
    let bad = |message: String, label: &str, help: &str| {
        Err(vec![Diagnostic::error(codes::BAD_POD, message).label(span, label).help(help)])
    };
    let list = spec.get("containers").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let apps: Vec<&Json> = list.iter().filter(|container| container["name"] == APP_CONTAINER).collect();
    let [app] = apps.as_slice() else {
        let names: Vec<String> =
            list.iter().filter_map(|container| container["name"].as_str()).map(|name| format!("`{name}`")).collect();
        let label =
            if names.is_empty() { "no containers".to_owned() } else { format!("its containers: {}", names.join(", ")) };
        return match apps.len() {
            0 => bad(
                format!("the pod has no container named `{APP_CONTAINER}`"),
                &label,
                "add `containers = [{ name = \"app\" }]`: the app runs in that one",
            ),
            _ => bad(
                format!("the pod has more than one container named `{APP_CONTAINER}`"),
                &label,
                "keep one of them: the app runs in that one. Give the others names of their own",
            ),
        };
    };
    for (member, is_right) in [
        ("env", app.get("env").is_none_or(Json::is_array)),
        ("ports", app.get("ports").is_none_or(Json::is_array)),
        ("resources", app.get("resources").is_none_or(Json::is_object)),
        ("resources.requests", app.pointer("/resources/requests").is_none_or(Json::is_object)),
        ("resources.limits", app.pointer("/resources/limits").is_none_or(Json::is_object)),
    ] {
        if !is_right {
            let message = format!("`{member}` of the container `{APP_CONTAINER}` is not what Kubernetes takes");
            return bad(message, "of this pod", "write `env` and `ports` as lists, and `resources` as a table");
        }
    }
    Ok(())
}
