//! Whether what is replaced can be brought back: it is on record, its code is stored, its image is there. What nobody
//! can tell is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use super::Way;
use crate::model::AppId;
use crate::plan::{AppPlan, Plan, Reason, Verb};
use crate::port::{ControlPlane, Ports, Resolves};
use crate::release::Release;
use crate::report::Report;
use crate::resolve::Target;

/// Questions on their way at once.
const AT_ONCE: usize = 8;
/// How long all answers of one kind are waited for.
const DEADLINE: Duration = Duration::from_secs(5);

/// Which code is stored, by its address. What is not in it is unknown.
pub type Stored = BTreeMap<String, bool>;

/// Whether the code that a plan replaces is stored. To be asked before the first write, since control planes link to the
/// code of what runs and to no other.
pub async fn code(ports: &Ports, control_plane: &dyn ControlPlane, way: &Way, plan: &Plan) -> Stored {
    let replaced = plan.apps.iter().filter(|app| app.verb == Verb::Update);
    let addresses = replaced.filter_map(|app| {
        let address = address(before(way, app)?)?;
        Some((address.to_owned(), plan.scope.app(&app.name)))
    });
    stored(ports, control_plane, &way.target, addresses.collect()).await
}

/// What was replaced and could not be brought back, and why.
pub async fn no_way_back(ports: &Ports, way: &Way, stored: &Stored, report: &Report) -> Vec<String> {
    // Where the store did not answer, what it holds is not known.
    if !way.released.is_known {
        return Vec::new();
    }
    let is_written = |app: &&AppPlan| report.apps.iter().any(|result| result.name == app.name && result.was_written());
    let replaced = report.plan.apps.iter().filter(|app| app.verb == Verb::Update).filter(is_written);
    let replaced: Vec<(&AppPlan, Option<&Arc<Release>>)> = replaced.map(|app| (app, before(way, app))).collect();
    let images = replaced.iter().filter_map(|(_, release)| release.as_ref()?.image());
    let gone = gone(ports, &way.target, images).await;
    let mut told = Vec::new();
    for (app, release) in replaced {
        let Some(mark) = mark(app) else { continue };
        let mut why = Vec::new();
        match release {
            None => why.push("it is not on record".to_owned()),
            Some(release) => {
                let is_sent_again = app.reasons.contains(&Reason::CodeGone);
                if !is_sent_again && address(release).is_some_and(|address| stored.get(address) == Some(&false)) {
                    why.push("its code is no longer stored".to_owned());
                }
                if let Some(image) = release.image().filter(|image| gone.contains(*image)) {
                    why.push(format!("its image `{image}` no longer resolves"));
                }
            }
        }
        if !why.is_empty() {
            told.push(format!("`{}` cannot be rolled back to {mark}: {}", app.name, why.join(", and ")));
        }
    }
    told
}

/// Which of these addresses, each of an app that may run what is there, still have a file.
pub async fn stored(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    target: &Target,
    addresses: BTreeMap<String, AppId>,
) -> Stored {
    let ask = |(address, app): (String, AppId)| async move {
        let known = match ports.targets.has_bundle(target, &address).await {
            None if !target.is_local() => control_plane.has_bundle(&app, &address).await,
            known => known,
        };
        Some((address, known?))
    };
    let answers = stream::iter(addresses).map(ask).buffer_unordered(AT_ONCE);
    answers.take_until(ports.clock.sleep(DEADLINE)).filter_map(std::future::ready).collect().await
}

/// The images that their registries no longer have. The embedded control plane uses none, so none is asked for.
pub async fn gone<'a>(ports: &Ports, target: &Target, images: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    if target.is_local() {
        return BTreeSet::new();
    }
    let images: BTreeSet<String> = images.map(str::to_owned).collect();
    let ask = |image: String| async move { (ports.registry.resolves(&image).await == Resolves::No).then_some(image) };
    let answers = stream::iter(images).map(ask).buffer_unordered(AT_ONCE);
    answers.take_until(ports.clock.sleep(DEADLINE)).filter_map(std::future::ready).collect().await
}

/// Where the code of a release is.
pub fn address(release: &Release) -> Option<&str> {
    release.code.as_ref()?.address.as_deref()
}

/// The version that ran before, as its marks name it.
fn mark(app: &AppPlan) -> Option<&str> {
    app.live.as_ref()?.version.as_deref()
}

/// The release that ran before, where it is on record.
fn before<'a>(way: &'a Way, app: &AppPlan) -> Option<&'a Arc<Release>> {
    let current = way.released.apps.get(&app.name)?.current()?;
    (current.mark() == Some(mark(app)?)).then(|| way.released.last(&app.name)).flatten()
}
