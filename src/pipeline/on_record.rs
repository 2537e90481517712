//! What the pipeline has to do with releases on record. Nothing depends on them.

use crate::diagnostic::{Diagnostic, codes};
use crate::model::Scope;
use crate::port::{Ports, StoreError};
use crate::records::Records;
use crate::release::{self, Place, ReleaseSet};
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
