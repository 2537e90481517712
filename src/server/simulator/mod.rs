//! A control plane in memory, for tests: [`State`] with apps that only pretend to run, on a clock that may be virtual,
//! with requests recorded and faults put in.

mod fault;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flyte_schema::flyteidl2::app::{App, ListRequest, list_request};
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::common::{self, ProjectIdentifier};
use flyte_schema::flyteidl2::project::Project;
use futures::StreamExt;
use futures::stream;
use tokio::sync::watch;

use super::state::{Quirks, State, StateError, Target};
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice};
use crate::model::spec::identifier;
use crate::model::{AppId, Digest, Guarantees, LiveApp, Scope};
use crate::port::{Clock, ControlPlane, Delivery, Lines, LogLine, Parcel, RpcCode, RpcError, Run, Update, Updates};

pub use fault::{Behaviour, Effect, Fault};
use world::{Outcome, TaskRun, World};

/// Apps on a page, as the real client asks for them.
const PAGE: u32 = 100;

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub at: jiff::Timestamp,
    /// `AppService/Create`
    pub method: &'static str,
    /// The app or scope it was about.
    pub subject: String,
    /// `STOPPED` and the like, for writes of an app.
    pub detail: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.subject)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " {}", self.detail) }
    }
}

/// A control plane in memory. Clones are the same control plane.
#[derive(Clone)]
pub struct Simulator {
    clock: Arc<dyn Clock>,
    world: Arc<Mutex<World>>,
    /// Told after every change.
    changed: watch::Sender<u64>,
}

impl Simulator {
    pub fn new(quirks: Quirks, clock: Arc<dyn Clock>) -> Self {
        Self { clock, world: Arc::new(Mutex::new(World::new(State::new(quirks)))), changed: watch::Sender::new(0) }
    }

    /// How an app of this name behaves from its next start on.
    pub fn set_behaviour(&self, app: &str, behaviour: Behaviour) {
        self.world().behaviours.insert(app.to_owned(), behaviour);
    }

    pub fn set_logs(&self, app: &str, lines: impl IntoIterator<Item = impl Into<String>>) {
        self.world().logs.insert(app.to_owned(), lines.into_iter().map(Into::into).collect());
    }

    /// A run that happened after all others.
    pub fn add_run(&self, task: &str, version: &str, run: Run) {
        self.world().runs.push(TaskRun { task: task.to_owned(), version: version.to_owned(), run });
    }

    /// An artifact newer than all others.
    pub fn add_artifact(&self, artifact: Artifact) {
        self.world().artifacts.push(artifact);
    }

    /// From now on there are these secrets and no others; before, every secret is there.
    pub fn set_secrets(&self, secrets: impl IntoIterator<Item = (Scope, String)>) {
        self.world().secrets = Some(secrets.into_iter().collect());
    }

    /// From now on there are these projects and no others; before, every project is there.
    pub fn set_projects(&self, projects: impl IntoIterator<Item = Project>) {
        self.world().projects = Some(projects.into_iter().collect());
    }

    pub fn inject(&self, fault: Fault) {
        self.world().faults.push((fault, 0));
    }

    /// Faults that have not happened yet will not.
    pub fn forget_faults(&self) {
        self.world().faults.clear();
    }

