//! A saved plan on its way back: read, checked against what is there now, made whole again.

use std::path::Path;

use super::recall::recall_label;
use super::{Error, Planned, Request, counted_on, lower_with, meaning, pack, read, read_manifest, released};
use crate::bundle::Bundle;
use crate::diff;
use crate::model::AppName;
use crate::pins::{self, Pins};
use crate::plan;
use crate::plan::stored::{Basis, Stale, StoredPlan};
use crate::port::{Access, Ports};
use crate::preflight;
use crate::resolve::{self, Project};

impl Planned {
    /// The plan as it is kept in a file, to be applied later by [`restore`].
    pub fn stored(&self) -> StoredPlan {
        let basis = Basis {
            project: &self.project,
            selection: &self.request.selection,
            policy: self.request.policy,
            label: self.request.label.as_deref(),
            keep_drift: &self.request.keep_drift,
            texts: &self.texts,
            environment: &self.environment,
            pins: &self.pins,
            live: &self.live,
        };
        StoredPlan::new(&self.plan, &basis)
    }

    /// The app whose code a file would be packed with, were it there. Absolute.
    ///
    /// # Errors
    /// As [`pack`].
    pub fn packs(&self, ports: &Ports, path: &Path) -> Result<Option<AppName>, Error> {
        let bundles = pack(ports, &self.project)?;
        let has = |bundle: &Bundle| bundle.files.iter().any(|file| bundle.root.join(&file.path) == path);
        Ok(bundles.by_app.into_iter().find(|(_, bundle)| has(bundle)).map(|(app, _)| app))
    }
}

/// The plan in a text that [`StoredPlan::to_text`] made, if everything it was made on is still so. Of `request`, the
/// manifest and the environment count; what its flags choose must be what was planned.
///
/// # Errors
/// [`Error::PlanFile`] for another text, [`Error::Stale`] with every reason, else as [`super::plan`]. Nothing was
/// written.
pub async fn restore(ports: &Ports, request: &Request, text: &str) -> Result<Planned, Error> {
    let stored = StoredPlan::read(text)?;
    refuse(stored.tool().into_iter().chain(stored.choices(&request.selection)).collect())?;
    let request = Request {
        selection: stored.choices.selection(&request.selection),
        policy: stored.policy,
        label: stored.label.clone(),
        keep_drift: stored.keep_drift.clone(),
        ..request.clone()
    };
    let manifest = read_manifest(ports.files.as_ref(), &request)?;
    let environment = resolve::environment(&manifest, &request.selection);
    let texts = plan::stored::texts(&manifest.sources);
    refuse(stored.texts(&texts, &environment))?;
    let mut project = meaning(&manifest, &request)?;
    refuse(stored.target(&project))?;

    let bundles = pack(ports, &project)?;
    let pins = pinned(ports, &project, &stored).await?;
    let desired = lower_with(ports, &project, &request, &bundles, &pins)?;
    let mut released = released(ports, &mut project).await;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let mut stale = stored.sources(&bundles);
    let changed = stored.live(&live, &project.mask);
    let desired = match changed.is_empty() {
        true => diff::keep(&project, desired, &live, &stored.keep_drift)?.0,
        false => desired,
    };
    let desired = stored.labelled(desired, &project.owner);
    // What is left to others is as it runs, so that another live spec makes for another one here too.
    if stale.is_empty() && (changed.is_empty() || stored.keep_drift.is_empty()) {
        stale.extend(stored.specs(&desired, &project.mask));
    }
    stale.extend(changed);
    stale.extend(counted_on::gone(ports, control_plane.as_ref(), &project, &stored, &live).await);
    refuse(stale)?;
    recall_label(ports, &mut project, &mut released, &desired, request.label.as_deref()).await;
    let taken = released.labelled.iter().map(|(app, release)| (app.clone(), release.version.digest)).collect();
    refuse(stored.labels(&desired, &taken))?;
    let mut plan = stored.plan(&project, control_plane.endpoint(), &bundles, &desired, &live);
    // What was there when it was made may be gone.
    let lacking = preflight::check(ports, control_plane.as_ref(), &project, &desired, &live, &plan).await;
    plan.diagnostics = plan.diagnostics.and(lacking);
    Ok(Planned { plan, project, released, live, request, texts, environment, pins })
}

fn refuse(stale: Vec<crate::plan::stored::Staleness>) -> Result<(), Stale> {
    if stale.is_empty() { Ok(()) } else { Err(Stale(stale)) }
}

/// What run outputs and artifacts were when the plan was made. Only those that the file must not tell are looked up.
async fn pinned(ports: &Ports, project: &Project, stored: &StoredPlan) -> Result<Pins, Error> {
    let untold = project.apps.iter().any(|(app, declared)| {
        let told = stored.pins.get(app);
        let mut looked_up = declared.parameters.iter().filter(|parameter| parameter.value.is_looked_up());
        looked_up.any(|parameter| told.is_none_or(|told| !told.contains_key(&parameter.name)))
    });
    if !untold {
        return Ok(stored.pins.clone());
    }
    let mut pins = pins::look_up(ports, project).await?;
    for (app, parameters) in &stored.pins {
        pins.entry(app.clone()).or_default().extend(parameters.clone());
    }
    Ok(pins)
}
