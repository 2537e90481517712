//! A table against the schema. What is wrong is reported once and marked, so that nothing more is said about it.

use super::faults::{any_fault, integer_fault, number_fault, text_fault};
use super::value::{Entry, Node, Table, Value};
use super::{address, format, retyped};
use crate::diagnostic::{Diagnostic, Span, codes, did_you_mean};
use crate::model::key_path;
use crate::model::sensitive::is_sensitive_name;
use crate::schema::{Form, Format, Key, TableType};

/// Which texts are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// As written: texts that name variables are left for later.
    Written,
    /// After variables are filled in: only the texts that named some.
    Filled,
}

/// Checks `table`, whose path is `name` (`app.backend`; empty for the root). Keys that it does not know stay, with mistaken values.
pub fn check_table(table: &mut Table, kind: &TableType, name: &str, phase: Phase) -> Vec<Diagnostic> {
    let mut checker = Checker { findings: Vec::new(), phase };
    checker.keys(table, kind, name);
    checker.findings
}

struct Checker {
    findings: Vec<Diagnostic>,
    phase: Phase,
}

impl Checker {
    fn keys(&mut self, table: &mut Table, kind: &TableType, name: &str) {
        for entry in &mut table.entries {
            match kind.key(&entry.key) {
                Some(key) if !key.planned => {
                    let path = key_path(name, &entry.key);
                    self.value(&mut entry.node, &key.forms, &path, key);
                }
                _ if self.phase == Phase::Filled => {}
                None if kind.name.as_deref() == Some("auth") && !matches!(entry.node.value, Value::Table(_)) => {
                    self.findings.push(unknown_beside_secrets(entry, kind, name));
                    entry.node.value = Value::Mistaken;
                }
                key => {
                    self.findings.push(key.map_or_else(|| unknown(entry, kind, name), |key| planned(entry, key)));
                    entry.node.value = Value::Mistaken;
                }
            }
        }
    }

    /// A table that is a value of its own: required keys and the one key of many.
    fn inner_table(&mut self, node: &mut Node, kind: &TableType, name: &str) {
        let span = node.span;
        let Value::Table(table) = &mut node.value else { return };
        let before = self.findings.len();
        self.keys(table, kind, name);
        if self.phase == Phase::Filled || self.findings.len() > before {
            return;
        }
        if kind.one_of && table.entries.len() != 1 {
            let names: Vec<String> = kind.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            let mut finding = Diagnostic::error(
                codes::INVALID_VALUE,
                format!(
                    "`{name}` has {} of {}",
                    if table.entries.is_empty() { "none" } else { "more than one" },
                    names.join(" and ")
                ),
            )
            .help("set exactly one of them");
            match table.entries.as_slice() {
                [] => finding = finding.label(span, "empty"),
                entries => {
                    for entry in entries {
                        finding = finding.label(entry.key_span, "");
                    }
                }
            }
            self.findings.push(finding);
            node.value = Value::Mistaken;
            return;
        }
        for key in kind.keys.iter().filter(|key| key.required && table.get(&key.name).is_none()) {
            self.findings.push(missing(span, name, key));
        }
        if self.findings.len() > before {
            node.value = Value::Mistaken;
        }
    }

    fn value(&mut self, node: &mut Node, forms: &[Form], path: &str, key: &Key) {
        if node.is_mistaken() {
            return;
        }
        let Some(form) = forms.iter().find(|form| fits(form, &node.value)) else {
            if self.phase == Phase::Written {
                self.findings.push(wrong_type(node, forms, path, key));
            }
            node.value = Value::Mistaken;
            return;
        };
        match form {
            Form::Text { .. } | Form::Integer { .. } | Form::Number { .. } | Form::Boolean => {
                self.scalar(node, form, path);
            }
            Form::Any => self.any(node, path),
            Form::Table(table) => self.inner_table(node, table, path),
            Form::List { min, element } => {
                let span = node.span;
                let Value::List(nodes) = &mut node.value else { return };
                if nodes.len() < *min && self.phase == Phase::Written {
                    self.findings.push(
                        Diagnostic::error(codes::OUT_OF_RANGE, format!("`{path}` is empty"))
                            .label(span, "nothing in it")
                            .help("name something, or leave the key out"),
                    );
                }
                for (at, node) in nodes.iter_mut().enumerate() {
                    self.value(node, element, &format!("{path}[{at}]"), key);
                }
            }
            Form::Map { keys, element } => {
                let Value::Table(table) = &mut node.value else { return };
                for entry in &mut table.entries {
                    if self.phase == Phase::Written {
                        self.map_key(entry, *keys);
                    }
                    let inner = key_path(path, &entry.key);
                    self.value(&mut entry.node, element, &inner, key);
                }
            }
        }
    }