    /// Every request so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    pub fn forget_calls(&self) {
        self.world().calls.clear();
    }

    /// Resolves once a fault has crashed the program that asks. From then on no request is answered.
    pub async fn crashed(&self) {
        let mut changes = self.changed.subscribe();
        while !self.world().crashed {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// A new program asks: requests are answered again.
    pub fn restart(&self) {
        self.world().crashed = false;
    }

    /// Every app as the server tells it, without a request.
    pub fn apps(&self) -> Vec<App> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.state.records().map(|(id, record)| world.state.view(id, record)).collect()
    }

    /// Puts an app there as somebody else would, without a request being recorded.
    ///
    /// # Errors
    /// As the server refuses it.
    pub fn put(&self, app: App) -> Result<App, StateError> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        let id = State::id_of(&app)?;
        world.locate(&id);
        let mut app = app;
        let written = match world.state.record(&id) {
            Some(record) => {
                let revision = record.app.metadata.revision;
                app.metadata.get_or_insert_default().revision = revision;
                world.state.update(app, "", now)?
            }
            None => world.state.create(app, now)?,
        };
        world.take(written.displaced, written.change, now);
        drop(world);
        self.tell();
        Ok(written.answer)
    }

    /// An app that lists tell of, whose name is none that we would give. Nothing else knows it.
    pub fn add_stranger(&self, app: App) {
        self.world().strangers.push(app);
    }

    /// Deletes an app as somebody else would.
    ///
    /// # Errors
    /// There is no such app.
    pub fn remove(&self, app: &AppId) -> Result<(), StateError> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        let change = world.state.delete(&State::id(&identifier(app))?, now)?;
        world.commit(change, now);
        drop(world);
        self.tell();
        Ok(())
    }

    /// Loses everything that was uploaded, as a store that keeps nothing for long.
    pub fn forget_uploads(&self) {
        self.world().uploads.clear();
    }

    /// The content that was uploaded to an address.
    pub fn uploaded(&self, address: &str) -> Option<Bytes> {
        self.world().uploads.get(address).cloned()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Records a request, lets its fault happen, carries it out.
    async fn call<T>(
        &self,
        method: &'static str,
        app: Option<&AppId>,
        call: (String, String),
        work: impl FnOnce(&mut World, jiff::Timestamp) -> Result<T, StateError> + Send,
    ) -> Result<T, RpcError> {
        let (subject, detail) = call;
        let effect = {
            let mut world = self.world();
            let silent = world.crashed;
            if !silent {
                world.calls.push(Call { at: self.clock.now(), method, subject, detail });
            }
            if silent { Some(Effect::Crash) } else { world.fault(method, app) }
        };
        let refused =
            |code, message: &str, delivery| RpcError { delivery, ..RpcError::answered(method, code, message) };
        match effect {
            Some(Effect::Error(code)) => return Err(refused(code, "put in by the test", Delivery::Answered)),
            Some(Effect::Crash) => return self.die().await,
            Some(Effect::DelayMs(ms)) => self.clock.sleep(std::time::Duration::from_millis(ms)).await,
            _ => {}
        }
        let now = self.clock.now();
        let result = {
            let mut world = self.world();
            world.advance(now);
            if effect == Some(Effect::StaleRead) {
                let current = world.look_back();
                let result = work(&mut world, now);
                world.state = current;
                result
            } else {
                work(&mut world, now)
            }
        };
        self.tell();
        match effect {
            Some(Effect::CrashAfter) => self.die().await,
            Some(Effect::LostReply) => {
                Err(refused(RpcCode::Unavailable, "the connection was reset", Delivery::Unanswered))
            }
            _ => result.map_err(|error| refused(error.code(), &error.to_string(), Delivery::Answered)),
        }
    }

    async fn die<T>(&self) -> T {
        self.world().crashed = true;
        self.tell();
        futures::future::pending().await
    }
}

fn desired(app: &App) -> String {
    app.spec.desired_state.to_string().trim_start_matches("DESIRED_STATE_").to_owned()
}

