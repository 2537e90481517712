//! A control plane with somebody who looks at its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::project::Project;
use futures::StreamExt;

use super::infer::{self, Finding, Sent};
use super::kept;
use crate::canonical::canonical;
use crate::diff::walk;
use crate::model::parameter::{Artifact as ArtifactRef, RunChoice};
use crate::model::{AppId, Guarantee, Guarantees, Known, LiveApp, Revision, Scope};
use crate::port::{Clock, ControlPlane, Delivery, Lines, Notes, Parcel, RpcCode, RpcError, Run, Update, Updates};

/// Hands every call on, and takes note of what the answers tell about the server.
pub struct Observed {
    inner: Arc<dyn ControlPlane>,
    observer: Arc<Observer>,
}

/// Who looks, and what was seen.
struct Observer {
    /// Under which name it is kept.
    name: String,
    notes: Arc<dyn Notes>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    guarantees: Guarantees,
    /// Apps as they were last read one by one.
    last: BTreeMap<AppId, App>,
    /// Our last write of each app.
    sent: BTreeMap<AppId, Sent>,
}

impl Observed {
    /// Looks at `inner`, of which `notes` tell under `name` what was seen before.
    pub fn new(inner: Arc<dyn ControlPlane>, name: &str, notes: Arc<dyn Notes>, clock: Arc<dyn Clock>) -> Self {
        let guarantees = kept::recall(notes.as_ref(), name, clock.now());
        let seen = Mutex::new(Seen { guarantees, ..Seen::default() });
        Self { inner, observer: Arc::new(Observer { name: name.to_owned(), notes, clock, seen }) }
    }
}

/// Servers may tell another organisation than was asked for, and keep no two apart.
fn key(id: &AppId) -> AppId {
    AppId { scope: Scope { org: String::new(), ..id.scope.clone() }, name: id.name.clone() }
}

fn key_of(app: &App) -> Option<AppId> {
    LiveApp(app.clone()).id().map(|id| key(&id))
}

impl Observer {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes findings over, and keeps them where they are news.
    fn note(&self, seen: &mut Seen, findings: impl IntoIterator<Item = Finding>) {
        let now = self.clock.now();
        let mut news = false;
        for found in findings {
            if found.weak && seen.guarantees.holds(found.guarantee).is_some() {
                continue;
            }
            if seen.guarantees.note(found.guarantee, found.holds, found.because, now) {
                news = true;
                tracing::debug!(guarantee = ?found.guarantee, holds = found.holds, found.because, "observed");
            }
        }
        if seen.guarantees.holds(Guarantee::KeepsRevisions) == Some(false)
            && !matches!(seen.guarantees.known(Guarantee::ComparesRevisions), Some(Known::Seen(_)))
        {
            let found = infer::nothing_to_compare();
            news |= seen.guarantees.note(found.guarantee, found.holds, found.because, now);
        }
        if news {
            kept::keep(self.notes.as_ref(), &self.name, &mut seen.guarantees, now);
        }
    }

    fn listed(&self, apps: &[App]) {
        let mut seen = self.seen();
        let mut findings = infer::from_list(apps);
        if !seen.sent.is_empty() {
            findings.extend(apps.iter().flat_map(|app| self.after_write(&mut seen, &LiveApp(app.clone()))));
        }
        self.note(&mut seen, findings);
    }

    fn read(&self, app: &App) {
        let mut seen = self.seen();
        let live = LiveApp(app.clone());
        let mut findings = infer::from_read(&live);
        findings.extend(self.after_write(&mut seen, &live));
        if let Some(id) = live.id() {
            seen.last.insert(key(&id), live.0);
        }
        self.note(&mut seen, findings);
    }

    fn after_write(&self, seen: &mut Seen, live: &LiveApp) -> Vec<Finding> {
        let now = self.clock.now();
        let Some(id) = live.id().map(|id| key(&id)) else { return Vec::new() };
        let Some(mut sent) = seen.sent.remove(&id) else { return Vec::new() };
        let shown = sent.shown;
        let findings = infer::after_write(&mut sent, live, now);
        if sent.shown && !shown {
            // The first look at our own write: whatever more there is, the server has put there.
            self.filled(seen, &sent.app, sent.before.as_ref(), &live.0, false);
        }
        if !sent.is_settled() {
            seen.sent.insert(id, sent);
        }
        findings
    }

    fn filled(&self, seen: &mut Seen, sent: &App, before: Option<&App>, app: &App, is_answer: bool) {
        let now = self.clock.now();
        let added = infer::added(sent, before, app, is_answer);
        let mut news = false;
        for (path, value) in &added {
            news |= seen.guarantees.note_filled(path, value, now);
        }
        if !is_answer {
            let none = serde_json::Value::Object(serde_json::Map::new());
            let there: BTreeSet<String> = walk(&none, &canonical(app)).into_iter().map(|found| found.path).collect();
            let missing = |path: &str| !there.contains(path);
            news |= seen.guarantees.forget_filled(missing, now);
        }
        if news {
            kept::keep(self.notes.as_ref(), &self.name, &mut seen.guarantees, now);
        }
    }

