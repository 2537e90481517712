//! What apps depend on: as they are declared, and as they run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::diff::{LiveSet, endpoints};
use crate::model::{AppName, LiveApp};
use crate::readiness::{Evidence, Verdict, judge};
use crate::resolve::{Graph, Project};

/// How long an app may take to become ready that is no longer declared.
pub const READY_WITHIN: Duration = Duration::from_secs(300);

/// How an app stands that others depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Ready,
    /// It is to run, and is not ready.
    Awaited,
    Stopped,
    Missing,
}

pub(super) fn standing(live: Option<&LiveApp>) -> Standing {
    match live {
        None => Standing::Missing,
        Some(live) if live.is_stopped() => Standing::Stopped,
        Some(_) => match judge(live, &Evidence::any()) {
            Verdict::Ready => Standing::Ready,
            _ => Standing::Awaited,
        },
    }
}

/// Who depends on whom among everything that is declared or runs.
pub(super) struct Needs {
    /// Without circles.
    pub graph: Graph,
    /// Also what is neither declared nor there.
    of: BTreeMap<AppName, BTreeSet<AppName>>,
}

impl Needs {
    pub fn new(project: &Project, live: &LiveSet, names: &BTreeSet<AppName>) -> Self {
        let all: BTreeSet<&AppName> = project.graph.order().iter().chain(live.apps.keys()).chain(names).collect();
        let declared = |name: &AppName| project.graph.dependencies(name).cloned().collect::<BTreeSet<_>>();
        let used = |name: &AppName| {
            let mut used = live.apps.get(name).map(|app| endpoints(&app.0)).unwrap_or_default();
            used.remove(name);
            used
        };
        let both = |name: &AppName| declared(name).into_iter().chain(used(name)).collect();
        let edges = |of: &dyn Fn(&AppName) -> BTreeSet<AppName>| -> BTreeMap<AppName, BTreeSet<AppName>> {
            all.iter().map(|name| ((*name).clone(), of(name))).collect()
        };
        let of = edges(&both);
        // What runs may depend on each other the other way round than what is declared by now: then that counts.
        let graph = Graph::new(of.clone()).or_else(|_| Graph::new(edges(&declared))).unwrap_or_default();
        Self { graph, of }
    }

    /// Everything that an app depends on.
    pub fn of(&self, name: &AppName) -> impl Iterator<Item = &AppName> {
        self.of.get(name).into_iter().flatten()
    }
}

/// Whether an app is started only when `other`, which it depends on, is ready: unless it is declared otherwise.
pub(super) fn waits(project: &Project, name: &AppName, other: &AppName) -> bool {
    let declared = project.apps.get(name).and_then(|app| app.depends_on.iter().find(|on| on.app == *other));
    declared.is_none_or(|on| on.wait)
}
