//! What the records say of live apps where their last releases alone do not tell.

use std::sync::Arc;

use super::on_record::{no_store, records, warnings};
use crate::desired::DesiredSet;
use crate::diff::LiveSet;
use crate::model::{AppName, LiveApp, Marks};
use crate::port::{Ports, StoreError};
use crate::release::{AppReleases, ReleaseSet};
use crate::resolve::Project;

/// What the records are asked.
struct Questions {
    /// Apps with the version that their marks or labels name.
    marked: Vec<(AppName, String)>,
    /// Apps that bear no marks, or are not there.
    unmarked: Vec<AppName>,
    /// The label that is asked for.
    label: Option<String>,
}

/// Completes what is on record: with the release that the marks of an app name, where it is not the last one; where it
/// has none or is not there, with the last one that was written to this very place; and with what the label that is
/// asked for stands for. A store that does not answer becomes a warning.
pub(super) async fn recall(
    ports: &Ports,
    project: &mut Project,
    released: &mut ReleaseSet,
    desired: &DesiredSet,
    label: Option<&str>,
    live: &LiveSet,
) {
    let questions = Questions { label: label.map(str::to_owned), ..questions(project, released, live) };
    answer(ports, project, released, desired, &questions).await;
}

/// Looks for what the label that is asked for stands for, and for nothing else.
pub(super) async fn recall_label(
    ports: &Ports,
    project: &mut Project,
    released: &mut ReleaseSet,
    desired: &DesiredSet,
    label: Option<&str>,
) {
    let questions = Questions { label: label.map(str::to_owned), marked: Vec::new(), unmarked: Vec::new() };
    answer(ports, project, released, desired, &questions).await;
}

async fn answer(
    ports: &Ports,
    project: &mut Project,
    released: &mut ReleaseSet,
    desired: &DesiredSet,
    questions: &Questions,
) {
    if questions.marked.is_empty() && questions.unmarked.is_empty() && questions.label.is_none() {
        return;
    }
    let known = released.warnings.len();
    if let Err(error) = complete(ports, project, released, desired, questions).await {
        project.diagnostics.list.push(no_store(error));
    }
    project.diagnostics.list.extend(warnings(&released.warnings[known..]));
}

fn questions(project: &Project, released: &ReleaseSet, live: &LiveSet) -> Questions {
    let (mut marked, mut unmarked) = (Vec::new(), Vec::new());
    // What is no longer declared is ours by its marks, else by what is on record.
    let is_orphan = |name: &&AppName| !project.is_narrowed && !project.declared.contains(name);
    let unowned = live.apps.iter().filter(|(_, app)| app.owner().is_none()).map(|(name, _)| name);
    let orphans = unowned.filter(is_orphan);
    let names = project.graph.order().iter().chain(orphans);
    for name in names.filter(|name| released.apps.contains_key(*name)) {
        let Some(app) = live.apps.get(name) else {
            // Nothing is missed on the embedded control plane.
            if !project.target.is_local() {
                unmarked.push(name.clone());
            }
            continue;
        };
        match (app.owner(), version(app)) {
            (Some(owner), Some(version)) if owner == project.owner && released.version(name, &version).is_none() => {
                marked.push((name.clone(), version));
            }
            (None, _) => unmarked.push(name.clone()),
            _ => {}
        }
    }
    Questions { marked, unmarked, label: None }
}

fn version(app: &LiveApp) -> Option<String> {
    let label = || app.label(Marks::DIGEST_LABEL).map(str::to_owned);
    app.marks().map(|marks| marks.digest.short()).or_else(label)
}

async fn complete(
    ports: &Ports,
    project: &Project,
    released: &mut ReleaseSet,
    desired: &DesiredSet,
    questions: &Questions,
) -> Result<(), StoreError> {
    let records = records(ports, project).await?;
    if let Some(label) = &questions.label {
        let planned = desired.apps.iter().map(|(name, app)| (name, app.version.digest));
        records.find_label(released, label, planned).await?;
    }
    for (name, version) in &questions.marked {
        let Some(of_app) = released.apps.get_mut(name) else { continue };
        of_app.marked = records.version(name, of_app, version).await?.map(Arc::new);
    }
    let asked: Vec<(&AppName, &AppReleases)> =
        questions.unmarked.iter().filter_map(|name| released.apps.get_key_value(name)).collect();
    for (name, release) in records.claims(&asked).await? {
        released.apps.entry(name).or_default().claimed = Some(release);
    }
    Ok(())
}