#[async_trait]
impl ControlPlane for Simulator {
    fn endpoint(&self) -> &str {
        "simulator"
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::default()
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<App>, RpcError> {
        let mut request = ListRequest {
            filter_by: Some(list_request::FilterBy::Project(Box::new(ProjectIdentifier {
                organization: scope.org.clone(),
                name: scope.project.clone(),
                domain: scope.domain.clone(),
                ..Default::default()
            }))),
            ..Default::default()
        };
        let mut apps = Vec::new();
        loop {
            let asked = request.clone();
            let call = (scope.to_string(), String::new());
            let page = self.call("AppService/List", None, call, move |world, _| world.state.list(&asked)).await?;
            apps.extend(page.apps);
            if page.token.is_empty() {
                apps.extend(self.world().strangers_in(scope));
                return Ok(apps);
            }
            request.request = common::ListRequest { limit: PAGE, token: page.token, ..Default::default() }.into();
        }
    }

    async fn get(&self, app: &AppId) -> Result<Option<App>, RpcError> {
        let key = State::id(&identifier(app));
        let work = move |world: &mut World, now| match world.state.get(&key?, now) {
            Ok(app) => Ok(Some(app)),
            Err(StateError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        };
        self.call("AppService/Get", Some(app), (app.name.to_string(), String::new()), work).await
    }

    async fn create(&self, app: App) -> Result<App, RpcError> {
        let id = State::id_of(&app);
        let call = (app.metadata.id.name.clone(), desired(&app));
        let about = id.clone().ok();
        let work = move |world: &mut World, now| {
            world.locate(&id?);
            let written = world.state.create(app, now)?;
            world.take(written.displaced, written.change, now);
            Ok(written.answer)
        };
        self.call("AppService/Create", about.as_ref(), call, work).await
    }

    async fn update(&self, app: App, reason: &str) -> Result<App, RpcError> {
        let id = State::id_of(&app);
        let call = (app.metadata.id.name.clone(), desired(&app));
        let about = id.clone().ok();
        let reason = reason.to_owned();
        let work = move |world: &mut World, now| {
            world.locate(&id?);
            let written = world.state.update(app, &reason, now)?;
            world.take(written.displaced, written.change, now);
            Ok(written.answer)
        };
        self.call("AppService/Update", about.as_ref(), call, work).await
    }

    async fn delete(&self, app: &AppId) -> Result<(), RpcError> {
        let key = State::id(&identifier(app));
        let work = move |world: &mut World, now| {
            match world.state.delete(&key?, now) {
                Ok(change) => world.commit(change, now),
                Err(StateError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        };
        self.call("AppService/Delete", Some(app), (app.name.to_string(), String::new()), work).await
    }

    async fn watch(&self, app: &AppId) -> Result<Updates, RpcError> {
        let key = State::id(&identifier(app));
        let work = move |world: &mut World, _| {
            let id = key?;
            let first = world.state.record(&id).map(|record| world.state.view(&id, record));
            Ok((id, first, world.changes.len()))
        };
        let call = (app.name.to_string(), String::new());
        let (id, first, position) = self.call("AppService/Watch", Some(app), call, work).await?;
        let first = stream::iter(first.map(|app| Ok(Update::Is(Box::new(app)))));
        let target = Target::App(id);
        let rest = stream::unfold((self.clone(), target, position), |(simulator, target, mut position)| async move {
            let mut changes = simulator.changed.subscribe();
            loop {
                let now = simulator.clock.now();
                let outcome = simulator.world().next_update(&target, &mut position, now);
                match outcome {
                    Outcome::Update(update) => return Some((Ok(update), (simulator, target, position))),
                    Outcome::Wait(Some(due)) => {
                        let wait = due.duration_since(now).unsigned_abs();
                        tokio::select! {
                            () = simulator.clock.sleep(wait) => {}
                            _ = changes.changed() => {}
                        }
                    }
                    Outcome::Wait(None) => changes.changed().await.ok()?,
                }
            }
        });
        Ok(first.chain(rest).boxed())
    }

    async fn upload(&self, scope: &Scope, parcel: &Parcel) -> Result<String, RpcError> {
        let method = "DataProxyService/CreateUploadLocation";
        let mut content = Vec::new();
        parcel
            .content
            .open()
            .and_then(|mut reader| reader.read_to_end(&mut content))
            .map_err(|error| RpcError::not_sent(method, RpcCode::Internal, error.to_string()))?;
        let content = Bytes::from(content);
        let (file_name, digest) = (&parcel.file_name, Digest::of(&content));
        let address = format!("memory://{}/{}/{}/{file_name}", scope.project, scope.domain, digest.short());
        let work = move |world: &mut World, _| {
            world.uploads.insert(address.clone(), content);
            Ok(address)
        };
        self.call(method, None, (file_name.clone(), String::new()), work).await
    }

    async fn download_bundle(&self, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError> {
        let method = "DataProxyService/CreateDownloadLink";
        let key = State::id(&identifier(app));
        let work = move |world: &mut World, _| {
            let id = key?;
            let record = world.state.record(&id).ok_or_else(|| StateError::NotFound(id.to_string()))?;
            let live = LiveApp(record.app.clone());
            Ok(live.bundle_address().and_then(|address| world.uploads.get(address)).cloned())
        };
        let Some(content) = self.call(method, Some(app), (app.name.to_string(), String::new()), work).await? else {
            return Ok(false);
        };
        let written = into.write_all(&content);
        written.map_err(|error| RpcError::answered(method, RpcCode::Internal, error.to_string()))?;
        Ok(true)
    }

    async fn has_bundle(&self, app: &AppId, address: &str) -> Option<bool> {
        let method = "DataProxyService/CreateDownloadLink";
        let key = State::id(&identifier(app));
        let work = move |world: &mut World, _| {
            let id = key?;
            let record = world.state.record(&id).ok_or_else(|| StateError::NotFound(id.to_string()))?;
            let is_meant = LiveApp(record.app.clone()).bundle_address() == Some(address);
            Ok(is_meant.then(|| world.uploads.contains_key(address)))
        };
        self.call(method, Some(app), (app.name.to_string(), String::new()), work).await.ok().flatten()
    }

    async fn run(&self, _: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError> {
        let (method, subject) = match choice {
            RunChoice::Run(name) => ("RunService/GetRunDetails", name.clone()),
            RunChoice::Task { name, .. } => ("RunService/ListRuns", name.clone()),
        };
        let choice = choice.clone();
        self.call(method, None, (subject, String::new()), move |world, _| Ok(world.find_run(&choice))).await
    }

    async fn artifact(&self, scope: &Scope, artifact: &ArtifactRef) -> Result<Option<Artifact>, RpcError> {
        let call = (artifact.name.clone(), String::new());
        let (scope, artifact) = (scope.clone(), artifact.clone());
        let work = move |world: &mut World, _| Ok(world.find_artifact(&scope, &artifact));
        self.call("ArtifactService/GetArtifact", None, call, work).await
    }

    async fn project(&self, scope: &Scope) -> Result<Option<Project>, RpcError> {
        let id = scope.project.clone();
        let call = (id.clone(), String::new());
        self.call("ProjectService/GetProject", None, call, move |world, _| Ok(world.project(&id))).await
    }

    async fn projects(&self, _: &Scope) -> Result<Vec<Project>, RpcError> {
        let call = (String::new(), String::new());
        let work = |world: &mut World, _| Ok(world.projects.clone().unwrap_or_default());
        self.call("ProjectService/ListProjects", None, call, work).await
    }

    async fn find_secrets(&self, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
        let call = (scope.to_string(), names.iter().cloned().collect::<Vec<_>>().join(" "));
        let (scope, names) = (scope.clone(), names.clone());
        let work = move |world: &mut World, _| Ok(world.find_secrets(&scope, names));
        self.call("SecretService/GetSecret", None, call, work).await
    }

    async fn tail_logs(&self, app: &AppId) -> Result<Lines, RpcError> {
        let name = app.name.to_string();
        let call = (name.clone(), String::new());
        let work = move |world: &mut World, _| Ok(world.logs.get(&name).cloned().unwrap_or_default());
        let lines = self.call("AppLogsService/TailLogs", Some(app), call, work).await?;
        let replica = format!("{}-0", app.name);
        let line = move |text| Ok(LogLine { at: None, replica: replica.clone(), text, system: false });
        Ok(stream::iter(lines).map(line).boxed())
    }
}
