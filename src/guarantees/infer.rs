//! What an answer says about the control plane that gave it: one fact per function, each with what it was seen by.

use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::app::spec::DesiredState;
use flyte_schema::flyteidl2::app::status::Substate;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::canonical::{canonical, content};
use crate::diff::walk;
use crate::model::{Guarantee, LiveApp, Marks, Revision, State};

/// How old an answer of a control plane may be. Source: the cache of the open-source server lives for 30 s.
pub const STALE_FOR: SignedDuration = SignedDuration::from_secs(31);

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub guarantee: Guarantee,
    pub holds: bool,
    pub because: &'static str,
    /// Counts only where nothing is known: it may be chance.
    pub weak: bool,
}

fn finding(guarantee: Guarantee, holds: bool, because: &'static str) -> Finding {
    Finding { guarantee, holds, because, weak: false }
}

fn weak(guarantee: Guarantee, holds: bool, because: &'static str) -> Finding {
    Finding { weak: true, ..finding(guarantee, holds, because) }
}

/// What apps read at once say. An app says something only about what must be there if the server kept it.
pub fn from_list(apps: &[App]) -> Vec<Finding> {
    let mut told: Vec<Finding> = Vec::new();
    for found in apps.iter().flat_map(|app| from_read(&LiveApp(app.clone()))) {
        match told.iter_mut().find(|other| other.guarantee == found.guarantee) {
            // What one app shows is kept, even where others have none of it.
            Some(other) if found.holds && !other.holds => *other = found,
            Some(_) => {}
            None => told.push(found),
        }
    }
    told
}

/// What an app as read says.
pub fn from_read(app: &LiveApp) -> Vec<Finding> {
    [labels, metadata, revisions, substates, deployments, subdomain, custom_domain, private, cluster]
        .into_iter()
        .filter_map(|fact| fact(app))
        .collect()
}

/// An app with our marks was sent with our labels.
fn labels(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let ours = || live.marks().is_some();
    match app.metadata.labels.is_empty() {
        false => Some(finding(Guarantee::KeepsLabels, true, "an app was read with its labels")),
        true => ours().then(|| finding(Guarantee::KeepsLabels, false, "an app that was sent with labels has none")),
    }
}

/// An app of ours that names its code in the spec was sent with the address in its metadata too.
fn metadata(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let metadata = &app.metadata;
    if !metadata.code_bundle_uri.is_empty() || !metadata.source_code.link.is_empty() {
        return Some(finding(Guarantee::KeepsMetadata, true, "an app was read with the address of its code"));
    }
    let sent = live.marks().is_some() && live.bundle().is_some();
    sent.then(|| {
        finding(
            Guarantee::KeepsMetadata,
            false,
            "an app that was sent with the address of its code has none in its metadata",
        )
    })
}

/// Servers that keep revisions count from 1, but a single 0 may be chance.
fn revisions(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    Some(match app.metadata.revision {
        0 => weak(Guarantee::KeepsRevisions, false, "an app was read without a revision"),
        _ => finding(Guarantee::KeepsRevisions, true, "an app was read with its revision"),
    })
}

fn is_active(live: &LiveApp) -> bool {
    matches!(live.state(), State::Active | State::ScaledToZero)
}

/// An app that runs is in some substate.
fn substates(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let told = app.status.conditions.iter().any(|condition| condition.substate != Substate::SUBSTATE_UNSPECIFIED);
    if told {
        return Some(finding(Guarantee::TellsSubstates, true, "a condition was read with its substate"));
    }
    is_active(live).then(|| finding(Guarantee::TellsSubstates, false, "an active app was read without a substate"))
}

fn deployments(live: &LiveApp) -> Option<Finding> {
    let told = !live.condition()?.deployment_id.is_empty();
    let because = if told { "a condition names its deployment" } else { "a condition names no deployment" };
    Some(finding(Guarantee::TellsDeployments, told, because))
}

fn subdomain(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let (asked, url) = (&app.spec.ingress.subdomain, &app.status.ingress.public_url);
    if asked.is_empty() || url.is_empty() || !is_active(live) {
        return None;
    }
    let holds = host(url).split('.').any(|label| label == asked.to_lowercase());
    let because =
        if holds { "an app has the subdomain it asked for" } else { "an app has another subdomain than it asked for" };
    Some(finding(Guarantee::ActsOnSubdomain, holds, because))
}

