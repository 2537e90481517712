//! A world in memory, in which the real pipeline runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flyte::apply::Options;
use flyte::guarantees::Observed;
use flyte::pipeline::{self, Error, Planned, Request};
use flyte::plan::{Consent, Policy};
use flyte::port::memory::{MemoryFiles, MemoryNotes, MemoryRegistry, MemoryReleases, VirtualClock};
use flyte::port::{Access, Clock, ControlPlane, Event, Events, Ports, RpcError, Targets};
use flyte::report::Report;
use flyte::resolve::{Selection, Target};
use flyte::server::simulator::Simulator;
use flyte::server::state::{Profile, Quirks};

/// Where the manifest tree lies in the memory files.
pub const ROOT: &str = "/tree";

pub struct World {
    pub files: MemoryFiles,
    pub clock: Arc<VirtualClock>,
    pub simulator: Simulator,
    /// The targets that are control planes of their own, by name; all others are `simulator`.
    pub apart: BTreeMap<String, Simulator>,
    pub heard: Arc<Heard>,
    pub notes: Arc<MemoryNotes>,
    /// What is on record.
    pub releases: MemoryReleases,
    /// The images there are.
    pub registry: MemoryRegistry,
    /// The text of the plan file, where one was saved.
    pub saved: Mutex<String>,
}

/// Events, with the seconds since the clock began.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Event>>);

impl Heard {
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Events for Heard {
    fn tell(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

struct Simulated {
    simulator: Simulator,
    apart: BTreeMap<String, Simulator>,
    notes: Arc<MemoryNotes>,
    clock: Arc<VirtualClock>,
}

#[async_trait]
impl Targets for Simulated {
    async fn connect(&self, target: &Target, _: Access) -> Result<Arc<dyn ControlPlane>, RpcError> {
        let (name, simulator) = match self.apart.get_key_value(&target.name) {
            Some((name, simulator)) => (name.as_str(), simulator),
            None => ("simulator", &self.simulator),
        };
        let inner = Arc::new(simulator.clone());
        Ok(Arc::new(Observed::new(inner, name, self.notes.clone(), self.clock.clone())))
    }
}

impl World {
    /// Inside a runtime, paused or not.
    pub fn new(profile: Profile) -> Self {
        Self::with(profile.quirks())
    }

    /// Any other control plane. Inside a runtime, paused or not.
    pub fn with(quirks: Quirks) -> Self {
        let clock = Arc::new(VirtualClock::default());
        let simulator = Simulator::new(quirks, clock.clone());
        Self {
            files: MemoryFiles::default(),
            clock,
            simulator,
            apart: BTreeMap::new(),
            heard: Arc::default(),
            notes: Arc::default(),
            releases: MemoryReleases::default(),
            registry: MemoryRegistry::default(),
            saved: Mutex::default(),
        }
    }

    /// The control plane of a target.
    pub fn simulator(&self, target: Option<&str>) -> &Simulator {
        target.and_then(|target| self.apart.get(target)).unwrap_or(&self.simulator)
    }

    /// Replaces the tree with a copy of a real directory.
    pub fn load(&mut self, directory: &Path) {
        self.files = MemoryFiles::default();
        copy(directory, Path::new(ROOT), &mut self.files);
    }

    /// Replaces the tree with these files.
    pub fn write(&mut self, files: &[(String, String)]) {
        self.files = MemoryFiles::default();
        for (path, text) in files {
            self.files.insert(Path::new(ROOT).join(path), text.as_bytes());
        }
    }

    pub fn ports(&self) -> Ports {
        Ports {
            files: Arc::new(self.files.clone()),
            clock: self.clock.clone() as Arc<dyn Clock>,
            targets: Arc::new(Simulated {
                simulator: self.simulator.clone(),
                apart: self.apart.clone(),
                notes: self.notes.clone(),
                clock: self.clock.clone(),
            }),
            events: self.heard.clone(),
            releases: Arc::new(self.releases.clone()),
            registry: Arc::new(self.registry.clone()),
        }
    }

    pub async fn plan(&self, request: &Request) -> Result<Planned, Error> {
        pipeline::plan(&self.ports(), request).await
    }

    /// Plans, and keeps the text that would be the plan file.
    pub async fn save(&self, request: &Request) -> Result<Planned, Error> {
        let planned = self.plan(request).await?;
        *self.saved.lock().unwrap() = planned.stored().to_text();
        Ok(planned)
    }

    /// The plan in the plan file again.
    pub async fn restore(&self, request: &Request) -> Result<Planned, Error> {
        let text = self.saved.lock().unwrap().clone();
        pipeline::restore(&self.ports(), request, &text).await
    }

    pub async fn apply_saved(&self, request: &Request, options: &Options) -> Result<Report, Error> {
        let approved = self.restore(request).await?.approve(Consent::given())?;
        pipeline::apply(&self.ports(), &approved, options).await
    }

    pub async fn apply(&self, request: &Request, options: &Options) -> Result<Report, Error> {
        let ports = self.ports();
        let approved = pipeline::plan(&ports, request).await?.approve(Consent::given())?;
        pipeline::apply(&ports, &approved, options).await
    }
}

pub fn request(policy: Policy) -> Request {
    Request { manifest: PathBuf::from(ROOT), selection: Selection::default(), policy, ..Request::default() }
}

/// The tree below a real directory, as if it stood at `to`.
pub fn copy(from: &Path, to: &Path, files: &mut MemoryFiles) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if entry.file_name() != "target" {
                copy(&path, &target, files);
            }
        } else {
            files.insert(target, std::fs::read(&path).unwrap());
        }
    }
}

/// Runs a future on a clock that jumps over every wait.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}
