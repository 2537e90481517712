//! Lays one table over another, as the schema says: tables key by key, everything else as a whole.

use crate::diagnostic::Span;
use crate::manifest::{Entry, Node, Table, Value};
use crate::model::key_path;
use crate::schema::{Form, Key, TableType, table_form};

/// Lays `over` over `base`; both are tables of `kind`.
pub fn overlay(base: &mut Table, over: &Table, kind: &TableType) {
    base.entries.retain(|lower| kind.key(&lower.key).is_none_or(|key| stays(key, over, kind)));
    for entry in &over.entries {
        match base.entries.iter_mut().find(|known| known.key == entry.key) {
            None => base.entries.push(entry.clone()),
            Some(known) => replace(known, entry, kind.key(&entry.key).map_or(&[], |key: &Key| &key.forms)),
        }
    }
}

/// Whether a key of the lower table still says something: none of its group takes its place, nor that of those that it
/// stands beside.
fn stays(key: &Key, over: &Table, kind: &TableType) -> bool {
    let set = || over.entries.iter().filter_map(|entry| kind.key(&entry.key));
    let replaced = |group: &str, kept: &[String]| {
        set().any(|upper| upper.group.as_deref() == Some(group) && !kept.contains(&upper.name))
    };
    let own = [key.name.clone()];
    let beside = key.beside.iter().filter_map(|name| kind.key(name)?.group.as_deref());
    !key.group.as_deref().is_some_and(|group| replaced(group, &own))
        && !beside.into_iter().any(|group| replaced(group, &key.beside))
}

fn replace(known: &mut Entry, over: &Entry, forms: &[Form]) {
    if let (Value::Table(base), Value::Table(table)) = (&mut known.node.value, &over.node.value) {
        if let Some(kind) = table_form(forms) {
            // One key of several, or keys that belong together.
            if kind.one_of || kind.whole {
                *base = table.clone();
            } else {
                overlay(base, table, kind);
            }
            return;
        }
        if let Some(element) = forms.iter().find_map(|form| match form {
            Form::Map { element, .. } => Some(element),
            _ => None,
        }) {
            for entry in &table.entries {
                match base.entries.iter_mut().find(|known| known.key == entry.key) {
                    None => base.entries.push(entry.clone()),
                    Some(known) => replace(known, entry, element),
                }
            }
            return;
        }
    }
    known.key_span = over.key_span;
    known.node = over.node.clone();
}

/// Calls `visit` with every value that is no table, and its path.
pub fn each_value(table: &Table, prefix: &str, visit: &mut dyn FnMut(&str, &Node)) {
    for entry in &table.entries {
        let path = key_path(prefix, &entry.key);
        match &entry.node.value {
            Value::Table(inner) => each_value(inner, &path, visit),
            _ => visit(&path, &entry.node),
        }
    }
}

/// Calls `visit` with the place of every key and value.
pub fn each_node(table: &Table, visit: &mut dyn FnMut(Span)) {
    for entry in &table.entries {
        visit(entry.key_span);
        in_node(&entry.node, visit);
    }
}

fn in_node(node: &Node, visit: &mut dyn FnMut(Span)) {
    visit(node.span);
    match &node.value {
        Value::Table(table) => each_node(table, visit),
        Value::List(nodes) => nodes.iter().for_each(|inner| in_node(inner, visit)),
        _ => {}
    }
}
