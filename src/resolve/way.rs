//! The way to a control plane, as a `[target.NAME]` or the SDK's configuration has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Origin;
use super::project::Layer;
use crate::config::{Part, Parts, Sourced};
use crate::manifest::{Node, Table, normal};
use crate::model::target::{AuthKind, SecretSource};

/// What a table says; variables are filled in. Paths in it are relative to `directory`.
pub fn of_table(table: &Table, directory: &Path, environment: &BTreeMap<String, String>) -> Parts<Origin> {
    let auth = table.table("auth");
    let path = |text: String| absolute(&text, directory, environment);
    let secret_file = part(auth, "secret_file", text).map(|file| file.map(|text| SecretSource::File(path(text))));
    let secret_variable = part(auth, "secret_env", text).map(|name| name.map(SecretSource::Variable));
    Parts {
        endpoint: part(table, "endpoint", text),
        insecure: part(table, "insecure", Node::as_boolean),
        insecure_skip_verify: part(table, "insecure_skip_verify", Node::as_boolean),
        ca_file: part(table, "ca_file", text).map(|file| file.map(path)),
        proxy: part(table, "proxy", text),
        kind: part(auth, "kind", |node| AuthKind::ALL.into_iter().find(|kind| Some(kind.word()) == node.as_text())),
        client_id: part(auth, "client_id", text),
        secret: secret_variable.or(secret_file),
        command: part(auth, "command", words),
        variable: part(auth, "variable", text),
        scopes: part(auth, "scopes", texts),
        keep_tokens: part(auth, "keep_tokens", Node::as_boolean),
        org: part(table, "org", text),
    }
}

fn part<T>(table: &Table, key: &str, read: impl Fn(&Node) -> Option<T>) -> Part<T, Origin> {
    let node = table.get(key)?;
    Some(Sourced::new(read(node)?, Origin::Text { span: node.span, layer: Layer::Root }))
}

fn text(node: &Node) -> Option<String> {
    node.as_text().map(str::to_owned)
}

fn texts(node: &Node) -> Option<Vec<String>> {
    node.elements().iter().map(text).collect()
}

fn words(node: &Node) -> Option<Vec<String>> {
    match node.as_text() {
        Some(line) => shlex::split(line),
        None => texts(node),
    }
}

/// A path of a manifest, where `~/` is the user's home.
fn absolute(path: &str, directory: &Path, environment: &BTreeMap<String, String>) -> PathBuf {
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(rest), Some(home)) => normal(&Path::new(home).join(rest)),
        _ => normal(&directory.join(path)),
    }
}
