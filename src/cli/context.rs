//! What commands share: the request made from the global flags, the ports, the runtime.

use std::collections::BTreeMap;
use std::env;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Global;
use super::directories;
use super::failure::{Failure, Result};
use super::person::User;
use super::targets::{UserTargets, notes_of, surroundings};
use super::terminal::Terminal;
use crate::client::auth::Surroundings;
use crate::client::{Registries, Timeouts};
use crate::config::{self, Config, Directories};
use crate::host::{Cache, RealFiles, RealStores, SystemClock};
use crate::manifest;
use crate::manifest::address::{USER, WITHOUT_USER};
use crate::model::target::without_user;
use crate::pipeline::Request;
use crate::plan::Policy;
use crate::port::{Events, NoEvents, Ports};
use crate::report::Paint;
use crate::resolve::Selection;

/// Threads that the runtime has at least: the embedded control plane writes to its disk on them, and answers meanwhile.
const WORKERS: usize = 4;

/// One run of the program.
pub struct Context {
    pub global: Global,
    pub terminal: Terminal,
}

impl Context {
    /// The request of the global flags, for the manifest that governs the working directory. No `apps`: all.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn request(&self, apps: &[String]) -> Result<Request> {
        let manifest = self.global.manifest.clone().unwrap_or_else(|| PathBuf::from("."));
        self.request_for(&manifest, apps)
    }

    /// The same for another manifest or directory.
    ///
    /// # Errors
    /// The manifest does not exist, or the working directory is gone.
    pub fn request_for(&self, manifest: &Path, apps: &[String]) -> Result<Request> {
        if !manifest.exists() {
            return Err(Failure::new(format!("there is no {}", manifest.display()))
                .help("name a flyte.toml, or a directory that has one"));
        }
        if self.global.endpoint.as_deref().is_some_and(|endpoint| without_user(endpoint).is_some()) {
            return Err(Failure::new(format!("--endpoint has {USER}")).help(WITHOUT_USER));
        }
        let directory = env::current_dir()?;
        Ok(Request {
            manifest: manifest::normal(&directory.join(manifest)),
            directory: Some(directory),
            selection: Selection {
                profile: self.global.profile.clone(),
                target: self.global.target.clone(),
                endpoint: self.global.endpoint.clone(),
                insecure: self.global.insecure,
                config: self.config()?,
                org: self.global.org.clone(),
                project: self.global.project.clone(),
                domain: self.global.domain.clone(),
                apps: apps.to_vec(),
                environment: environment(),
            },
            policy: Policy::default(),
            label: None,
            keep_drift: Vec::new(),
            code_text: false,
        })
    }

    /// The SDK's configuration, as it is found from the working directory.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn config(&self) -> Result<Config> {
        let directory = env::current_dir()?;
        let environment = environment();
        let home = environment.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let directories = Directories { working: directory.clone(), home };
        let asked_for = self.global.config.as_ref().map(|path| manifest::normal(&directory.join(path)));
        Ok(config::read(&self.files(), &environment, &directories, asked_for.as_deref()))
    }

    /// The real file system, with the cache where there is a place for it.
    pub fn files(&self) -> RealFiles {
        RealFiles::new(Cache::of_user(&environment()))
    }

    /// # Errors
    /// There is no place for the embedded control plane.
    pub fn ports(&self) -> Result<Ports> {
        self.ports_with(Arc::new(NoEvents))
    }

    /// # Errors
    /// There is no place for the embedded control plane.
    pub fn ports_with(&self, events: Arc<dyn Events>) -> Result<Ports> {
        let targets = UserTargets::new(directories::state()?, notes_of(&environment()));
        Ok(Ports {
            files: Arc::new(self.files()),
            clock: Arc::new(SystemClock),
            targets: Arc::new(targets.with_person(Arc::new(User(self.terminal))).within(self.timeouts())),
            events,
            releases: Arc::new(RealStores::new(environment())),
            registry: Arc::new(Registries::new(environment())),
        })
    }

    /// Where log-ins happen and are kept.
    ///
    /// # Errors
    /// There is no place for them.
    pub fn surroundings(&self) -> Result<Surroundings> {
        let person = Arc::new(User(self.terminal));
        Ok(Surroundings { person, ..surroundings(&directories::state()?) })
    }

    /// How long calls may take.
    pub fn timeouts(&self) -> Timeouts {
        self.global.timeout.map_or_else(Timeouts::default, Timeouts::of_calls)
    }

    /// Of results. Colours are taken out again where they are not wanted.
    pub fn paint(&self) -> Paint {
        Paint { color: !self.terminal.json, columns: self.terminal.columns() }
    }

    /// Runs what waits. Commands that wait for nothing start no runtime.
    ///
    /// # Errors
    /// Those of the future; or no runtime can be started.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let workers = std::thread::available_parallelism().map_or(WORKERS, |cores| cores.get().max(WORKERS));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::from(error).while_doing("cannot start the runtime"))?;
        let result = runtime.block_on(future);
        // What still runs in the background (a watch, a log) has nobody to tell any more.
        runtime.shutdown_background();
        result
    }
}

/// The environment as it was at the start; names and values that are not UTF-8 cannot be meant by a manifest.
pub fn environment() -> BTreeMap<String, String> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}
