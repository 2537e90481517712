//! The embedded control plane while it does not run: its apps as its files have them, for reading only.

#![expect(clippy::disallowed_methods, reason = "an edge: bundles are files")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use async_trait::async_trait;
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::project::Project;
use jiff::Timestamp;

use super::state::{Profile, State};
use super::store::{BundlePath, Store, StoreError, new_project};
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice};
use crate::model::{AppId, Guarantees, LiveApp, Scope};
use crate::port::{ControlPlane, Lines, Parcel, RpcCode, RpcError, Run, Updates};

/// Answers what can be answered without starting anything. Apps that are to run are pending: they are started with the
/// control plane.
pub struct AtRest {
    /// `None`: there was never a control plane here.
    store: Option<Store>,
    state: State,
}

impl AtRest {
    /// Reads the files of a state directory, which need not exist, and changes none of them.
    ///
    /// # Errors
    /// The files are there and cannot be read.
    pub fn read(directory: &Path, profile: Profile, now: Timestamp) -> Result<Self, StoreError> {
        let store = Store::open_read_only(directory)?;
        let records = store.as_ref().map_or(Ok(Vec::new()), Store::apps)?;
        Ok(Self { store, state: State::restore(profile.quirks(), records, now) })
    }

    fn find(&self, id: &AppId) -> Option<App> {
        // Organisations are not kept apart here.
        let id = AppId { scope: without_org(&id.scope), name: id.name.clone() };
        self.state.record(&id).map(|record| self.state.view(&id, record))
    }
}

fn without_org(scope: &Scope) -> Scope {
    Scope { org: String::new(), ..scope.clone() }
}

fn not_running(method: &str) -> RpcError {
    RpcError::not_sent(method, RpcCode::Unavailable, "the embedded control plane does not run")
}

fn unreadable(error: StoreError) -> RpcError {
    RpcError::not_sent("reading the files at rest", RpcCode::Internal, error.to_string())
}

/// As the running one answers for services it does not have.
fn not_kept(method: &str) -> RpcError {
    RpcError::not_sent(method, RpcCode::Unimplemented, "the embedded control plane has no runs and no artifacts")
}

#[async_trait]
impl ControlPlane for AtRest {
    fn endpoint(&self) -> &str {
        "embedded, not running"
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::default()
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<App>, RpcError> {
        let scope = without_org(scope);
        let there = self.state.records().filter(|(id, _)| id.scope == scope);
        Ok(there.map(|(id, record)| self.state.view(id, record)).collect())
    }

    async fn get(&self, app: &AppId) -> Result<Option<App>, RpcError> {
        Ok(self.find(app))
    }

    async fn create(&self, _: App) -> Result<App, RpcError> {
        Err(not_running("AppService/Create"))
    }

    async fn update(&self, _: App, _: &str) -> Result<App, RpcError> {
        Err(not_running("AppService/Update"))
    }

    async fn delete(&self, _: &AppId) -> Result<(), RpcError> {
        Err(not_running("AppService/Delete"))
    }

    async fn watch(&self, _: &AppId) -> Result<Updates, RpcError> {
        Err(not_running("AppService/Watch"))
    }

    async fn upload(&self, _: &Scope, _: &Parcel) -> Result<String, RpcError> {
        Err(not_running("DataProxyService/CreateUploadLocation"))
    }

    async fn download_bundle(&self, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError> {
        let (Some(store), Some(app)) = (&self.store, self.find(app).map(LiveApp)) else { return Ok(false) };
        let path = app.bundle_address().and_then(BundlePath::of_address);
        let Some(mut file) = path.and_then(|path| std::fs::File::open(store.bundle_file(&path)).ok()) else {
            return Ok(false);
        };
        let copied = std::io::copy(&mut file, into);
        copied.map_err(|error| RpcError::answered("reading a bundle", RpcCode::Internal, error.to_string()))?;
        Ok(true)
    }

    async fn run(&self, _: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError> {
        Err(not_kept(match choice {
            RunChoice::Run(_) => "RunService/GetRunDetails",
            RunChoice::Task { .. } => "RunService/ListRuns",
        }))
    }

    async fn artifact(&self, _: &Scope, _: &ArtifactRef) -> Result<Option<Artifact>, RpcError> {
        Err(not_kept("ArtifactService/GetArtifact"))
    }

    /// As the running one, which makes projects as they are asked for.
    async fn project(&self, scope: &Scope) -> Result<Option<Project>, RpcError> {
        let found = self.store.as_ref().map(|store| store.project(&scope.project)).transpose().map_err(unreadable)?;
        Ok(Some(found.unwrap_or_else(|| new_project(&scope.project))))
    }

    async fn projects(&self, _: &Scope) -> Result<Vec<Project>, RpcError> {
        self.store.as_ref().map_or(Ok(Vec::new()), Store::projects).map_err(unreadable)
    }

    async fn find_secrets(&self, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
        let Some(store) = &self.store else { return Ok(BTreeSet::new()) };
        let there = store.secrets(&scope.project, &scope.domain).map_err(unreadable)?;
        Ok(there.into_iter().map(|secret| secret.key.name).filter(|name| names.contains(name)).collect())
    }

    async fn tail_logs(&self, _: &AppId) -> Result<Lines, RpcError> {
        Err(not_running("AppLogsService/TailLogs"))
    }
}
