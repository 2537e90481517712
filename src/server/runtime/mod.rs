//! Runs apps as processes of this machine: start, readiness, restart, blue/green, drain, scale to zero.

#![allow(clippy::disallowed_methods, reason = "the runtime is an edge: files, processes and time are its matter")]

mod command;
mod config;
mod core;
mod environment;
mod layout;
mod logs;
mod prepare;
mod probe;
mod process;
mod record;
mod slot;
mod supervisor;
mod system;
mod unpack;
mod workload;

#[cfg(test)]
mod tests;

pub use config::RuntimeConfig;
pub use logs::{Line, Originator, Tail};
pub use workload::{Entry, Observation, Parameter, ParameterValue, ReadyProbe, RuntimeEvent, Surroundings, Workload};

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::oneshot;

use self::core::Core;
use self::supervisor::{Command, Supervisor};
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

/// The processes of all apps. Cheap to clone; all clones are the same runtime. When the last one is dropped, the
/// processes are stopped.
///
/// One process per app: `max_replicas` beyond one is not simulated.
#[derive(Clone)]
pub struct Runtime {
    core: Arc<Core>,
    supervisors: Arc<Mutex<BTreeMap<AppId, UnboundedSender<Command>>>>,
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
        fs::create_dir_all(&config.directory)?;
        // Apps run in other directories: what they are told must be found from there.
        let directory = fs::canonicalize(&config.directory)?;
        let config = RuntimeConfig { directory, ..config };
        Ok(Self { core: Arc::new(Core::new(config, surroundings, events, ingress)), supervisors: Arc::default() })
    }

    /// Ends the processes that a former control plane left behind, found by their records; returns how many groups
    /// there were. To be called once, before the first [`Runtime::set`].
    pub async fn reclaim(&self) -> usize {
        record::reclaim(&self.core.layout().records(), self.core.config().grace).await
    }

    /// Starts the workload, or replaces an older revision of the app once this one is ready. A revision that is not
    /// newer than the one that runs (or is about to) changes nothing. Returns at once; events tell what happens.
    /// To be called inside a tokio runtime.
    ///
    /// An app found listening on its declared port instead of `PORT` is an exception: two of its processes cannot run
    /// at once, so the old one is stopped first, and requests wait for the new one.
    pub fn set(&self, workload: Workload) {
        self.send(&workload.app.clone(), Command::Set(Box::new(workload)));
    }

    /// Takes the app out of the traffic, lets its requests finish, and ends its processes. Resolves when they have
    /// ended; at once for an app that does not run.
    pub async fn stop(&self, app: &AppId) {
        let (done, ended) = oneshot::channel();
        self.send(app, Command::Stop(done));
        // An error means that the supervisor has ended, and its processes with it.
        let _ = ended.await;
    }

    /// Stops the app and deletes its directories and logs. Its listener stays until [`Ingress::close`].
    pub async fn remove(&self, app: &AppId) {
        let (done, ended) = oneshot::channel();
        self.send(app, Command::Remove(done));
        let _ = ended.await;
    }

    /// Stops all apps, at the same time.
    pub async fn shutdown(&self) {
        let apps: Vec<AppId> = self.lock().keys().cloned().collect();
        futures::future::join_all(apps.iter().map(|app| self.stop(app))).await;
    }

    /// All processes, ordered by app, older ones first.
    pub fn replicas(&self) -> Vec<Replica> {
        self.core.replicas()
    }

    /// The app's log, also of an app that does not run.
    pub fn tail(&self, app: &AppId) -> Tail {
        self.core.log(app).tail()
    }

    fn send(&self, app: &AppId, command: Command) {
        let mut supervisors = self.lock();
        let supervisor = supervisors.entry(app.clone()).or_insert_with(|| {
            let (commands, received) = mpsc::unbounded_channel();
            Supervisor::spawn(self.core.clone(), app.clone(), received);
            commands
        });
        // A supervisor lives as long as this sender.
        let _ = supervisor.send(command);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AppId, UnboundedSender<Command>>> {
        self.supervisors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