    /// Everything inside that JSON cannot say is a mistake.
    fn any(&mut self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::List(nodes) => nodes.iter_mut().enumerate().for_each(|(at, node)| {
                self.any(node, &format!("{path}[{at}]"));
            }),
            Value::Table(table) => {
                table.entries.iter_mut().for_each(|entry| self.any(&mut entry.node, &key_path(path, &entry.key)));
            }
            value => {
                if let Some(fault) = any_fault(value, path).filter(|_| self.phase == Phase::Written) {
                    let finding = Diagnostic::error(fault.code, fault.message);
                    self.findings.push(finding.label(node.span, fault.label).help(fault.help));
                    node.value = Value::Mistaken;
                }
            }
        }
    }

    fn map_key(&mut self, entry: &Entry, format: Format) {
        if let Err(fault) = format::check(format, &entry.key) {
            let finding =
                Diagnostic::error(fault.code, fault.message).label(entry.key_span, fault.label).help(fault.help);
            self.findings.push(finding);
        }
    }

    fn scalar(&mut self, node: &mut Node, form: &Form, path: &str) {
        let finding = match (form, &node.value) {
            (Form::Text { format, min, max, choices }, Value::Text(text)) => {
                let judged = match self.phase {
                    Phase::Written => !text.contains("${"),
                    Phase::Filled => !node.variables.is_empty(),
                };
                if judged { text_fault(text, *format, *min, *max, choices, path) } else { None }
            }
            (Form::Integer { format, min, max }, Value::Integer(number)) if self.phase == Phase::Written => {
                integer_fault(*number, *format, *min, *max, path)
            }
            (Form::Number { format }, Value::Integer(_) | Value::Float(_)) if self.phase == Phase::Written => {
                number_fault(&node.value, *format)
            }
            _ => None,
        };
        if let Some(fault) = finding {
            let is_secret = fault.code == codes::LITERAL_SECRET;
            let mut finding = Diagnostic::error(fault.code, fault.message);
            if is_secret {
                finding =
                    node.variables.iter().fold(finding.conceal(node.span), |finding, span| finding.conceal(*span));
            }
            if node.variables.is_empty() {
                finding = finding.label(node.span, fault.label);
            } else {
                finding = finding.label(node.span, format!("{} once the variable is filled in", fault.label));
                for variable in &node.variables {
                    finding = finding.label(*variable, "the value comes from here");
                }
            }
            self.findings.push(finding.help(fault.help));
            node.value = Value::Mistaken;
        }
    }
}

fn fits(form: &Form, value: &Value) -> bool {
    matches!(
        (form, value),
        (Form::Text { .. }, Value::Text(_))
            | (Form::Integer { .. }, Value::Integer(_))
            | (Form::Number { .. }, Value::Integer(_) | Value::Float(_))
            | (Form::Boolean, Value::Boolean(_))
            | (Form::Any, _)
            | (Form::List { .. }, Value::List(_))
            | (Form::Table(_) | Form::Map { .. }, Value::Table(_))
    )
}

fn wrong_type(node: &Node, forms: &[Form], path: &str, key: &Key) -> Diagnostic {
    let wanted: Vec<&str> = forms.iter().map(noun).collect();
    let mut finding = Diagnostic::error(codes::WRONG_TYPE, format!("`{path}` must be {}", wanted.join(" or ")))
        .label(node.span, format!("{} is not", node.kind()));
    finding.help = Some(retyped::help(node, forms, path, key));
    // A secret may stand where its place should be named.
    let near_secrets = forms.iter().any(|form| match form {
        Form::Text { format, .. } => *format == Format::SecretVariable,
        Form::Table(table) => table.name.as_deref() == Some("auth"),
        _ => false,
    });
    if near_secrets { finding.conceal(node.span) } else { finding }
}

fn noun(form: &Form) -> &'static str {
    match form {
        Form::Text { .. } => "a string",
        Form::Integer { .. } => "an integer",
        Form::Number { .. } => "a number",
        Form::Boolean => "a boolean",
        Form::Any => "any value",
        Form::List { .. } => "an array",
        Form::Table(_) | Form::Map { .. } => "a table",
    }
}

