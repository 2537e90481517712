//! What the pipeline has to do with releases on record. Nothing depends on them.

use super::Way;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::Scope;
use crate::plan::Verb;
use crate::port::{Ports, StoreError};
use crate::records::Records;
use crate::release::{self, Place, ReleaseSet};
use crate::report::Report;
use crate::resolve::{Project, ReleaseStore, Target};

/// What is on record of a manifest, at the place that its target is.
///
/// # Errors
/// The store cannot be opened.
pub async fn records(ports: &Ports, project: &Project) -> Result<Records, StoreError> {
    open(ports, &project.releases, &project.scope, &project.owner, &project.target).await
}

pub(super) async fn open(
    ports: &Ports,
    store: &ReleaseStore,
    scope: &Scope,
    owner: &str,
    target: &Target,
) -> Result<Records, StoreError> {
    let store = ports.releases.open(store).await?;
    let place = match &target.connection {
        None => Place::embedded(ports.targets.embedded_identity().as_deref()),
        Some(connection) => Place::remote(&target.name, &connection.endpoint),
    };
    Ok(Records::new(store, scope, owner, place, ports.files.clone()))
}

/// What was replaced and could not be brought back: its release is not on record, or its code is gone.
pub(super) async fn no_way_back(ports: &Ports, way: &Way, report: &Report) -> Vec<String> {
    let mut told = Vec::new();
    // Where the store did not answer, what it holds is not known.
    if !way.released.is_known {
        return told;
    }
    let replaced = report.plan.apps.iter().filter(|app| {
        app.verb == Verb::Update && report.apps.iter().any(|result| result.name == app.name && result.was_written())
    });
    for app in replaced {
        let Some(before) = app.live.as_ref().and_then(|live| live.version.as_ref()) else { continue };
        let known = way.released.apps.get(&app.name).and_then(|known| known.current());
        let why = match (way.released.last(&app.name), known) {
            (Some(last), Some(entry)) if entry.mark() == Some(before) => {
                let address = last.code.as_ref().and_then(|code| code.address.as_deref());
                match address {
                    Some(address) if ports.targets.has_bundle(&way.target, address).await == Some(false) => {
                        "its code is no longer stored"
                    }
                    _ => continue,
                }
            }
            _ => "it is not on record",
        };
        told.push(format!("`{}` cannot be rolled back to {before}: {why}", app.name));
    }
    told
}

/// What is ignored.
pub(super) fn warnings(found: &[release::Warning]) -> Vec<Diagnostic> {
    let warn = |warning: &release::Warning| {
        Diagnostic::warning(codes::UNREADABLE_RECORD, format!("{} is ignored: {}", warning.what, warning.why))
    };
    found.iter().map(warn).collect()
}

/// What was last applied. Nothing depends on it: what cannot be read becomes a warning.
pub(super) async fn released(ports: &Ports, project: &mut Project) -> ReleaseSet {
    let read = async { records(ports, project).await?.read().await };
    let (set, found) = match read.await {
        Ok(set) => {
            let found = warnings(&set.warnings);
            (set, found)
        }
        Err(error) => (ReleaseSet::default(), vec![no_store(error)]),
    };
    project.diagnostics.list.extend(found);
    set
}

/// A store that does not answer.
pub(super) fn no_store(error: StoreError) -> Diagnostic {
    let finding = Diagnostic::warning(codes::NO_STORE, format!("the releases on record are unknown: {error}"));
    finding.help(error.help.unwrap_or_else(|| "plan and apply go on without them".to_owned()))
}
