//! Runs apps as processes of this machine: start, readiness, restart, blue/green, drain, scale to zero.

mod config;
mod logs;
mod workload;

pub use config::RuntimeConfig;
pub use logs::{Line, Originator, Tail};
pub use workload::{Entry, Observation, Parameter, ParameterValue, ReadyProbe, RuntimeEvent, Surroundings, Workload};

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::model::AppId;
use crate::server::ingress::Ingress;

/// A process of an app, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    pub app: AppId,
    pub revision: u64,
    /// Unique on this machine: `<app>-<revision>-<five characters>`.
    pub name: String,
    pub pid: u32,
    /// It gets the app's traffic.
    pub serving: bool,
}

/// The processes of all apps. Cheap to clone; all clones are the same runtime.
///
/// One process per app: `max_replicas` beyond one is not simulated.
#[derive(Clone)]
pub struct Runtime {
    ingress: Ingress,
}

impl Runtime {
    /// A runtime without apps. The directory must belong to this control plane alone.
    ///
    /// # Errors
    /// When the state directory cannot be made.
    pub fn new(
        config: RuntimeConfig,
        surroundings: Arc<dyn Surroundings>,
        events: UnboundedSender<RuntimeEvent>,
        ingress: Ingress,
    ) -> io::Result<Self> {
        drop((config, surroundings, events));
        Ok(Self { ingress })
    }

    /// Ends the processes that a former control plane left behind, found by their records; returns how many groups
    /// there were. To be called once, before the first [`Runtime::set`].
    pub async fn reclaim(&self) -> usize {
        todo!()
    }

    /// Starts the workload, or replaces an older revision of the app once this one is ready. A revision that is not
    /// newer than the one that runs (or is about to) changes nothing. Returns at once; events tell what happens.
    pub fn set(&self, workload: Workload) {
        todo!("{workload:?}")
    }

    /// Takes the app out of the traffic, lets its requests finish, and ends its processes. Resolves when they have
    /// ended; at once for an app that does not run.
    pub async fn stop(&self, app: &AppId) {
        todo!("{app}")
    }

    /// Stops the app and deletes its directories and logs. Its listener stays until [`Ingress::close`].
    pub async fn remove(&self, app: &AppId) {
        todo!("{app}")
    }

    /// Stops all apps, at the same time.
    pub async fn shutdown(&self) {
        todo!()
    }

    /// All processes, ordered by app.
    pub fn replicas(&self) -> Vec<Replica> {
        todo!()
    }

    /// The app's log, also of an app that does not run.
    pub fn tail(&self, app: &AppId) -> Tail {
        todo!("{app} {:?}", self.ingress.url(app))
    }
}