fn missing(span: Span, name: &str, key: &Key) -> Diagnostic {
    let message = format!("`{name}` has no `{}`", key.name);
    let example = key.example.lines().next().unwrap_or("");
    Diagnostic::error(codes::MISSING_KEY, message)
        .label(span, format!("`{}` is required", key.name))
        .help(format!("add it, as in `{example}`"))
}

fn planned(entry: &Entry, key: &Key) -> Diagnostic {
    Diagnostic::error(codes::NOT_SUPPORTED_YET, format!("`{}` is not supported yet", entry.key))
        .label(entry.key_span, format!("reserved: {}", key.summary))
        .help("remove it: this release would not act on it, and says so rather than ignore it")
}

fn unknown(entry: &Entry, kind: &TableType, name: &str) -> Diagnostic {
    let table = if name.is_empty() { "at the top of a manifest".to_owned() } else { format!("in `{name}`") };
    let known = || kind.keys.iter().filter(|key| !key.planned).map(|key| key.name.as_str());
    let help = if let Some(ours) = kind.alias(&entry.key) {
        format!("write `{}`", ours.name)
    } else if let Some(near) = did_you_mean(&entry.key, known()) {
        format!("did you mean `{near}`?")
    } else if let Some(help) = elsewhere(entry, kind, name) {
        help
    } else {
        format!("known are {}", known().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
    };
    Diagnostic::error(codes::UNKNOWN_KEY, format!("unknown key `{}` {table}", entry.key))
        .label(entry.key_span, "not a key of this table")
        .help(help)
}

/// A key that is not known may be meant for the secret, so its value is covered.
fn unknown_beside_secrets(entry: &Entry, kind: &TableType, name: &str) -> Diagnostic {
    if !is_sensitive_name(&entry.key) {
        return unknown(entry, kind, name).conceal(entry.node.span);
    }
    let fault = address::literal_secret();
    Diagnostic::error(fault.code, format!("{}: `{name}.{}`", fault.message, entry.key))
        .label(entry.key_span, "not a key of this table")
        .conceal(entry.node.span)
        .help(fault.help)
}

/// Keys that belong one table further in or out, by their names or those that people bring from elsewhere.
fn elsewhere(entry: &Entry, kind: &TableType, name: &str) -> Option<String> {
    if !name.is_empty() {
        return kind.within(&entry.key).map(|path| format!("write `{path}`"));
    }
    let app = crate::schema::Schema::load().table("app")?;
    let own = app.key(&entry.key).or_else(|| app.alias(&entry.key)).map(|key| key.name.clone());
    own.map(|ours| format!("`{ours}` belongs to an app: put it under `[app.NAME]`"))
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;
    use crate::diagnostic::FileId;
    use crate::schema::{Schema, table_form};

    fn check(text: &str) {
        let mut parsed = parse(FileId(0), text);
        assert_eq!(parsed.findings, [], "{text}");
        assert_eq!(check_table(&mut parsed.table, &Schema::load().root, "", Phase::Written), [], "{text}");
    }

    fn examples(table: &TableType, header: &str) {
        // Tables with a section of their own stand under their own header.
        let own =
            |inner: &&std::sync::Arc<TableType>| matches!(inner.name.as_deref(), Some("app" | "profile" | "variable"));
        for key in table.keys.iter().filter(|key| !key.planned) {
            check(&format!("{header}\n{}", key.example));
            for form in &key.forms {
                let inner = match form {
                    Form::Table(inner) => Some(inner),
                    Form::List { element, .. } | Form::Map { element, .. } => table_form(element),
                    _ => None,
                };
                inner.filter(|inner| !own(inner)).into_iter().for_each(|inner| examples(inner, header));
            }
        }
    }

    #[test]
    fn every_example_of_the_schema_is_accepted() {
        let schema = Schema::load();
        examples(schema.table("app").unwrap(), "[app.x]");
        examples(schema.table("variable").unwrap(), "[vars]");
        examples(schema.table("profile").unwrap(), "[profile.x]");
        for key in schema.root.keys.iter().filter(|key| !key.planned) {
            check(&key.example);
            let targets = key.map().and_then(|(_, element)| table_form(element)).filter(|_| key.name == "target");
            targets.into_iter().for_each(|table| examples(table, ""));
        }
    }
}
