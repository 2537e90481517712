//! What all supervisors and processes of a runtime share.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::layout::Layout;
use super::logs::AppLog;
use super::workload::{Observation, RuntimeEvent, Surroundings};
use super::{Replica, RuntimeConfig};
use crate::model::AppId;
use crate::server::ingress::{Ingress, Route, port};

pub struct Core {
    config: RuntimeConfig,
    layout: Layout,
    surroundings: Arc<dyn Surroundings>,
    events: UnboundedSender<RuntimeEvent>,
    ingress: Ingress,
    chance: RandomState,
    generations: AtomicU64,
    ports: Arc<Mutex<BTreeSet<u16>>>,
    logs: Mutex<BTreeMap<AppId, Arc<AppLog>>>,
    replicas: Mutex<BTreeMap<u64, Replica>>,
}

impl Core {
    pub fn new(
        config: RuntimeConfig,
        surroundings: Arc<dyn Surroundings>,
        events: UnboundedSender<RuntimeEvent>,
        ingress: Ingress,
    ) -> Self {
        Self {
            layout: Layout::new(config.directory.clone()),
            config,
            surroundings,
            events,
            ingress,
            chance: RandomState::new(),
            generations: AtomicU64::new(1),
            ports: Arc::default(),
            logs: Mutex::default(),
            replicas: Mutex::default(),
        }
    }

    pub fn config(&self) -> &RuntimeConfig {
        &self.config
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn surroundings(&self) -> &dyn Surroundings {
        &*self.surroundings
    }

    pub fn route(&self, app: &AppId) -> Arc<Route> {
        self.ingress.route(app)
    }

    pub fn log(&self, app: &AppId) -> Arc<AppLog> {
        let open = || Arc::new(AppLog::open(self.layout.log(app)));
        lock(&self.logs).entry(app.clone()).or_insert_with(open).clone()
    }

    pub fn report(&self, app: &AppId, revision: u64, observation: Observation) {
        // A control plane that listens no more is about to end.
        let _ = self.events.send(RuntimeEvent { app: app.clone(), revision, observation });
    }

    /// A number that no other process of this runtime has.
    pub fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// 16 hexadecimal digits that no other process on this machine has.
    pub fn token(&self) -> String {
        let time = jiff::Timestamp::now().as_nanosecond();
        format!("{:016x}", self.chance.hash_one((std::process::id(), time, self.next_generation())))
    }

    /// A free port that no other process of this runtime is given while it is held.
    pub fn reserve_port(&self) -> Option<ReservedPort> {
        let mut ports = lock(&self.ports);
        let number = port::free(port::PROCESSES, |port| ports.contains(&port))?;
        ports.insert(number);
        Some(ReservedPort { number, ports: self.ports.clone() })
    }

    pub fn remember(&self, generation: u64, replica: Replica) {
        lock(&self.replicas).insert(generation, replica);
    }

    pub fn forget(&self, generation: u64) {
        lock(&self.replicas).remove(&generation);
    }

    /// The process gets the traffic of its app, and no other does.
    pub fn set_serving(&self, app: &AppId, generation: u64) {
        for (&other, replica) in lock(&self.replicas).iter_mut().filter(|(_, replica)| replica.app == *app) {
            replica.serving = other == generation;
        }
    }

    pub fn replicas(&self) -> Vec<Replica> {
        let mut replicas: Vec<Replica> = lock(&self.replicas).values().cloned().collect();
        replicas.sort_by(|a, b| a.app.cmp(&b.app));
        replicas
    }
}

/// A port held for a process.
pub struct ReservedPort {
    number: u16,
    ports: Arc<Mutex<BTreeSet<u16>>>,
}

impl ReservedPort {
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for ReservedPort {
    fn drop(&mut self) {
        lock(&self.ports).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
