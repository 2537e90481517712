//! Puts what was written on record, at once. A store that fails does not fail the apply: a release is added by the next
//! one that finds it as declared.

use std::collections::BTreeMap;

use flyte_schema::flyteidl2::app::App;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::outcome::Recording;
use crate::diff::filled_in;
use crate::model::{LiveApp, Marks, Version};
use crate::plan::{Action, AppPlan, Plan, Step};
use crate::port::{Clock, StoreError};
use crate::records::Records;
use crate::release::{AppReleases, Event, Kind, Release, ReleaseSet, Written};

/// The least by which one event is later than another.
const TICK: SignedDuration = SignedDuration::from_micros(1);

/// Records the writes of one plan.
pub(super) struct Recorder<'a> {
    pub plan: &'a Plan,
    /// Or why there is no store.
    pub records: &'a Result<Records, StoreError>,
    /// What was on record when the plan was made.
    pub released: &'a ReleaseSet,
    pub clock: &'a dyn Clock,
    pub endpoint: &'a str,
    pub by: &'a str,
}

impl Recorder<'_> {
    /// `sent` is the message written; of an app that was deleted, the one that ran. `now` is what was read back.
    pub async fn record(&self, step: &Step, sent: &App, now: Option<&LiveApp>) -> Recording {
        let result = match self.records {
            Ok(records) => self.add(records, step, sent, now).await,
            Err(error) => Err(error.clone()),
        };
        match result {
            Ok(()) => Recording::Done,
            Err(error) => Recording::Failed { error: error.to_string(), help: error.help },
        }
    }

    async fn add(&self, records: &Records, step: &Step, sent: &App, now: Option<&LiveApp>) -> Result<(), StoreError> {
        let app = self.plan.apps.iter().find(|app| app.name == step.app);
        let restores = app.is_some_and(|app| app.restores);
        let kind = match step.action {
            Action::Create(_) | Action::Update(_) if restores => Kind::RolledBack,
            Action::Create(_) | Action::Update(_) => Kind::Applied,
            Action::Record => Kind::Recorded,
            Action::Activate => Kind::Activated,
            Action::Deactivate => Kind::Deactivated,
            Action::Delete => Kind::Deleted,
            Action::Upload(_) | Action::Verify => return Ok(()),
        };
        let version = version(sent);
        let event = Event {
            event: kind,
            app: step.app.clone(),
            at: self.now(step),
            by: self.by.to_owned(),
            version: version.clone(),
            release: None,
            commit: self.plan.commit.clone().filter(|_| kind.sets_release()),
            target: self.plan.target.clone(),
            endpoint: self.endpoint.to_owned(),
        };
        if kind == Kind::RolledBack {
            return self.add_again(records, event).await;
        }
        match (app, version) {
            (Some(app), Some(version)) if kind.sets_release() => {
                let filled = now.map(|now| filled_in(sent, &now.0, &self.plan.mask));
                self.add_release(records, app, sent, version, event, filled).await
            }
            (Some(app), Some(version)) if self.is_unrecorded(app, kind, &version) => {
                let recorded = Event { event: Kind::Recorded, commit: self.plan.commit.clone(), ..event.clone() };
                let at = event.at.checked_add(TICK).unwrap_or(event.at);
                self.add_release(records, app, sent, version, recorded, None).await?;
                records.append(&Event { at, ..event }).await
            }
            _ => records.append(&event).await,
        }
    }

    /// The record of what is brought back is written too: somebody may have removed it since it was read.
    async fn add_again(&self, records: &Records, event: Event) -> Result<(), StoreError> {
        let of_app = self.released.apps.get(&event.app);
        match of_app.and_then(|of_app| of_app.restored.as_deref()) {
            Some(release) => {
                let commit = release.commit.clone();
                records.add(release, None, Event { commit, ..event }).await.map(drop)
            }
            None => records.append(&event).await,
        }
    }

    /// Whether what an apply only starts or stops is another release than the last on record: its writer did not get to
    /// it.
    fn is_unrecorded(&self, app: &AppPlan, kind: Kind, version: &Version) -> bool {
        let recorded = |of_app: &AppReleases| of_app.has_recorded(&version.digest.short());
        // Only an apply has compared it with what is declared.
        matches!(kind, Kind::Activated | Kind::Deactivated)
            && app.activation.is_some()
            && self.released.is_known
            && !self.released.apps.get(&app.name).is_some_and(recorded)
    }

    /// The time, later than everything on record of the app: another writer's clock may be ahead of ours.
    fn now(&self, step: &Step) -> Timestamp {
        let now = self.clock.now();
        let last = self.released.log(&step.app).last().map(|entry| entry.at);
        let next = last.and_then(|last| last.checked_add(TICK).ok());
        next.map_or(now, |next| next.max(now))
    }

    async fn add_release(
        &self,
        records: &Records,
        app: &AppPlan,
        sent: &App,
        version: Version,
        event: Event,
        filled: Option<BTreeMap<String, Value>>,
    ) -> Result<(), StoreError> {
        let written = Written {
            at: event.at,
            by: event.by.clone(),
            target: event.target.clone(),
            endpoint: event.endpoint.clone(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let id = self.plan.scope.app(&app.name);
        let activation = app.activation.unwrap_or_default();
        let mut release = Release::new(id, &self.plan.mask, version, activation, sent, written);
        release.commit.clone_from(&event.commit);
        release.depends_on = Some(app.depends_on.clone());
        release.filled = filled;
        let code = release.code.as_ref().map(|code| code.digest);
        let bundle = app.bundle.as_ref().filter(|bundle| Some(bundle.digest) == code);
        records.add(&release, bundle.map(|bundle| bundle.files.as_slice()), event).await.map(drop)
    }
}

/// What the marks of a message say.
fn version(sent: &App) -> Option<Version> {
    let Marks { version, digest, .. } = LiveApp(sent.clone()).marks()?;
    Some(Version { label: Some(version).filter(|mark| *mark != digest.short()), digest })
}
