//! Each environment variable is set once, and not one that flyte or the platform sets.

use std::collections::BTreeMap;

use super::super::{Entry, Node, format};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::schema::Format;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(of_app).collect()
}

fn of_app(app: &AppView) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut set: BTreeMap<String, Span> = BTreeMap::new();
    for entry in &app.table.table("env").entries {
        findings.extend(reserved(&entry.key, entry.key_span).or_else(|| unfit_for_endpoint(entry)));
        set.insert(entry.key.clone(), entry.key_span);
    }
    for node in app.table.get("secrets").map_or(&[][..], Node::elements) {
        let Some((variable, span)) = secret_variable(node) else { continue };
        let written = node.as_table().is_some_and(|table| table.get("env").is_some());
        if !written && (format::check(Format::Variable, &variable).is_err()) {
            findings.push(
                Diagnostic::error(codes::BAD_NAME, format!("the secret's variable would be called `{variable}`"))
                    .label(span, "not the name of an environment variable")
                    .help("name the variable: `{ key = \"…\", env = \"NAME\" }`"),
            );
            continue;
        }
        if let Some(finding) = reserved(&variable, span) {
            findings.push(finding);
        } else if let Some(other) = set.get(&variable) {
            findings.push(
                Diagnostic::error(codes::DUPLICATE_VARIABLE, format!("the variable `{variable}` is set twice"))
                    .label(span, "by this secret")
                    .label(*other, "and here")
                    .help("remove one, or give the secret another variable with `env`"),
            );
            continue;
        }
        set.insert(variable, span);
    }
    for entry in &app.table.table("parameters").entries {
        let Some(node) = entry.node.as_table().and_then(|table| table.get("env")) else { continue };
        let Some(variable) = node.as_text() else { continue };
        if let Some(finding) = reserved(variable, node.span) {
            findings.push(finding);
        } else if let Some(other) = set.insert(variable.to_owned(), node.span) {
            findings.push(
                Diagnostic::error(codes::DUPLICATE_VARIABLE, format!("the variable `{variable}` is set twice"))
                    .label(node.span, "by this parameter")
                    .label(other, "and here")
                    .help("remove one, or give the parameter another variable"),
            );
        }
    }
    findings
}

/// The variable that receives a secret, and the text that says so. `None` for a mistaken secret, and for one that is
/// mounted as a file.
pub fn secret_variable(node: &Node) -> Option<(String, Span)> {
    let made = |text: &str| text.to_ascii_uppercase().replace('-', "_");
    let Some(table) = node.as_table() else { return Some((made(node.as_text()?), node.span)) };
    if table.get("mount").is_some() {
        return None;
    }
    if let Some(variable) = table.get("env") {
        return Some((variable.as_text()?.to_owned(), variable.span));
    }
    let key = table.get("key")?;
    let name = made(key.as_text()?);
    match table.get("group") {
        Some(group) => Some((format!("{}_{name}", made(group.as_text()?)), key.span)),
        None => Some((name, key.span)),
    }
}

/// `fserve` sets the variable of an endpoint itself, and takes fewer names than a container. Source: the published SDK.
fn unfit_for_endpoint(entry: &Entry) -> Option<Diagnostic> {
    entry.node.as_table()?;
    let name = &entry.key;
    let is_unfit = format::check(Format::EnvName, name).is_ok() && format::check(Format::Variable, name).is_err();
    is_unfit.then(|| {
        Diagnostic::error(codes::BAD_NAME, format!("the variable `{name}` cannot hold an endpoint"))
            .label(entry.key_span, "not a name that Flyte's starter can set")
            .help("use letters, digits and `_`, and no digit at the start")
    })
}

fn reserved(variable: &str, span: Span) -> Option<Diagnostic> {
    let (who, help) = setter(variable)?;
    Some(
        Diagnostic::error(codes::RESERVED_VARIABLE, format!("`{variable}` is set by {who}"))
            .label(span, "reserved")
            .help(help),
    )
}

/// Who sets a variable that is nobody else's to set, and what to do instead.
pub fn setter(variable: &str) -> Option<(&'static str, &'static str)> {
    if variable == "PORT" {
        return Some(("the platform", "write `port = …`: the app finds the number in `PORT`"));
    }
    let help = "choose a name that does not begin with `FLYTE_DEPLOY_`: those mark which manifest and version runs";
    variable.starts_with("FLYTE_DEPLOY_").then_some(("flyte", help))
}
