//! The pure state machine of a control plane, with the quirks of real ones as switches.
//!
//! Nothing here reads a clock or writes a file. A request is answered in two moves: an operation works out what would
//! change, without changing it, and [`State::commit`] takes the change over once it has been made durable.
//!
//! One control plane is one organisation: `org` is kept and told, but does not tell apps apart.

mod check;
mod error;
mod list;
mod quirks;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use buffa::Message;
use buffa_types::google::protobuf::Duration;
use flyte_schema::flyteidl2::app::{self, App, Meta, Spec, Status, spec};
use flyte_schema::flyteidl2::common::{EnrichedIdentity, User, UserIdentifier};
use jiff::Timestamp;

use crate::model::{AppId, AppName, Digest, Scope, service_name};
use crate::server::runtime::{Observation, RuntimeEvent};

pub use check::segment as check_segment;
pub use error::StateError;
pub use list::Page;
pub use quirks::{Profile, Quirks, UnknownProfile};
pub use status::wire_time;

/// The one user of an embedded control plane.
pub const SUBJECT: &str = "local";

/// What a server that fills in the timeout of requests puts there. Source: the open-source server's configuration.
const FILLED_TIMEOUT_SECONDS: i64 = 300;

/// An app as the control plane knows it, before any switch hides something.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// With its revision, labels and full conditions.
    pub app: App,
    /// Whether it is to run.
    pub running: bool,
    /// The revision at which what runs last changed; later ones changed only labels and the like.
    pub deployed: u64,
}

/// One app before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub id: AppId,
    pub at: Timestamp,
    pub cause: Cause,
    pub old: Option<Record>,
    pub new: Option<Record>,
}

/// Who asked for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request: a new revision, or the end of the app.
    Write,
    /// The runtime reported something: only the status differs.
    Observation,
}

/// What a write comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The end of another app, whose service is called the same. It comes before the change.
    pub displaced: Option<Change>,
    /// `None` where the server skips a write that changes nothing.
    pub change: Option<Change>,
    pub answer: App,
}

/// Whom a watch is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    App(AppId),
    Project(Scope),
    Org,
}

/// All apps of one control plane.
#[derive(Debug, Clone)]
pub struct State {
    quirks: Quirks,
    records: BTreeMap<AppId, Record>,
    urls: BTreeMap<AppId, String>,
    /// Answers of Get that may be given again.
    cache: BTreeMap<AppId, (Timestamp, App)>,
}

impl State {
    pub fn new(quirks: Quirks) -> Self {
        Self { quirks, records: BTreeMap::new(), urls: BTreeMap::new(), cache: BTreeMap::new() }
    }

    /// A state as it was stored, where nothing runs yet: what is to run is pending and will be started at its current
    /// revision.
    pub fn restore(quirks: Quirks, records: impl IntoIterator<Item = (AppId, Record)>, now: Timestamp) -> Self {
        let mut state = Self::new(quirks);
        for (id, mut record) in records {
            record.deployed = record.app.metadata.revision;
            if record.running {
                status::pending(&mut record.app, now);
            } else {
                status::stopped(&mut record.app, now);
            }
            state.records.insert(id, record);
        }
        state
    }

    pub fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    pub fn records(&self) -> impl Iterator<Item = (&AppId, &Record)> {
        self.records.iter()
    }