    fn written(&self, sent: &App, created: bool, answer: &Result<App, RpcError>) {
        let mut seen = self.seen();
        match answer {
            Ok(answer) => {
                let revision = Revision(answer.metadata.revision);
                let told = match created {
                    true => infer::overwrote(revision),
                    false => infer::overtook(Revision(sent.metadata.revision), revision),
                };
                if let Some(id) = key_of(sent) {
                    let before = seen.last.get(&id).cloned();
                    self.filled(&mut seen, sent, before.as_ref(), answer, true);
                    let (at, app) = (self.clock.now(), sent.clone());
                    let write = Sent { app, before, created, revision, at, seen_old: false, shown: false };
                    seen.sent.insert(id, write);
                }
                self.note(&mut seen, told);
            }
            Err(error) if error.delivery == Delivery::Answered => {
                let told = match error.code {
                    RpcCode::AlreadyExists if created => Some(infer::already_exists()),
                    RpcCode::Aborted if !created => Some(infer::aborted()),
                    _ => None,
                };
                self.note(&mut seen, told);
            }
            Err(_) => {}
        }
    }

    fn gone(&self, id: &AppId) {
        let mut seen = self.seen();
        seen.last.remove(&key(id));
        seen.sent.remove(&key(id));
    }
}

#[async_trait]
impl ControlPlane for Observed {
    fn endpoint(&self) -> &str {
        self.inner.endpoint()
    }

    fn guarantees(&self) -> Guarantees {
        self.observer.seen().guarantees.clone()
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<App>, RpcError> {
        let apps = self.inner.list(scope).await?;
        self.observer.listed(&apps);
        Ok(apps)
    }

    async fn get(&self, app: &AppId) -> Result<Option<App>, RpcError> {
        let found = self.inner.get(app).await?;
        match &found {
            Some(app) => self.observer.read(app),
            None => self.observer.gone(app),
        }
        Ok(found)
    }

    async fn create(&self, app: App) -> Result<App, RpcError> {
        let answer = self.inner.create(app.clone()).await;
        self.observer.written(&app, true, &answer);
        answer
    }

    async fn update(&self, app: App, reason: &str) -> Result<App, RpcError> {
        let answer = self.inner.update(app.clone(), reason).await;
        self.observer.written(&app, false, &answer);
        answer
    }

    async fn delete(&self, app: &AppId) -> Result<(), RpcError> {
        self.inner.delete(app).await?;
        self.observer.gone(app);
        Ok(())
    }

    async fn watch(&self, app: &AppId) -> Result<Updates, RpcError> {
        let updates = self.inner.watch(app).await?;
        let observer = self.observer.clone();
        let look = move |update: &Result<Update, RpcError>| {
            if let Ok(Update::Is(app)) = update {
                observer.read(app);
            }
        };
        Ok(updates.inspect(look).boxed())
    }

    async fn upload(&self, scope: &Scope, parcel: &Parcel) -> Result<String, RpcError> {
        self.inner.upload(scope, parcel).await
    }

    async fn download_bundle(&self, app: &AppId, into: &mut (dyn Write + Send)) -> Result<bool, RpcError> {
        self.inner.download_bundle(app, into).await
    }

    async fn has_bundle(&self, app: &AppId, address: &str) -> Option<bool> {
        self.inner.has_bundle(app, address).await
    }

    async fn run(&self, scope: &Scope, choice: &RunChoice) -> Result<Option<Run>, RpcError> {
        self.inner.run(scope, choice).await
    }

    async fn artifact(&self, scope: &Scope, artifact: &ArtifactRef) -> Result<Option<Artifact>, RpcError> {
        self.inner.artifact(scope, artifact).await
    }

    async fn project(&self, scope: &Scope) -> Result<Option<Project>, RpcError> {
        self.inner.project(scope).await
    }

    async fn projects(&self, scope: &Scope) -> Result<Vec<Project>, RpcError> {
        self.inner.projects(scope).await
    }

    async fn find_secrets(&self, scope: &Scope, names: &BTreeSet<String>) -> Result<BTreeSet<String>, RpcError> {
        self.inner.find_secrets(scope, names).await
    }

    async fn tail_logs(&self, app: &AppId) -> Result<Lines, RpcError> {
        self.inner.tail_logs(app).await
    }

    async fn logs_so_far(&self, app: &AppId) -> Result<Lines, RpcError> {
        self.inner.logs_so_far(app).await
    }
}
