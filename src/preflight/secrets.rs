//! Every secret exists, by name. An app is given the one of its project and domain, else of its domain, else of the
//! organisation; the group is not part of the name.
//!
//! Source: how the open-source server looks secrets up when a pod starts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, unseen};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::model::Scope;
use crate::port::RpcError;

/// Who asks for a secret.
#[derive(Default)]
struct Asked {
    /// In the manifest.
    places: BTreeSet<Span>,
    /// Releases on record that are brought back: what is declared now is another matter.
    releases: BTreeSet<String>,
}

pub async fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let named = named(subject);
    match missing(subject, named.keys().cloned().collect()).await {
        Ok(missing) => missing.iter().map(|name| finding(subject, name, &named[name])).collect(),
        Err(error) => unseen("whether the secrets exist", &error).into_iter().collect(),
    }
}

/// Who asks for each secret, as it would be written.
fn named(subject: &Subject<'_>) -> BTreeMap<String, Asked> {
    let mut named: BTreeMap<String, Asked> = BTreeMap::new();
    for (desired, _) in &subject.written {
        for secret in &desired.spec.spec().security_context.secrets {
            let asked = named.entry(secret.key.clone()).or_default();
            if desired.restores {
                asked.releases.insert(format!("`{}` {}", desired.id.name, desired.version.mark()));
                continue;
            }
            let entry = if secret.env_var.is_empty() { &secret.key } else { &secret.env_var };
            let spans = &desired.spans;
            let span = spans.get(&format!("secrets.{entry}")).or_else(|| spans.get("secrets"));
            asked.places.insert(*span.unwrap_or(&desired.declared_at));
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

fn finding(subject: &Subject<'_>, name: &str, asked: &Asked) -> Diagnostic {
    let scope = &subject.project.scope;
    let command = match subject.project.target.is_local() {
        true => format!("flyte local secret set {name} --project {} --domain {}", scope.project, scope.domain),
        false => format!("flyte create secret {name} --project {} --domain {}", scope.project, scope.domain),
    };
    let by = if subject.project.target.is_local() { "" } else { " of the Flyte SDK" };
    let mut message = format!("there is no secret `{name}` for {scope}, nor for its domain or its organisation");
    if !asked.releases.is_empty() {
        let releases: Vec<&str> = asked.releases.iter().map(String::as_str).collect();
        message.push_str(&format!("; {} asks for it", releases.join(", ")));
    }
    let mut finding = Diagnostic::error(codes::MISSING_SECRET, message).help(format!("`{command}`{by} makes it"));
    for place in &asked.places {
        finding = finding.label(*place, "asked for here");
    }
    finding
}
