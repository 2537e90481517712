//! Every secret exists, by name. An app is given the one of its project and domain, else of its domain, else of the
//! organisation; the group is not part of the name.
//!
//! Source: how the open-source server looks secrets up when a pod starts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, unseen};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::model::{Scope, SecretTarget};
use crate::port::RpcError;

pub async fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let named = named(subject);
    match missing(subject, named.keys().cloned().collect()).await {
        Ok(missing) => missing.iter().map(|name| finding(subject, name, &named[name])).collect(),
        Err(error) => unseen("whether the secrets exist", &error).into_iter().collect(),
    }
}

/// Where each secret is asked for.
fn named(subject: &Subject<'_>) -> BTreeMap<String, BTreeSet<Span>> {
    let mut named: BTreeMap<String, BTreeSet<Span>> = BTreeMap::new();
    for (desired, _) in &subject.written {
        let Some(app) = subject.project.apps.get(&desired.id.name) else { continue };
        for secret in app.secrets.iter().flatten() {
            let entry = match &secret.target {
                SecretTarget::Variable(variable) => variable,
                SecretTarget::File => &secret.key,
            };
            let span = app.spans.get(&format!("secrets.{entry}")).or_else(|| app.spans.get("secrets"));
            named.entry(secret.key.clone()).or_default().insert(*span.unwrap_or(&app.declared_at));
        }
    }
    named
}

/// Those that are in none of the three scopes. A wider scope is asked only for what the narrower ones do not have.
async fn missing(subject: &Subject<'_>, mut names: BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
    let own = &subject.project.scope;
    let of_domain = Scope { project: String::new(), ..own.clone() };
    let of_all = Scope { domain: String::new(), ..of_domain.clone() };
    for scope in [own, &of_domain, &of_all] {
        if names.is_empty() {
            break;
        }
        let found = subject.control_plane.find_secrets(scope, &names).await?;
        names.retain(|name| !found.contains(name));
    }
    Ok(names)
}

fn finding(subject: &Subject<'_>, name: &str, places: &BTreeSet<Span>) -> Diagnostic {
    let scope = &subject.project.scope;
    let command = match subject.project.target.is_local() {
        true => format!("flyte local secret set {name} --project {} --domain {}", scope.project, scope.domain),
        false => format!("flyte create secret {name} --project {} --domain {}", scope.project, scope.domain),
    };
    let by = if subject.project.target.is_local() { "" } else { " of the Flyte SDK" };
    let message = format!("there is no secret `{name}` for {scope}, nor for its domain or its organisation");
    let mut finding = Diagnostic::error(codes::MISSING_SECRET, message).help(format!("`{command}`{by} makes it"));
    for place in places {
        finding = finding.label(*place, "asked for here");
    }
    finding
}
