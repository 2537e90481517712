//! Every effective value and where it came from, for `flyte config show`.

use std::collections::BTreeMap;

use super::choose::{Choice, Chosen};
use super::draft::Draft;
use super::merge::{each_node, each_value};
use super::{Layer, Origin, Selection, Setting, reach};
use crate::diagnostic::Span;
use crate::manifest::{Manifest, Node, Table, Value};
use crate::model::Mask;
use crate::model::mask::credentials_among;
use crate::model::sensitive::is_sensitive_name;
use crate::schema::{Form, Schema, TableType};

/// The choices for the whole manifest, then those of each app in the order of names.
pub fn settings(manifest: &Manifest, selection: &Selection, draft: &Draft<'_>, mask: &Mask) -> Vec<Setting> {
    let chosen = &draft.chosen;
    let mut settings = choice_settings(chosen, selection);
    settings.extend(chosen.release_settings.iter().filter_map(|(key, choice)| choice_setting(key, choice)));
    let layers = layers(manifest, selection.profile.as_deref());
    let variables = variables(manifest, selection);
    let kind = Schema::load().table("app").expect("the schema defines it");
    let mut apps: Vec<_> = draft.view.apps.iter().collect();
    apps.sort_by(|a, b| a.name.cmp(&b.name));
    for app in apps {
        let prefix = format!("app.{}", app.name);
        each_value(&app.table, &prefix, &mut |key, node| {
            let layer = layers.get(&node.span).cloned().unwrap_or(Layer::App);
            let origin = Origin::Text { span: node.span, layer };
            let mut setting = Setting::new(key, shown(key, node, mask), origin);
            filled_in(node, &variables, &mut setting.variables);
            settings.push(setting);
        });
        defaults(kind, &app.table, &prefix, &mut settings);
    }
    settings
}

/// The choices for the whole manifest, and how the target is reached.
pub fn choice_settings(chosen: &Chosen, selection: &Selection) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (key, choice) in [
        ("name", &chosen.name),
        ("org", &chosen.org),
        ("project", &chosen.project),
        ("domain", &chosen.domain),
        ("target", &chosen.target_name),
    ] {
        settings.extend(choice_setting(key, choice));
    }
    settings.extend(reach::settings(chosen, &selection.environment));
    settings
}

fn choice_setting(key: &str, choice: &Choice) -> Option<Setting> {
    let value = Value::Text(choice.value.clone()?);
    Some(Setting::new(key, value, choice.origin.clone()))
}

/// A value; what may be a credential as a placeholder.
fn shown(key: &str, node: &Node, mask: &Mask) -> Value {
    // Between an app's name and the member of a parameter.
    let named = [".env.", ".parameters.", ".pod_template."].into_iter().find_map(|part| key.split_once(part));
    match (node.as_text(), named) {
        (Some(text), Some((_, name))) if is_sensitive_name(name) => Value::Text(mask.placeholder(text)),
        _ => concealed(node, mask).value,
    }
}

/// The same with placeholders for texts that may be credentials, for the values of variables named so, and for words
/// behind options named so.
fn concealed(node: &Node, mask: &Mask) -> Node {
    let hide = |text: &str| Value::Text(mask.placeholder(text));
    let value = match &node.value {
        Value::Text(text) if mask.hides(text) => hide(text),
        Value::List(nodes) => {
            let among = credentials_among(nodes.iter().map(Node::as_text));
            let one = |(node, is_credential): (&Node, bool)| match node.as_text() {
                Some(text) if is_credential => Node::new(node.span, hide(text)),
                _ => concealed(node, mask),
            };
            Value::List(nodes.iter().zip(among).map(one).collect())
        }
        Value::Table(table) => {
            let mut table = table.clone();
            let is_secret = table.text("name").is_some_and(is_sensitive_name);
            for entry in &mut table.entries {
                entry.node = match entry.node.as_text() {
                    Some(text) if is_secret && entry.key == "value" => Node::new(entry.node.span, hide(text)),
                    _ => concealed(&entry.node, mask),
                };
            }
            Value::Table(table)
        }
        other => other.clone(),
    };
    Node::new(node.span, value)
}

/// The layer of every place that is not an app's own table.
fn layers(manifest: &Manifest, profile: Option<&str>) -> BTreeMap<Span, Layer> {
    let mut layers = BTreeMap::new();
    let mut note = |table: &Table, layer: &Layer| {
        each_node(table, &mut |span| {
            layers.insert(span, layer.clone());
        });
    };
    for document in &manifest.documents {
        note(document.table.table("defaults"), &Layer::Defaults);
        if let Some(name) = profile {
            note(document.table.table("profile").table(name), &Layer::Profile(name.to_owned()));
        }
    }
    layers
}

/// What set each variable, by the place where it is declared.
fn variables(manifest: &Manifest, selection: &Selection) -> BTreeMap<Span, Origin> {
    let mut variables = BTreeMap::new();
    let mut note = |table: &Table, layer: &Layer| {
        for entry in &table.table("vars").entries {
            let span = entry.node.span;
            let variable = entry.node.as_table().and_then(|table| table.text("env"));
            let is_set = |name: &&str| selection.environment.contains_key(*name);
            let origin = match variable.filter(is_set) {
                Some(name) => Origin::Variable(name.to_owned()),
                None => Origin::Text { span, layer: layer.clone() },
            };
            variables.insert(span, origin);
        }
    };
    for document in &manifest.documents {
        note(&document.table, &Layer::Root);
        if let Some(name) = &selection.profile {
            note(document.table.table("profile").table(name), &Layer::Profile(name.clone()));
        }
    }
    variables
}

/// What set the variables in a value, each once.
fn filled_in(node: &Node, variables: &BTreeMap<Span, Origin>, found: &mut Vec<Origin>) {
    for origin in node.variables.iter().filter_map(|span| variables.get(span)) {
        if !found.contains(origin) {
            found.push(origin.clone());
        }
    }
    match &node.value {
        Value::List(nodes) => nodes.iter().for_each(|node| filled_in(node, variables, found)),
        Value::Table(table) => table.entries.iter().for_each(|entry| filled_in(&entry.node, variables, found)),
        _ => {}
    }
}

/// The schema's defaults of the keys that are not set.
fn defaults(kind: &TableType, table: &Table, prefix: &str, settings: &mut Vec<Setting>) {
    for key in &kind.keys {
        let path = format!("{prefix}.{}", key.name);
        let set = table.get(&key.name);
        if let (None, Some(default)) = (set, &key.default) {
            let text = key.forms.iter().any(|form| matches!(form, Form::Text { .. }));
            let value =
                if text { Value::Text(default.clone()) } else { Value::read(default).unwrap_or(Value::Mistaken) };
            settings.push(Setting::new(path, value, Origin::Default));
            continue;
        }
        let Some(inner) = key.table() else { continue };
        match set.map(Node::as_table) {
            Some(Some(table)) => defaults(inner, table, &path, settings),
            // Keys inside a table that has other forms, or is left out as a whole, mean nothing by themselves.
            None if key.forms.len() == 1 && !inner.one_of => defaults(inner, &Table::default(), &path, settings),
            _ => {}
        }
    }
}
