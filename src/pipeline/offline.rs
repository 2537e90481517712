//! What changed since the last apply on record, with nobody asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::on_record::{records, warnings};
use super::{Error, Request, code, lower_with, meaning, pack, read_manifest};
use crate::diff::{self, LiveSet};
use crate::model::{AppName, LiveApp};
use crate::pins;
use crate::plan::{self, Plan};
use crate::port::Ports;
use crate::release::{AppReleases, Release};
use crate::resolve::{Project, ReleaseStore};

/// What is declared against what was last applied to the target, by the records in the tree alone: no network, no
/// credentials. It is not known what runs, so nothing of it can be applied.
///
/// # Errors
/// As [`super::plan`], less the control plane; also [`Error::NotOffline`] and [`Error::Store`].
pub async fn offline(ports: &Ports, request: &Request) -> Result<Plan, Error> {
    let manifest = read_manifest(ports.files.as_ref(), request)?;
    let mut project = meaning(&manifest, request)?;
    if let ReleaseStore::Bucket { address, .. } = &project.releases {
        return Err(Error::NotOffline { store: address.clone() });
    }
    let bundles = pack(ports, &project)?;
    let pins = pins::stand_ins(&project);
    let desired = lower_with(ports, &project, request, &bundles, &pins)?;
    let released = last_releases(ports, &mut project).await?;
    let recorded = LiveSet::new(released.values().map(|release| LiveApp(release.message.clone())));
    let (desired, kept) = diff::keep(&project, desired, &recorded, &request.keep_drift)?;
    let mut changes = diff::since_release(&project, &desired, &released).keeping(kept);
    code::compare(ports, None, &project, &mut changes, request.code_text).await;
    Ok(plan::offline(&project, &changes))
}

/// What was last applied to the target.
async fn last_releases(ports: &Ports, project: &mut Project) -> Result<BTreeMap<AppName, Arc<Release>>, Error> {
    let records = records(ports, project).await?;
    let released = records.read().await?;
    project.diagnostics.list.extend(warnings(&released.warnings));
    let apps: Vec<(&AppName, &AppReleases)> = released.apps.iter().collect();
    Ok(records.claims(&apps).await?)
}
