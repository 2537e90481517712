//! Reads the schema out of its KDL text.

use std::sync::Arc;

use kdl::{KdlDocument, KdlError, KdlNode, KdlValue};

use super::{Form, Format, Key, Schema, TableType};

/// A mistake in the schema text itself, told with the node it is in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(String);

type Result<T> = std::result::Result<T, SchemaError>;

fn wrong<T>(node: &KdlNode, what: &str) -> Result<T> {
    let argument = node.get(0).and_then(KdlValue::as_string).unwrap_or("");
    Err(SchemaError(format!("`{} {argument}`: {what}", node.name().value())))
}

impl Schema {
    /// # Errors
    /// Names the first node that the schema language does not know. KDL itself accepts a property given twice; here
    /// it is an error.
    pub fn read(text: &str) -> Result<Self> {
        let document: KdlDocument = text.parse().map_err(|error| SchemaError(not_kdl(text, &error)))?;
        // A table may use those defined below it, so they are read in the order in which they need each other.
        let mut waiting: Vec<&KdlNode> = document.nodes().iter().filter(|n| n.name().value() == "define").collect();
        let mut defined: Vec<Arc<TableType>> = Vec::new();
        while !waiting.is_empty() {
            let names = |tables: &[Arc<TableType>]| tables.iter().filter_map(|t| t.name.clone()).collect::<Vec<_>>();
            let known = names(&defined);
            let Some(at) = waiting.iter().position(|node| uses(node).iter().all(|name| known.contains(name))) else {
                return wrong(waiting[0], "uses a table that is not defined, or itself");
            };
            let node = waiting.remove(at);
            let name = argument(node)?;
            if known.contains(&name) {
                return wrong(node, "is defined twice");
            }
            let mut table = Reader { defined: &defined }.table(node)?;
            table.name = Some(name);
            defined.push(Arc::new(table));
        }
        let Some(root) = document.get("root") else {
            return Err(SchemaError("there is no `root`".to_owned()));
        };
        let root = Arc::new(Reader { defined: &defined }.table(root)?);
        if let Some(node) = document.nodes().iter().find(|n| !["define", "root"].contains(&n.name().value())) {
            return wrong(node, "is neither `define` nor `root`");
        }
        Ok(Self { root, defined })
    }
}

/// The first fault, with its line.
fn not_kdl(text: &str, error: &KdlError) -> String {
    let Some(first) = error.diagnostics.first() else { return "not KDL".to_owned() };
    let line = text.get(..first.span.offset()).unwrap_or(text).matches('\n').count() + 1;
    format!("line {line}: {}", first.message.as_deref().unwrap_or("not KDL"))
}

/// The defined tables that a node uses, near and far.
fn uses(node: &KdlNode) -> Vec<String> {
    let own = node.get("of").and_then(KdlValue::as_string).map(str::to_owned);
    own.into_iter().chain(children(node).iter().flat_map(uses)).collect()
}

fn children(node: &KdlNode) -> &[KdlNode] {
    node.children().map_or(&[], KdlDocument::nodes)
}

fn argument(node: &KdlNode) -> Result<String> {
    match node.get(0).and_then(KdlValue::as_string) {
        Some(text) => Ok(text.to_owned()),
        None => wrong(node, "wants a text"),
    }
}

fn text(node: &KdlNode, name: &str) -> Option<String> {
    node.get(name).and_then(KdlValue::as_string).map(str::to_owned)
}

fn words(node: &KdlNode, name: &str) -> Vec<String> {
    text(node, name).iter().flat_map(|text| text.split(' ')).map(str::to_owned).collect()
}

fn integer(node: &KdlNode, name: &str) -> Option<i64> {
    node.get(name).and_then(KdlValue::as_integer).and_then(|number| i64::try_from(number).ok())
}

fn flag(node: &KdlNode, name: &str) -> bool {
    node.get(name).and_then(KdlValue::as_bool).unwrap_or(false)
}

fn check_properties(node: &KdlNode, known: &[&str]) -> Result<()> {
    let mut seen: Vec<&str> = Vec::new();
    for name in node.entries().iter().filter_map(|entry| entry.name()) {
        if !known.contains(&name.value()) {
            return wrong(node, &format!("does not know the property `{}`", name.value()));
        }
        if seen.contains(&name.value()) {
            return wrong(node, &format!("has the property `{}` twice", name.value()));
        }
        seen.push(name.value());
    }
    Ok(())
}

struct Reader<'a> {
    defined: &'a [Arc<TableType>],
}