    pub fn record(&self, id: &AppId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Where people reach an app, told in its status.
    pub fn set_url(&mut self, id: &AppId, url: String) {
        self.urls.insert(id.clone(), url);
    }

    /// What a message's identifier names.
    ///
    /// # Errors
    /// [`StateError::Missing`] and [`StateError::Invalid`]: names become host names and directories, so their rules
    /// hold whatever the switches say.
    pub fn id(identifier: &app::Identifier) -> Result<AppId, StateError> {
        let scope = Scope {
            org: String::new(),
            project: check::segment("id.project", &identifier.project)?,
            domain: check::segment("id.domain", &identifier.domain)?,
        };
        if identifier.name.is_empty() {
            return Err(StateError::Missing("id.name"));
        }
        let name = AppName::new(identifier.name.as_str())
            .map_err(|reason| StateError::invalid("id.name", format!("`{}`: {reason}", identifier.name)))?;
        Ok(AppId { scope, name })
    }

    /// What an app's own identifier names.
    ///
    /// # Errors
    /// As [`State::id`].
    pub fn id_of(app: &App) -> Result<AppId, StateError> {
        if app.metadata.id.is_unset() {
            return Err(StateError::Missing("metadata.id"));
        }
        Self::id(&app.metadata.id)
    }

    /// # Errors
    /// [`StateError::AlreadyExists`] unless the server overwrites; missing or invalid fields.
    pub fn create(&self, sent: App, now: Timestamp) -> Result<Written, StateError> {
        let id = Self::id_of(&sent)?;
        check::app(&sent, self.quirks.validates)?;
        let previous = self.records.get(&id);
        if previous.is_some() && !self.quirks.create_is_upsert {
            return Err(StateError::AlreadyExists(id.to_string()));
        }
        let running = !is_stopped(&sent.spec) || self.quirks.create_starts;
        Ok(self.write(id, previous, sent, running, now))
    }

    /// # Errors
    /// [`StateError::NotFound`] unless the server creates what it updates; [`StateError::RevisionMismatch`]; missing
    /// or invalid fields.
    pub fn update(&self, sent: App, reason: &str, now: Timestamp) -> Result<Written, StateError> {
        let id = Self::id_of(&sent)?;
        let previous = self.records.get(&id);
        let stopped = is_stopped(&sent.spec);
        if stopped && self.quirks.stopped_update_discards_spec {
            let Some(previous) = previous else { return Err(StateError::NotFound(id.to_string())) };
            let mut kept = previous.app.clone();
            kept.spec.get_or_insert_default().desired_state = spec::DesiredState::DESIRED_STATE_STOPPED.into();
            let mut written = self.write(id, Some(previous), kept, false, now);
            if self.quirks.answers_echo_request {
                written.answer = App { status: written.answer.status, ..sent };
            }
            return Ok(written);
        }
        check::app(&sent, self.quirks.validates)?;
        if self.quirks.validates {
            check::reason(reason)?;
        }
        match previous {
            None if !self.quirks.create_is_upsert => return Err(StateError::NotFound(id.to_string())),
            Some(record) if self.quirks.compares_revisions => {
                let (current, given) = (record.app.metadata.revision, sent.metadata.revision);
                if current != given {
                    return Err(StateError::RevisionMismatch { app: id.to_string(), current, given });
                }
            }
            _ => {}
        }
        Ok(self.write(id, previous, sent, !stopped, now))
    }

    /// `None` where nothing was there and the server does not mind.
    ///
    /// # Errors
    /// [`StateError::NotFound`] where it does.
    pub fn delete(&self, id: &AppId, now: Timestamp) -> Result<Option<Change>, StateError> {
        match self.records.get(id) {
            Some(record) => {
                Ok(Some(Change { id: id.clone(), at: now, cause: Cause::Write, old: Some(record.clone()), new: None }))
            }
            None if self.quirks.delete_missing_is_ok => Ok(None),
            None => Err(StateError::NotFound(id.to_string())),
        }
    }

    /// What the runtime's report changes. `None` where it is about a revision that has been replaced, or tells nothing
    /// new.
    pub fn observe(&self, event: &RuntimeEvent, now: Timestamp) -> Option<Change> {
        let old = self.records.get(&event.app)?;
        let is_end = event.observation == Observation::Stopped;
        if old.running == is_end || (!is_end && event.revision != old.deployed) {
            return None;
        }
        let mut new = old.clone();
        status::observe(&mut new.app, &event.observation, now);
        (new != *old).then(|| Change {
            id: event.app.clone(),
            at: now,
            cause: Cause::Observation,
            old: Some(old.clone()),
            new: Some(new),
        })
    }

    /// Takes a change over. The caller has made it durable.
    pub fn commit(&mut self, change: &Change) {
        if change.cause == Cause::Write {
            self.cache.remove(&change.id);
        }
        match &change.new {
            Some(record) => {
                self.records.insert(change.id.clone(), record.clone());
            }
            None => {
                self.records.remove(&change.id);
            }
        }
    }

    /// An app as the server tells it, perhaps from a while ago.
    ///
    /// # Errors
    /// [`StateError::NotFound`]
    pub fn get(&mut self, id: &AppId, now: Timestamp) -> Result<App, StateError> {
        if let (Some(age), Some((at, app))) = (self.quirks.get_cached_for, self.cache.get(id))
            && now.duration_since(*at).unsigned_abs() < age
        {
            return Ok(app.clone());
        }
        let record = self.records.get(id).ok_or_else(|| StateError::NotFound(id.to_string()))?;
        let app = self.view(id, record);
        if self.quirks.get_cached_for.is_some() {
            self.cache.insert(id.clone(), (now, app.clone()));
        }
        Ok(app)
    }

    /// The app reached at an address.
    pub fn at_url(&self, url: &str) -> Option<&AppId> {
        let (id, _) = self.urls.iter().find(|(_, known)| known.trim_end_matches('/') == url.trim_end_matches('/'))?;
        self.records.contains_key(id).then_some(id)
    }

    /// Whether a watch hears of an app.
    ///
    /// # Errors
    /// [`StateError::Unimplemented`] where the server watches single apps only.
    pub fn watches(&self, target: &Target, id: &AppId) -> Result<bool, StateError> {
        match target {
            Target::App(wanted) if self.quirks.watch_leaks_names => Ok(wanted.name == id.name),
            Target::App(wanted) => Ok(wanted == id),
            _ if !self.quirks.watch_project => Err(StateError::Unimplemented("only an app can be watched here")),
            Target::Project(scope) => Ok(list::in_project(scope, id)),
            Target::Org => Ok(true),
        }
    }

    /// An app as this server tells it: what it does not keep is left out.
    pub fn view(&self, id: &AppId, record: &Record) -> App {
        let Quirks { keeps_revisions, keeps_labels, keeps_metadata, .. } = self.quirks;
        let mut app = record.app.clone();
        let metadata = app.metadata.get_or_insert_default();
        if !keeps_revisions {
            metadata.revision = 0;
        }
        if !keeps_labels {
            metadata.labels.clear();
        }
        if !keeps_metadata {
            metadata.code_bundle_uri.clear();
            metadata.source_code.take();
        }
        let identifier = metadata.id.get_or_insert_default();
        if identifier.org.is_empty() {
            self.quirks.default_org.clone_into(&mut identifier.org);
        }
        let status = app.status.get_or_insert_default();
        status::hide(status, record.running, &self.quirks);
        if record.running || !self.quirks.stopped_hides_ingress {
            let url = self.urls.get(id).cloned().unwrap_or_default();
            status.ingress.get_or_insert_default().public_url = url;
        }
        // Clients take its presence for granted.
        app.spec.get_or_insert_default().ingress.get_or_insert_default();
        app
    }

    fn write(&self, id: AppId, previous: Option<&Record>, sent: App, running: bool, now: Timestamp) -> Written {
        let echo = self.quirks.answers_echo_request.then(|| sent.clone());
        let unchanged = previous.is_some_and(|old| old.running && running && encoded(old) == sent.spec.encode_to_vec());
        let (record, change) = match previous {
            Some(old) if unchanged && self.quirks.skips_unchanged => (old.clone(), None),
            _ => {
                let record = self.next(previous, sent, running, now);
                let change = Change {
                    id: id.clone(),
                    at: now,
                    cause: Cause::Write,
                    old: previous.cloned(),
                    new: Some(record.clone()),
                };
                (record, Some(change))
            }
        };
        let stored = self.view(&id, &record);
        let answer = match echo {
            Some(echo) => App { status: stored.status, ..echo },
            None => stored,
        };
        let displaced = self.displaced(&id, previous.is_none(), now);
        Written { displaced, change, answer }
    }

    /// Another app that the service of a new one replaces.
    fn displaced(&self, id: &AppId, is_new: bool, now: Timestamp) -> Option<Change> {
        if !is_new || !self.quirks.names_collide {
            return None;
        }
        let service = service_name(id);
        let (other, old) = self.records.iter().find(|(other, _)| *other != id && service_name(other) == service)?;
        Some(Change { id: other.clone(), at: now, cause: Cause::Write, old: Some(old.clone()), new: None })
    }

    fn next(&self, previous: Option<&Record>, sent: App, running: bool, now: Timestamp) -> Record {
        let revision = previous.map_or(0, |old| old.app.metadata.revision) + 1;
        // What failed is tried again, also where nothing about it changed.
        let same = previous.filter(|old| {
            let goes_on = old.running && running && !status::is_failed(&old.app);
            goes_on && deployment_id(&old.app.spec) == deployment_id(&sent.spec)
        });
        let stopping = !running && previous.is_some_and(|old| old.running);
        let deployed = match previous {
            Some(old) if stopping || same.is_some() => old.deployed,
            _ => revision,
        };
        let mut status = previous.map_or_else(Status::default, |old| (*old.app.status).clone());
        if previous.is_none() {
            status.created_at = wire_time(now).into();
        }
        status.last_updated_at = wire_time(now).into();
        let App { metadata, mut spec, .. } = sent.clone();
        if self.quirks.fills_creator {
            // The SDK takes over the creator it reads: left out, every first redeploy of the same app would differ.
            let first = previous.map(|old| old.app.spec.creator.clone()).filter(|creator| creator.principal.is_some());
            spec.get_or_insert_default().creator = first.unwrap_or_else(|| creator().into());
        }
        if self.quirks.fills_timeout {
            let timeouts = spec.get_or_insert_default().timeouts.get_or_insert_default();
            if timeouts.request_timeout.is_unset() {
                timeouts.request_timeout = Duration::from_secs(FILLED_TIMEOUT_SECONDS).into();
            }
        }
        let metadata = Meta { revision, ..metadata.into_option().unwrap_or_default() };
        let mut app = App { metadata: metadata.into(), spec, status: status.into(), ..sent };
        if same.is_some() {
            status::carry_over(&mut app, now);
        } else if stopping {
            status::stopping(&mut app, now);
        } else if !running {
            status::stopped(&mut app, now);
        } else if !self.quirks.stale_active_after_write {
            status::pending(&mut app, now);
        }
        Record { app, running, deployed }
    }
}

/// The one user, as the creator of an app.
fn creator() -> EnrichedIdentity {
    let id = UserIdentifier { subject: SUBJECT.to_owned(), ..Default::default() };
    EnrichedIdentity { principal: Some(User { id: id.into(), ..Default::default() }.into()), ..Default::default() }
}

fn is_stopped(spec: &Spec) -> bool {
    spec.desired_state == spec::DesiredState::DESIRED_STATE_STOPPED
}

fn encoded(record: &Record) -> Vec<u8> {
    record.app.spec.encode_to_vec()
}

/// Names what runs: the spec without what does not change it, digested.
pub fn deployment_id(spec: &Spec) -> String {
    let mut functional = spec.clone();
    functional.desired_state = spec::DesiredState::DESIRED_STATE_UNSPECIFIED.into();
    functional.creator.take();
    functional.runtime_metadata.take();
    functional.profile.take();
    functional.links.clear();
    // Not acted on here, and told even where it was not sent.
    functional.ingress.take();
    Digest::of(&functional.encode_to_vec()).short()
}
