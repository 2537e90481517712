//! `${vars.NAME}` in strings.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Span, codes, did_you_mean};
use crate::manifest::{Entry, Node, Table, Value};
use crate::model::sensitive::is_sensitive_name;

/// The variables that texts of one manifest may name.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    known: BTreeMap<String, Variable>,
    /// Text was lost: a variable that seems undefined may be there.
    incomplete: bool,
}

#[derive(Debug, Clone)]
struct Variable {
    value: Known,
    /// The variable of the environment is named like a credential.
    from_secret: bool,
    span: Span,
}

#[derive(Debug, Clone)]
enum Known {
    Text(String),
    /// The environment variable is not set, and there is no default.
    Unset(String),
    /// Reported where it is written.
    Mistaken,
}

/// What was wrong with the texts that were filled.
#[derive(Debug, Default)]
pub struct Filling {
    pub findings: Vec<Diagnostic>,
    /// Environment variables that are needed and not set.
    pub unset: Vec<Diagnostic>,
}

impl Variables {
    /// Later tables replace variables of earlier ones.
    pub fn new<'a>(
        tables: impl IntoIterator<Item = &'a Table>,
        environment: &BTreeMap<String, String>,
        incomplete: bool,
    ) -> Self {
        let entries = tables.into_iter().flat_map(|table| &table.entries);
        let known = entries.map(|entry| (entry.key.clone(), variable(entry, environment))).collect();
        Self { known, incomplete }
    }

    /// The values of variables that are, or come from a variable of the environment that is, named like a credential.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let named = self.known.iter().filter(|(name, variable)| is_sensitive_name(name) || variable.from_secret);
        named.filter_map(|(_, variable)| match &variable.value {
            Known::Text(text) => Some(text.clone()),
            Known::Unset(_) | Known::Mistaken => None,
        })
    }

    /// Fills in every string of `table`. A string that cannot be filled becomes a mistaken value.
    pub fn fill(&self, table: &mut Table, filling: &mut Filling) {
        table.entries.iter_mut().for_each(|entry| self.fill_node(&mut entry.node, filling));
    }

    pub fn fill_node(&self, node: &mut Node, filling: &mut Filling) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                let text = text.clone();
                match self.filled(&text, node.span, filling) {
                    Some((text, variables)) => {
                        node.value = Value::Text(text);
                        node.variables = variables;
                    }
                    None => node.value = Value::Mistaken,
                }
            }
            Value::List(nodes) => nodes.iter_mut().for_each(|node| self.fill_node(node, filling)),
            Value::Table(table) => self.fill(table, filling),
            _ => {}
        }
    }

    /// The text with its variables filled in, and where these were set. `None`: at least one has no value.
    fn filled(&self, text: &str, span: Span, filling: &mut Filling) -> Option<(String, Vec<Span>)> {
        let mut whole = true;
        let mut out = String::new();
        let mut set_at = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            out.push_str(before);
            let Some((inside, tail)) = after.split_once('}') else {
                filling.findings.push(
                    Diagnostic::error(codes::UNDEFINED_VARIABLE, "`${` has no `}`")
                        .label(span, "not closed")
                        .help("write `${vars.NAME}` for a variable, or `$${` for the characters themselves"),
                );
                return None;
            };
            rest = tail;
            match self.value(inside.trim(), span, filling) {
                Some((value, span)) => {
                    out.push_str(value);
                    set_at.push(span);
                }
                None => whole = false,
            }
        }
        out.push_str(rest);
        whole.then_some((out, set_at))
    }

    fn value(&self, inside: &str, span: Span, filling: &mut Filling) -> Option<(&str, Span)> {
        let Some(name) = inside.strip_prefix("vars.") else {
            let known = self.known.contains_key(inside);
            let help = if known {
                format!("write `${{vars.{inside}}}`")
            } else {
                format!(
                    "write `$${{{inside}}}` to pass the text on as it is, or declare `{inside}` in `[vars]` and write `${{vars.{inside}}}`"
                )
            };
            filling.findings.push(
                Diagnostic::error(
                    codes::UNDEFINED_VARIABLE,
                    format!("`${{{inside}}}` is not a variable of the manifest"),
                )
                .label(span, format!("`${{{inside}}}` is not filled in, only `${{vars.NAME}}` is"))
                .help(help),
            );
            return None;
        };
        let Some(variable) = self.known.get(name) else {
            if !self.incomplete {
                let help = match did_you_mean(name, self.known.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `${{vars.{near}}}`?"),
                    None => format!("declare it: `[vars]`, and below it `{name} = \"…\"`"),
                };
                filling.findings.push(
                    Diagnostic::error(codes::UNDEFINED_VARIABLE, format!("the variable `{name}` is not defined"))
                        .label(span, format!("no `{name}` in `[vars]`"))
                        .help(help),
                );
            }
            return None;
        };
        match &variable.value {
            Known::Text(text) => Some((text, variable.span)),
            Known::Mistaken => None,
            Known::Unset(environment) => {
                filling.unset.push(
                    Diagnostic::error(
                        codes::MISSING_ENVIRONMENT,
                        format!("the environment variable `{environment}` is not set"),
                    )
                    .label(variable.span, format!("the value of `{name}`"))
                    .label(span, "needed here")
                    .help(format!("run `export {environment}=…` first, or give `{name}` a `default`")),
                );
                None
            }
        }
    }
}