fn custom_domain(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let (asked, ingress) = (&app.spec.ingress.cname, &app.status.ingress);
    if asked.is_empty() || ingress.public_url.is_empty() && ingress.cname_url.is_empty() || !is_active(live) {
        return None;
    }
    let holds = [&ingress.cname_url, &ingress.public_url].into_iter().any(|url| host(url) == asked.to_lowercase());
    let because = if holds {
        "an app has the domain it asked for"
    } else {
        "an app is not reached under the domain it asked for"
    };
    Some(finding(Guarantee::ActsOnCustomDomain, holds, because))
}

fn private(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    if !app.spec.ingress.private || !is_active(live) {
        return None;
    }
    let public = !app.status.ingress.public_url.is_empty();
    let because =
        if public { "a private app has a public address" } else { "a private app was read without a public address" };
    Some(finding(Guarantee::ActsOnPrivate, !public, because))
}

fn cluster(live: &LiveApp) -> Option<Finding> {
    let app = &live.0;
    let (asked, assigned) = (&app.spec.cluster, &app.status.assigned_cluster);
    if asked.is_empty() || assigned.is_empty() {
        return None;
    }
    let because = if asked == assigned {
        "an app runs in the cluster it asked for"
    } else {
        "an app runs in another cluster than it asked for"
    };
    Some(finding(Guarantee::ActsOnCluster, asked == assigned, because))
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default().to_lowercase()
}

/// A write that was taken, until the next one of the same app.
#[derive(Debug, Clone)]
pub struct Sent {
    pub app: App,
    /// The app as it was before. `None`: it was not there, or nobody looked.
    pub before: Option<App>,
    pub created: bool,
    /// The revision in the answer.
    pub revision: Revision,
    pub at: Timestamp,
    /// A read after the write still showed what was before.
    pub seen_old: bool,
    /// A read after the write has shown it.
    pub shown: bool,
}

impl Sent {
    /// Whether a later read can tell nothing more.
    pub fn is_settled(&self) -> bool {
        self.shown && !(self.created && is_sent_stopped(self))
    }
}

/// What an app as read at `now` says in the light of our last write of it.
pub fn after_write(sent: &mut Sent, live: &LiveApp, now: Timestamp) -> Vec<Finding> {
    let mut told = Vec::new();
    let app = &live.0;
    let is_older = live.revision().0 != 0 && live.revision() < sent.revision;
    let before = sent.before.as_ref().map(content);
    let is_before = before == Some(content(app)) && before != Some(content(&sent.app));
    let is_newer = sent.before.as_ref().is_some_and(|before| app.metadata.revision > before.metadata.revision);
    // What looks as before may be an old answer, or what a server went on with that dropped the spec of a stopped app.
    let may_be_old = is_before && (is_sent_stopped(sent) || !is_newer && now.duration_since(sent.at) < STALE_FOR);
    let is_ours = Marks::read(&sent.app.spec) == Marks::read(&app.spec);
    let shows = !is_older && !may_be_old && is_ours && lost(&sent.app, app).is_empty();
    sent.seen_old |= is_older || !shows && is_before;
    told.extend(reads(sent, is_older, shows));
    if !is_older {
        told.extend(created_stopped(sent, live));
        told.extend(stopped_spec(sent, live, shows, is_before, now));
    }
    sent.shown |= shows;
    told
}

/// What the server shows otherwise than it was sent; what it adds is not in it.
fn lost(sent: &App, app: &App) -> Vec<String> {
    let all = walk(&canonical(sent), &canonical(app)).into_iter();
    all.filter(|found| found.old.is_some()).map(|found| found.path).collect()
}

/// A read that is older than a write before it came from a cache.
fn reads(sent: &Sent, is_older: bool, shows: bool) -> Option<Finding> {
    if is_older || shows && sent.seen_old {
        return Some(finding(Guarantee::ReadsAreCurrent, false, "a read that followed a write did not show it"));
    }
    shows.then(|| weak(Guarantee::ReadsAreCurrent, true, "a read that followed a write showed it"))
}

