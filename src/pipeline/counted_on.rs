//! Code that is not sent again because it is stored already: whether it still is. What nobody can tell is believed.

use std::collections::BTreeMap;

use super::way_back::{Stored, stored};
use crate::diff::{AppChange, ChangeSet, LiveSet};
use crate::model::{AppId, AppName, LiveApp, Scope};
use crate::plan::stored::{Staleness, StoredPlan};
use crate::plan::{Policy, counts_on_code};
use crate::port::{ControlPlane, Ports};
use crate::resolve::Project;

/// Looks for the code of the apps that would be written, started or waited for. What is gone is sent again.
pub async fn look(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    policy: Policy,
    live: &LiveSet,
    changes: &mut ChangeSet,
) {
    let place = |change: &AppChange, elsewhere: &BTreeMap<_, String>| {
        let bundle = change.desired.bundle.as_ref().filter(|_| counts_on_code(change, policy))?;
        let runs = change.live.as_ref().filter(|_| change.has_its_code()).and_then(LiveApp::bundle_address);
        runs.map(str::to_owned).or_else(|| elsewhere.get(&bundle.digest).cloned())
    };
    let places: Vec<Option<String>> = changes.apps.iter().map(|change| place(change, &changes.stored)).collect();
    let asked = places.iter().flatten().filter_map(|address| asked(&project.scope, live, address));
    let known = stored(ports, control_plane, &project.target, asked.collect()).await;
    changes.stored.retain(|_, address| !is_gone(&known, address));
    for (change, place) in changes.apps.iter_mut().zip(places) {
        change.code_gone = change.has_its_code() && place.is_some_and(|address| is_gone(&known, &address));
    }
}

/// The apps of a stored plan that count on code that is gone.
pub async fn gone(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    plan: &StoredPlan,
    live: &LiveSet,
) -> Vec<Staleness> {
    let places = plan.counts_on(live);
    let asked = places.iter().filter_map(|(app, address)| {
        // The embedded control plane tells of code that nothing runs by.
        asked(&project.scope, live, address).or_else(|| Some((address.clone(), project.scope.app(app))))
    });
    let known = stored(ports, control_plane, &project.target, asked.collect()).await;
    let gone = places.into_iter().filter(|(_, address)| is_gone(&known, address));
    gone.map(|(app, _)| Staleness::CodeGone { app }).collect()
}

fn is_gone(known: &Stored, address: &str) -> bool {
    known.get(address) == Some(&false)
}

/// An address with an app that runs by it: control planes link to no other code.
fn asked(scope: &Scope, live: &LiveSet, address: &str) -> Option<(String, AppId)> {
    let runs_by = |(_, app): &(&AppName, &LiveApp)| app.bundle_address() == Some(address);
    let (name, _) = live.apps.iter().find(runs_by)?;
    Some((address.to_owned(), scope.app(name)))
}
