//! What to type in place of a value of another type.

use super::{Node, Value};
use crate::model::sensitive::{holds_credential, is_sensitive_name};
use crate::schema::{Form, Format, Key, TableType, table_form};

/// Below that a bare number is no amount of bytes that an app would ask for, and a unit was left out.
const MEBIBYTE: i64 = 1 << 20;

/// What to write for `node`, which is none of the `forms` of `key`, or of a value inside of it at `path`.
pub fn help(node: &Node, forms: &[Form], path: &str, key: &Key) -> String {
    let takes = |wanted: fn(&Form) -> bool| forms.iter().any(wanted);
    match &node.value {
        Value::Text(text) if takes(|form| matches!(form, Form::Integer { .. })) && text.parse::<i64>().is_ok() => {
            format!("remove the quotes: `{text}`")
        }
        Value::Text(text)
            if takes(|form| matches!(form, Form::Boolean)) && matches!(text.as_str(), "true" | "false") =>
        {
            format!("remove the quotes: `{text}`")
        }
        Value::Text(text) if takes(|form| matches!(form, Form::List { .. })) => format!("write `[\"{text}\"]`"),
        Value::Integer(number) if takes(|form| matches!(form, Form::Text { format: Format::Duration, .. })) => {
            format!("write `\"{number}s\"`")
        }
        Value::Integer(number) if takes(is_bytes) && (1..MEBIBYTE).contains(number) => {
            format!("write `\"{number}Mi\"`, or another unit, such as `\"{number}Gi\"`")
        }
        Value::Float(number) if takes(is_bytes) => format!("write `\"{number}Gi\"`, or another unit"),
        Value::Integer(number) if takes(|form| matches!(form, Form::Text { .. })) => format!("write `\"{number}\"`"),
        Value::Boolean(value) if takes(|form| matches!(form, Form::Text { choices, .. } if choices.is_empty())) => {
            format!("write `\"{value}\"`")
        }
        Value::List(nodes) if takes(|form| matches!(form, Form::Map { .. })) && !nodes.is_empty() => {
            as_map(nodes, path, key)
        }
        Value::List(nodes) => match table_form(forms).and_then(|table| as_table(nodes, table)) {
            Some(table) => format!("write `{} = {table}`", key.name),
            None => example(key),
        },
        _ => example(key),
    }
}

fn example(key: &Key) -> String {
    format!("write, for instance, `{}`", key.example.lines().next().unwrap_or(""))
}

fn is_bytes(form: &Form) -> bool {
    matches!(form, Form::Text { format: Format::Bytes | Format::SharedMemory, .. })
}

/// `["A=1"]`, and the names and values of Kubernetes, as `{ A = "1" }`.
fn as_map(nodes: &[Node], path: &str, key: &Key) -> String {
    let pairs: Option<Vec<(&str, &str)>> = nodes
        .iter()
        .map(|node| match node.as_table() {
            Some(table) => Some((table.text("name")?, table.text("value")?)),
            None => node.as_text()?.split_once('='),
        })
        .collect();
    // A credential is not repeated.
    let open = |(name, value): &(&str, &str)| !is_sensitive_name(name) && !holds_credential(value);
    match pairs {
        Some(pairs) if pairs.iter().all(open) => {
            let written = pairs.iter().map(|(name, value)| format!("{} = {}", toml_key(name), quoted(value)));
            format!("write `{} = {{ {} }}`", key.name, written.collect::<Vec<_>>().join(", "))
        }
        None if nodes.iter().all(|node| node.as_table().is_some()) => {
            format!("each has a name of its own here: write `[{path}.NAME]`, with single brackets")
        }
        _ => example(key),
    }
}

/// As many values as a table has keys, in their order: `[1, 3]` as `{ min = 1, max = 3 }`, which the SDK writes so.
fn as_table(nodes: &[Node], table: &TableType) -> Option<String> {
    let fits = |(key, node): &(&Key, &Node)| {
        key.forms.iter().any(|form| {
            matches!(
                (form, &node.value),
                (Form::Text { .. }, Value::Text(_))
                    | (Form::Integer { .. }, Value::Integer(_))
                    | (Form::Number { .. }, Value::Integer(_) | Value::Float(_))
            )
        })
    };
    let pairs: Vec<(&Key, &Node)> = table.keys.iter().zip(nodes).collect();
    if table.keys.len() != nodes.len() || !pairs.iter().all(fits) {
        return None;
    }
    let written = pairs.iter().map(|(key, node)| {
        let value = node.as_text().map(quoted).or_else(|| node.number_text()).unwrap_or_default();
        format!("{} = {value}", key.name)
    });
    Some(format!("{{ {} }}", written.collect::<Vec<_>>().join(", ")))
}

fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