fn is_sent_stopped(sent: &Sent) -> bool {
    sent.app.spec.desired_state == DesiredState::DESIRED_STATE_STOPPED
}

/// An app that was created as stopped runs, or says that it does not.
fn created_stopped(sent: &Sent, live: &LiveApp) -> Option<Finding> {
    if !sent.created || !is_sent_stopped(sent) {
        return None;
    }
    live.condition()?;
    match live.state() {
        State::Stopped => Some(finding(Guarantee::CreatesStopped, true, "an app created as stopped is stopped")),
        State::Active | State::ScaledToZero | State::Deploying => {
            Some(finding(Guarantee::CreatesStopped, false, "an app created as stopped was started"))
        }
        State::Pending | State::Failed | State::Unknown => None,
    }
}

/// A new spec that was sent for a stopped app is there, or the one of before is, and no cache can be the reason.
fn stopped_spec(sent: &Sent, live: &LiveApp, shows: bool, is_before: bool, now: Timestamp) -> Option<Finding> {
    let is_new = sent.before.as_ref().is_some_and(|before| content(before) != content(&sent.app));
    if sent.created || !is_sent_stopped(sent) || !is_new {
        return None;
    }
    if shows {
        return Some(finding(Guarantee::KeepsStoppedSpec, true, "a new spec of a stopped app was kept"));
    }
    let is_current =
        live.revision().0 != 0 && live.revision() >= sent.revision || now.duration_since(sent.at) >= STALE_FOR;
    (is_before && is_current)
        .then(|| finding(Guarantee::KeepsStoppedSpec, false, "a new spec of a stopped app was dropped"))
}

/// A refusal of an update as made on an older revision.
pub fn aborted() -> Finding {
    finding(Guarantee::ComparesRevisions, true, "an update made on an older revision was refused")
}

/// A server without revisions has nothing to compare.
pub fn nothing_to_compare() -> Finding {
    weak(Guarantee::ComparesRevisions, false, "there are no revisions to compare")
}

/// A write that was taken though somebody else had written since its revision.
pub fn overtook(given: Revision, answered: Revision) -> Option<Finding> {
    (given.0 != 0 && answered.0 > given.0 + 1)
        .then(|| finding(Guarantee::ComparesRevisions, false, "an update made on an older revision was taken"))
}

pub fn already_exists() -> Finding {
    finding(Guarantee::RefusesExisting, true, "creating an app that was there was refused")
}

/// A Create that was taken made a later revision than the first.
pub fn overwrote(answered: Revision) -> Option<Finding> {
    (answered.0 > 1).then(|| finding(Guarantee::RefusesExisting, false, "creating an app that was there overwrote it"))
}

/// What the server added to a spec that it took: in its own answer to a write, anything; in a read, only what no person
/// is likely to have written into it in the meantime. What a stopped app had before, under the same marks, may only have
/// been left there.
pub fn added(sent: &App, before: Option<&App>, app: &App, is_answer: bool) -> Vec<(String, Value)> {
    let marks = |app: &App| Marks::read(&app.spec);
    if marks(sent).is_none() || marks(sent) != marks(app) {
        return Vec::new();
    }
    let may_be_left = sent.spec.desired_state == DesiredState::DESIRED_STATE_STOPPED;
    let left: Vec<(String, Value)> = match before.filter(|before| may_be_left && marks(before) == marks(sent)) {
        Some(before) => additions(sent, before),
        None => Vec::new(),
    };
    let added = additions(sent, app).into_iter();
    added
        .filter(|(path, value)| (is_answer || is_single(path)) && !left.contains(&(path.clone(), value.clone())))
        .collect()
}

fn additions(sent: &App, app: &App) -> Vec<(String, Value)> {
    let all = walk(&canonical(sent), &canonical(app)).into_iter();
    all.filter_map(|found| if found.old.is_none() { Some((found.path, found.new?)) } else { None }).collect()
}

/// Whether a place holds one value, rather than an entry of a list or of a pod.
fn is_single(path: &str) -> bool {
    !path.contains('[')
        && !["spec.pod", "spec.container.args", "spec.container.command", "spec.code_bundle", "spec.links"]
            .iter()
            .any(|place| path.starts_with(place))
}