impl Reader<'_> {
    fn table(&self, node: &KdlNode) -> Result<TableType> {
        let mut keys: Vec<Key> = Vec::new();
        for child in children(node).iter().filter(|child| child.name().value() == "key") {
            let key = self.key(child)?;
            if keys.iter().any(|other| other.name == key.name) {
                return wrong(child, "is there twice");
            }
            keys.push(key);
        }
        let twice = |key: &Key, alias: &String| {
            keys.iter().any(|o| o.name == *alias || o.name != key.name && o.aliases.contains(alias))
        };
        if let Some(key) = keys.iter().find(|key| key.aliases.iter().any(|alias| twice(key, alias))) {
            return wrong(node, &format!("`{}` has the alias of another key", key.name));
        }
        let grouped = |name: &String| keys.iter().any(|key| key.group.is_some() && key.name == *name);
        if let Some(key) = keys.iter().find(|key| !key.beside.iter().all(grouped)) {
            return wrong(node, &format!("`{}` stands beside what is no key of a group", key.name));
        }
        Ok(TableType { name: None, keys, one_of: flag(node, "one-of"), whole: flag(node, "whole") })
    }

    fn key(&self, node: &KdlNode) -> Result<Key> {
        let own = ["required", "planned", "default", "unit", "type", "group", "beside", "alias"];
        check_properties(node, &[&own[..], &FORM_PROPERTIES[..]].concat())?;
        let mut key = Key {
            name: argument(node)?,
            required: flag(node, "required"),
            planned: flag(node, "planned"),
            default: text(node, "default"),
            unit: text(node, "unit"),
            group: text(node, "group"),
            aliases: words(node, "alias"),
            beside: words(node, "beside"),
            summary: String::new(),
            about: String::new(),
            example: String::new(),
            wire: Vec::new(),
            forms: Vec::new(),
        };
        for child in children(node) {
            match child.name().value() {
                "summary" => key.summary = argument(child)?,
                "about" => key.about = argument(child)?,
                "example" => key.example = argument(child)?,
                "wire" => key.wire.push(argument(child)?),
                "form" | "key" | "choices" => {}
                _ => return wrong(child, "is not known inside a key"),
            }
        }
        key.forms = match text(node, "type") {
            Some(kind) => vec![self.form(node, &kind)?],
            None => self.forms(node)?,
        };
        if key.forms.is_empty() != key.planned {
            return wrong(node, "has either a form or `planned`");
        }
        if key.summary.is_empty() || (key.example.is_empty() && !key.planned) {
            return wrong(node, "wants a summary and an example");
        }
        Ok(key)
    }

    fn forms(&self, node: &KdlNode) -> Result<Vec<Form>> {
        let forms = children(node).iter().filter(|child| child.name().value() == "form");
        forms
            .map(|child| {
                check_properties(child, &FORM_PROPERTIES)?;
                self.form(child, &argument(child)?)
            })
            .collect()
    }

    fn form(&self, node: &KdlNode, kind: &str) -> Result<Form> {
        let (min, max) = (integer(node, "min"), integer(node, "max"));
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Ok(match kind {
            "text" => {
                let choices = children(node).iter().find(|child| child.name().value() == "choices");
                let choices = choices.into_iter().flat_map(|c| c.iter()).filter_map(|e| e.value().as_string());
                Form::Text {
                    format: format(node, "format")?,
                    min: count(min),
                    max: count(max),
                    choices: choices.map(str::to_owned).collect(),
                }
            }
            "integer" => Form::Integer {
                format: format(node, "format")?,
                min: min.unwrap_or(i64::MIN),
                max: max.unwrap_or(i64::MAX),
            },
            "number" => Form::Number { format: format(node, "format")? },
            "boolean" => Form::Boolean,
            "any" => Form::Any,
            "list" => {
                let min = count(min).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                Form::List { min, element: self.forms(node)? }
            }
            "table" => Form::Table(self.defined_or_own(node)?),
            "map" => {
                let element = match text(node, "of") {
                    Some(_) => vec![Form::Table(self.defined_or_own(node)?)],
                    None => self.forms(node)?,
                };
                Form::Map { keys: format(node, "keys")?, element }
            }
            _ => return wrong(node, &format!("`{kind}` is no form")),
        })
    }

    fn defined_or_own(&self, node: &KdlNode) -> Result<Arc<TableType>> {
        let Some(name) = text(node, "of") else { return Ok(Arc::new(self.table(node)?)) };
        match self.defined.iter().find(|table| table.name.as_deref() == Some(&name)) {
            Some(table) => Ok(table.clone()),
            None => wrong(node, &format!("`{name}` is not defined")),
        }
    }
}

const FORM_PROPERTIES: [&str; 7] = ["format", "min", "max", "of", "keys", "one-of", "whole"];

fn format(node: &KdlNode, property: &str) -> Result<Format> {
    let Some(name) = text(node, property) else { return Ok(Format::Any) };
    match Format::NAMES.iter().find(|(known, _)| *known == name) {
        Some((_, format)) => Ok(*format),
        None => wrong(node, &format!("`{name}` is no format")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        match Schema::read(text) {
            Ok(_) => assert_eq!("", expected, "{text}"),
            Err(error) => assert!(error.to_string().contains(expected), "{text}: {error}"),
        }
    }

    #[test]
    fn mistakes_in_the_schema_are_found() {
        let key = |rest: &str| format!("root {{ key \"a\" {rest} {{ summary \"s\"; example \"e\" }} }}");
        check(&key("type=\"text\""), "");
        check(&key("type=\"txt\""), "`txt` is no form");
        check(&key("type=\"text\" type=\"integer\""), "`type` twice");
        check(&key("typ=\"text\""), "does not know the property `typ`");
        check(&key("type=\"table\" of=\"b\""), "`b` is not defined");
        check(&key(""), "either a form or `planned`");
        check("define \"a\" { key \"x\" type=\"table\" of=\"a\" }", "not defined, or itself");
        let beside = |group: &str| {
            format!(
                "root {{ {} }}",
                ["a", "b"]
                    .map(|name| {
                        let property = if name == "a" { group } else { "beside=\"a\"" };
                        format!("key \"{name}\" type=\"text\" {property} {{ summary \"s\"; example \"e\" }}")
                    })
                    .join("; ")
            )
        };
        check(&beside("group=\"g\""), "");
        check(&beside(""), "`b` stands beside what is no key of a group");
        check(&key("type=\"text\" alias=\"b a\""), "`a` has the alias of another key");
        check("", "there is no `root`");
    }

    #[test]
    fn the_embedded_schema_is_well_formed() {
        Schema::read(flyte_schema::MANIFEST_KDL).unwrap();
    }
}
