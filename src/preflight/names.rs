//! No app would replace another one because their services are called the same.
//!
//! The server that keeps apps by the name of their service (see [`service_name`]) overwrites without a word. Which names
//! in which other project and domain would collide can be computed, so only those are looked at.

use std::collections::BTreeSet;

use flyte_schema::flyteidl2::project::Project;
use futures::{StreamExt, stream};

use super::{Subject, unseen};
use crate::desired::Desired;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::{AppId, AppName, Scope, service_name};
use crate::plan::Verb;

/// The most apps looked at, and how many at once.
const MAX_LOOKS: usize = 64;
const AT_ONCE: usize = 8;

pub async fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let new: Vec<&Desired> =
        subject.written.iter().filter(|(_, verb)| *verb == Verb::Create).map(|(desired, _)| *desired).collect();
    // The embedded control plane keeps apps apart, unless it plays the one that does not.
    if new.is_empty() || subject.project.target.is_local() && !subject.is_open_source() {
        return Vec::new();
    }
    let mut findings: Vec<Diagnostic> = new.iter().filter_map(|desired| in_other_case(subject, desired)).collect();
    match subject.control_plane.projects(&subject.project.scope).await {
        Ok(projects) => findings.extend(elsewhere(subject, &new, &projects).await),
        Err(error) => findings.extend(unseen("whether the names are free", &error)),
    }
    findings
}

/// A live app here whose name differs in nothing but the case of its letters.
fn in_other_case(subject: &Subject<'_>, desired: &Desired) -> Option<Diagnostic> {
    let name = desired.id.name.as_str();
    let other = subject.live.strangers.iter().find(|other| other.to_lowercase() == name)?;
    Some(finding(subject, desired, &format!("{}/{other}", subject.project.scope)))
}

async fn elsewhere(subject: &Subject<'_>, new: &[&Desired], projects: &[Project]) -> Vec<Diagnostic> {
    let candidates = new.iter().flat_map(|desired| {
        let colliding = colliding(&desired.id, projects);
        colliding.into_iter().map(move |other| (*desired, other))
    });
    let look = |(desired, other): (&'_ Desired, AppId)| {
        let desired = desired.clone();
        async move {
            match subject.control_plane.get(&other).await {
                Ok(Some(_)) => Some(finding(subject, &desired, &other.to_string())),
                Ok(None) => None,
                Err(error) => unseen("whether the names are free", &error),
            }
        }
    };
    stream::iter(candidates.take(MAX_LOOKS))
        .map(look)
        .buffered(AT_ONCE)
        .filter_map(|found| async { found })
        .collect()
        .await
}

/// The apps of other projects and domains whose service would be called the same.
fn colliding(id: &AppId, projects: &[Project]) -> BTreeSet<AppId> {
    let service = service_name(id);
    let places = projects.iter().flat_map(|project| {
        let domains = project.domains.iter().map(|domain| domain.id.clone());
        // The domain asked for may not be among those told.
        domains.chain([id.scope.domain.clone()]).map(|domain| (project.id.clone(), domain))
    });
    let other = |(project, domain): (String, String)| {
        let suffix = format!("-{project}-{domain}").to_lowercase();
        let name = AppName::new(service.strip_suffix(&suffix)?).ok()?;
        let other = Scope { org: id.scope.org.clone(), project, domain }.app(&name);
        (other != *id && service_name(&other) == service).then_some(other)
    };
    places.filter_map(other).collect()
}

fn finding(subject: &Subject<'_>, desired: &Desired, other: &str) -> Diagnostic {
    let service = service_name(&desired.id);
    let message = format!("the service of `{}` would be called `{service}`, as that of {other} is", desired.id.name);
    let finding = match subject.is_open_source() {
        true => Diagnostic::error(codes::NAME_TAKEN, message),
        // Another server may tell them apart.
        false => Diagnostic::warning(codes::NAME_TAKEN, message),
    };
    finding.label(desired.declared_at, "this app").help("rename it: the one that is there would be overwritten")
}

#[cfg(test)]
mod tests {
    use flyte_schema::flyteidl2::project::Domain;

    use super::*;

    #[test]
    fn only_names_that_can_collide_are_looked_at() {
        let scope =
            |project: &str, domain: &str| Scope { org: String::new(), project: project.into(), domain: domain.into() };
        let domains = || vec![Domain { id: "d".into(), ..Default::default() }];
        let projects: Vec<Project> = ["shop", "b-shop", "web-shop", "Shop", "other"]
            .into_iter()
            .map(|id| Project { id: id.into(), domains: domains(), ..Default::default() })
            .collect();
        let id = scope("shop", "d").app(&AppName::new("a-b").unwrap());
        let found: Vec<String> = colliding(&id, &projects).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["Shop/d/a-b", "b-shop/d/a"]);
    }
}
