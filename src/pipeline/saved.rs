//! A saved plan on its way back: read, checked against what is there now, made whole again.

use super::{Error, Planned, Request, lower_with, meaning, pack, read, read_manifest, released};
use crate::pins::{self, Pins};
use crate::plan::stored::{Stale, StoredPlan};
use crate::port::{Access, Ports};
use crate::resolve::{self, Project};

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
        ..request.clone()
    };
    let manifest = read_manifest(ports.files.as_ref(), &request)?;
    let environment = resolve::environment(&manifest, &request.selection);
    refuse(stored.texts(&manifest.sources, &environment))?;
    let mut project = meaning(&manifest, &request)?;
    refuse(stored.target(&project))?;

    let bundles = pack(ports, &project)?;
    let pins = pinned(ports, &project, &stored).await?;
    let desired = lower_with(ports, &project, &request, &bundles, &pins)?;
    let released = released(ports, &mut project).await;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let mut stale = stored.sources(&bundles);
    if stale.is_empty() {
        stale.extend(stored.specs(&desired));
    }
    stale.extend(stored.live(&live));
    refuse(stale)?;
    let plan = stored.plan(&project, control_plane.endpoint(), &bundles, &desired);
    Ok(Planned { plan, project, released, live, request, environment, pins })
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
