//! Where requests, what is stored and what runs come together.
//!
//! A write is worked out by the state machine, made durable, committed, told to watchers and handed to the runtime, in
//! this order and under one lock. What the runtime reports comes back the same way.

mod fserve;
mod translate;
mod workers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flyte_schema::flyteidl2::app::{App, ListRequest};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use self::workers::{Command, Workers};
use super::ingress::Ingress;
use super::runtime::{Observation, Runtime, RuntimeConfig, RuntimeEvent, Surroundings, Tail};
use super::state::{Change, Page, Profile, Record, State, StateError, Target};
use super::store::{Store, StoreError};
use crate::model::AppId;
use crate::port::Clock;

/// Changes that may wait for a watcher before it misses some. Source: the buffer of the open-source server.
const BACKLOG: usize = 100;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the state could not be read or stored")]
    Store(#[from] StoreError),
    #[error("no port could be opened for the app")]
    Ingress(#[source] io::Error),
}

/// How a hub is set up.
pub struct HubConfig {
    /// The state directory.
    pub directory: PathBuf,
    pub profile: Profile,
    /// `http://127.0.0.1:<port>` of the services themselves.
    pub endpoint: String,
}

/// All apps of an embedded control plane.
pub struct Hub {
    profile: Profile,
    endpoint: String,
    store: Arc<Store>,
    state: Mutex<State>,
    changes: broadcast::Sender<Arc<Change>>,
    runtime: Runtime,
    ingress: Ingress,
    workers: Workers,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Hub {
    /// Opens what is stored, ends processes that a former control plane left behind, and brings the apps back that are
    /// to run.
    ///
    /// # Errors
    /// When the state cannot be opened.
    pub async fn start(config: HubConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, HubError> {
        let store = Arc::new(Store::open(&config.directory)?);
        let ingress = Ingress::new();
        let surroundings = Arc::new(Around { store: store.clone(), ingress: ingress.clone() });
        let (sender, events) = mpsc::unbounded_channel();
        let settings = RuntimeConfig::new(&config.directory);
        let runtime = Runtime::new(settings, surroundings, sender, ingress.clone())
            .map_err(|source| StoreError::File { path: config.directory.clone(), source })?;
        runtime.reclaim().await;
        let state = State::restore(config.profile.quirks(), store.apps()?, clock.now());
        let hub = Arc::new(Self {
            profile: config.profile,
            endpoint: config.endpoint,
            store,
            state: Mutex::new(state),
            changes: broadcast::Sender::new(BACKLOG),
            workers: Workers::new(runtime.clone()),
            runtime,
            ingress,
            clock,
            stopping: CancellationToken::new(),
        });
        hub.bring_back()?;
        tokio::spawn(hub.clone().listen(events));
        Ok(hub)
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Cancelled once the control plane is to end; streams end then.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Ends every process and listener.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.workers.close();
        self.runtime.shutdown().await;
        self.ingress.shutdown();
        // What still holds the hub would close the database at some later time, and files would change under a reader.
        if let Err(error) = self.store.settle() {
            tracing::warn!(%error, "the database keeps its log");
        }
    }

    /// # Errors
    /// As the state machine refuses it, or when it cannot be stored.
    pub fn create(self: &Arc<Self>, app: App) -> Result<App, HubError> {
        self.write(&State::id_of(&app)?, |state, now| state.create(app, now))
    }

    /// # Errors
    /// As the state machine refuses it, or when it cannot be stored.
    pub fn update(self: &Arc<Self>, app: App, reason: &str) -> Result<App, HubError> {
        self.write(&State::id_of(&app)?, |state, now| state.update(app, reason, now))
    }

    /// # Errors
    /// As the state machine refuses it, or when it cannot be stored.
    pub fn delete(self: &Arc<Self>, id: &AppId) -> Result<(), HubError> {
        let mut state = self.state();
        match state.delete(id, self.clock.now())? {
            Some(change) => self.end(&mut state, change),
            None => Ok(()),
        }
    }

    /// Takes over the end of an app, and ends what it runs.
    fn end(self: &Arc<Self>, state: &mut State, change: Change) -> Result<(), HubError> {
        let id = change.id.clone();
        self.take(state, change)?;
        let hub = self.clone();
        let gone = id.clone();
        let close = move || {
            let state = hub.state();
            // It may have been created again meanwhile.
            if state.record(&gone).is_none() {
                hub.ingress.close(&gone);
            }
        };
        self.workers.send(&id, Command::Remove(Box::new(close)));
        Ok(())
    }

    /// # Errors
    /// [`StateError::NotFound`]
    pub fn get(&self, id: &AppId) -> Result<App, HubError> {
        Ok(self.state().get(id, self.clock.now())?)
    }

    /// # Errors
    /// [`StateError::NotFound`]
    pub fn get_by_url(&self, url: &str) -> Result<App, HubError> {
        let mut state = self.state();
        let id = state.at_url(url).cloned().ok_or_else(|| StateError::NotFound(url.to_owned()))?;
        Ok(state.get(&id, self.clock.now())?)
    }

    /// # Errors
    /// As [`State::list`].
    pub fn list(&self, request: &ListRequest) -> Result<Page, HubError> {
        Ok(self.state().list(request)?)
    }

    /// The apps a watch is about as they are now, and every change from now on.
    ///
    /// # Errors
    /// [`StateError::Unimplemented`] where this server does not watch such a target.
    pub fn watch(&self, target: &Target) -> Result<(Vec<App>, broadcast::Receiver<Arc<Change>>), HubError> {
        let state = self.state();
        // Subscribed under the lock: nothing is missed and nothing comes twice.
        let changes = self.changes.subscribe();
        Ok((current(&state, target)?, changes))
    }

    /// The apps a watch is about.
    ///
    /// # Errors
    /// As [`Hub::watch`].
    pub fn current(&self, target: &Target) -> Result<Vec<App>, HubError> {
        Ok(current(&self.state(), target)?)
    }

    /// Whether a watch hears of an app.
    pub fn is_watched(&self, target: &Target, id: &AppId) -> bool {
        self.state().watches(target, id).unwrap_or(false)
    }

    /// A record as this server tells it.
    pub fn view(&self, id: &AppId, record: &Record) -> App {
        self.state().view(id, record)
    }

    /// The record of an app with everything that is known, whatever this server tells.
    pub fn record(&self, id: &AppId) -> Option<Record> {
        self.state().record(id).cloned()
    }

    /// An app's log and the names of its processes.
    pub fn logs(&self, id: &AppId) -> (Vec<String>, Tail) {
        let replicas = self.runtime.replicas().into_iter().filter(|replica| replica.app == *id);
        (replicas.map(|replica| replica.name).collect(), self.runtime.tail(id))
    }

    pub fn url(&self, id: &AppId) -> Option<String> {
        self.ingress.url(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        self: &Arc<Self>,
        id: &AppId,
        work: impl FnOnce(&State, jiff::Timestamp) -> Result<super::state::Written, StateError>,
    ) -> Result<App, HubError> {
        let mut state = self.state();
        let known = self.store.port(id)?;
        let port = self.locate(&mut state, id, known)?;
        let written = work(&state, self.clock.now()).inspect_err(|_| {
            if state.record(id).is_none() {
                self.ingress.close(id);
            }
        })?;
        if let Some(displaced) = written.displaced {
            self.end(&mut state, displaced)?;
        }
        let Some(change) = written.change else { return Ok(written.answer) };
        self.store.ensure_project(&id.scope.project)?;
        if known != Some(port) {
            self.store.set_port(id, port)?;
        }
        let before = change.old.as_ref().filter(|record| record.running).map(|record| record.deployed);
        let after = change.new.clone();
        self.take(&mut state, change)?;
        // Under the lock, so that the runtime hears of writes in their order.
        match after {
            Some(record) if !record.running && before.is_some() => {
                let hub = self.clone();
                let event =
                    RuntimeEvent { app: id.clone(), revision: record.deployed, observation: Observation::Stopped };
                let stopped = move || hub.observe(&mut hub.state(), &event);
                self.workers.send(id, Command::Stop(Box::new(stopped)));
            }
            Some(record) if record.running && before != Some(record.deployed) => self.run(&mut state, id, &record),
            _ => {}
        }
        Ok(written.answer)
    }

    /// Makes a change durable and lets everyone know.
    fn take(&self, state: &mut State, change: Change) -> Result<(), StoreError> {
        self.store.save(&change)?;
        state.commit(&change);
        // An error means that nobody listens.
        let _ = self.changes.send(Arc::new(change));
        Ok(())
    }

    /// Gives an app its stable URL.
    fn locate(&self, state: &mut State, id: &AppId, known: Option<u16>) -> Result<u16, HubError> {
        let port = self.ingress.open(id, known).map_err(HubError::Ingress)?;
        state.set_url(id, self.ingress.url(id).unwrap_or_default());
        Ok(port)
    }

    /// Starts what a record asks for. Where that cannot run on this machine, what ran before goes on.
    fn run(&self, state: &mut State, id: &AppId, record: &Record) {
        match translate::workload(&self.store, id, record.deployed, &record.app.spec) {
            Ok(mut workload) => {
                translate::tell_platform(&mut workload, &self.endpoint);
                self.workers.send(id, Command::Set(Box::new(workload)));
            }
            Err(reason) => {
                let observation = Observation::CannotStart { reason };
                self.observe(state, &RuntimeEvent { app: id.clone(), revision: record.deployed, observation });
            }
        }
    }

    fn bring_back(&self) -> Result<(), HubError> {
        let mut state = self.state();
        let records: Vec<(AppId, Record)> = state.records().map(|(id, it)| (id.clone(), it.clone())).collect();
        for (id, _) in &records {
            let known = self.store.port(id)?;
            let port = self.locate(&mut state, id, known)?;
            if known != Some(port) {
                self.store.set_port(id, port)?;
            }
        }
        for (id, record) in records.iter().filter(|(_, record)| record.running) {
            self.run(&mut state, id, record);
        }
        Ok(())
    }

    async fn listen(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<RuntimeEvent>) {
        // At the end everything stops; that is not what the apps are to be.
        while let Some(Some(event)) = self.stopping.run_until_cancelled(events.recv()).await {
            self.observe(&mut self.state(), &event);
        }
    }

    fn observe(&self, state: &mut State, event: &RuntimeEvent) {
        let Some(change) = state.observe(event, self.clock.now()) else { return };
        // What was seen is true whether or not there is room to store it, and is seen anew after a restart. Held back,
        // an app on a full disk would be waited for without a reason ever being told.
        if let Err(error) = self.store.save(&change) {
            let error = &error as &(dyn std::error::Error + 'static);
            tracing::error!(app = %event.app, error, "the status could not be stored");
        }
        state.commit(&change);
        // An error means that nobody listens.
        let _ = self.changes.send(Arc::new(change));
    }
}

fn current(state: &State, target: &Target) -> Result<Vec<App>, StateError> {
    let mut apps = Vec::new();
    if let Target::Project(_) | Target::Org = target
        && !state.quirks().watch_project
    {
        return Err(StateError::Unimplemented("only an app can be watched here"));
    }
    for (id, record) in state.records() {
        if state.watches(target, id)? && !matches!(target, Target::App(wanted) if wanted != id) {
            apps.push(state.view(id, record));
        }
    }
    Ok(apps)
}

/// Ends the processes that a control plane which no longer runs has left behind.
///
/// # Errors
/// When the state directory cannot be used.
pub async fn reclaim(directory: &Path) -> io::Result<usize> {
    let (sender, _events) = mpsc::unbounded_channel();
    let runtime = Runtime::new(RuntimeConfig::new(directory), Arc::new(Nothing), sender, Ingress::new())?;
    Ok(runtime.reclaim().await)
}

/// The surroundings of no process.
struct Nothing;

impl Surroundings for Nothing {
    fn secret(&self, _: &AppId, _: &str) -> Option<String> {
        None
    }

    fn url(&self, _: &AppId) -> Option<String> {
        None
    }
}

/// What processes need of the control plane.
struct Around {
    store: Arc<Store>,
    ingress: Ingress,
}

impl Surroundings for Around {
    fn secret(&self, app: &AppId, key: &str) -> Option<String> {
        let value = self.store.secret_value(&app.scope, key).inspect_err(|error| {
            tracing::error!(%app, key, %error, "the secret could not be read");
        });
        String::from_utf8(value.ok()??).ok()
    }

    fn url(&self, app: &AppId) -> Option<String> {
        self.ingress.url(app)
    }

    fn url_to_be(&self, app: &AppId) -> Option<String> {
        self.url(app).or_else(|| {
            let port = self.ingress.open(app, self.store.port(app).ok()?).ok()?;
            self.store.set_port(app, port).ok()?;
            self.url(app)
        })
    }
}