fn variable(entry: &Entry, environment: &BTreeMap<String, String>) -> Variable {
    let value = match &entry.node.value {
        Value::Text(text) => Known::Text(text.clone()),
        Value::Table(table) => match (table.text("env"), table.get("default")) {
            (Some(name), default) => match (environment.get(name), default) {
                (Some(value), _) => Known::Text(value.clone()),
                (None, Some(default)) => default.as_text().map_or(Known::Mistaken, |text| Known::Text(text.to_owned())),
                (None, None) => Known::Unset(name.to_owned()),
            },
            (None, _) => Known::Mistaken,
        },
        _ => Known::Mistaken,
    };
    let source = entry.node.as_table().and_then(|table| table.text("env"));
    Variable { value, from_secret: source.is_some_and(is_sensitive_name), span: entry.node.span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::FileId;

    fn check(text: &str, expected: Result<&str, &str>) {
        let span = Span::new(FileId(0), 0..1);
        let set = |key: &str, value: Value| Entry { key: key.to_owned(), key_span: span, node: Node::new(span, value) };
        let unset = Table { entries: vec![set("env", Value::Text("X".to_owned()))] };
        let table = Table { entries: vec![set("tag", Value::Text("1.4".to_owned())), set("x", Value::Table(unset))] };
        let mut node = Node::new(span, Value::Text(text.to_owned()));
        let mut filling = Filling::default();
        Variables::new([&table], &BTreeMap::new(), false).fill_node(&mut node, &mut filling);
        let said = filling.findings.iter().chain(&filling.unset).map(|f| f.message.clone()).collect::<Vec<_>>();
        match expected {
            Ok(expected) => assert_eq!((node.as_text(), said), (Some(expected), vec![]), "{text}"),
            Err(message) => assert_eq!(said, [message], "{text}"),
        }
    }

    #[test]
    fn texts_are_filled() {
        check("a:${vars.tag}", Ok("a:1.4"));
        check("${vars.tag}${ vars.tag }", Ok("1.41.4"));
        check("$${vars.tag} $HOME $", Ok("${vars.tag} $HOME $"));
        check("$$${vars.tag}", Ok("$${vars.tag}"));
        check("${vars.tga}", Err("the variable `tga` is not defined"));
        check("${HOME}", Err("`${HOME}` is not a variable of the manifest"));
        check("${vars.tag", Err("`${` has no `}`"));
        check("${vars.x}", Err("the environment variable `X` is not set"));
    }
}
