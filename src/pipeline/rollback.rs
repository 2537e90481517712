//! A release of before, brought back whole: planned like any change of the manifest, from its record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::needed::needed;
use super::on_record::records;
use super::recall::recall;
use super::{Environment, Error, Planned, Request, Texts, code, load, lower, no_such_app, read, way_back};
use crate::desired::{Desired, DesiredSet};
use crate::diff::{self, LiveSet, endpoints};
use crate::model::{AppName, AppSpec, Dependency, Digest, LiveApp, Marks};
use crate::pins::Pins;
use crate::plan::{self, Note};
use crate::port::{Access, ControlPlane, Ports};
use crate::preflight;
use crate::records::Records;
use crate::release::{self, LogEntry, NoSuchRelease, NotRestored, Release, ReleaseSet, Then, Unreadable};
use crate::resolve::{Graph, Project};

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct Rollback {
    pub app: String,
    /// A label, or the first digits of a version's digest. `None`: the last version that was applied before the one
    /// that runs.
    pub to: Option<String>,
    /// Also what it depends on, as it was when that release was applied.
    pub with_dependencies: bool,
}

/// Why a release cannot be brought back. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    #[error(transparent)]
    NoSuchRelease(#[from] NoSuchRelease),
    #[error("the record of `{app}` {version} cannot be used: {why}")]
    Unreadable { app: AppName, version: String, why: Unreadable },
    #[error("`{app}` {version} cannot be restored: {why}")]
    NotRestored { app: AppName, version: String, why: NotRestored },
    #[error("the code of `{app}` {version} is no longer stored")]
    CodeGone { app: AppName, version: String, commit: Option<String> },
    #[error("the image `{image}` of `{app}` {version} no longer resolves")]
    ImageGone { app: AppName, version: String, image: String },
    #[error("`{app}` {version} depended on `{needed}`, and what that was then is not on record")]
    NeededUnknown { app: AppName, version: String, needed: AppName },
    /// `on_record`: it could come back too.
    #[error("`{app}` {version} is given the endpoint of `{needed}`, which is not there")]
    NeededGone { app: AppName, version: String, needed: AppName, on_record: bool },
}

/// The plan that brings a release back.
///
/// # Errors
/// As [`super::plan`]; also [`RollbackError`], and a store that does not answer.
pub async fn rollback(ports: &Ports, request: &Request, what: &Rollback) -> Result<Planned, Error> {
    let project = load(ports.files.as_ref(), request)?;
    let records = records(ports, &project).await?;
    let mut released = records.read().await?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let name = named(&project, &released, &live, &what.app)?;

    let (release, then) = choose(&records, &released, &live, &name, what.to.as_deref()).await?;
    let (mut open, mut found, mut needs) = (vec![release], Found::new(), BTreeMap::new());
    while let Some(release) = open.pop() {
        let app = release.app.name.clone();
        if found.contains_key(&app) {
            continue;
        }
        let needed = needed(&project, &released, &app, Some(&release), then);
        if what.with_dependencies {
            for other in &needed {
                open.extend(as_of(&records, &released, &live, &release, other, then).await?);
            }
        }
        needs.insert(app.clone(), needed);
        found.insert(app, Arc::new(release));
    }
    check_endpoints(&released, &live, &found, &needs, then)?;
    check_usable(ports, control_plane.as_ref(), &project, found.values().map(Arc::as_ref)).await?;
    let declared = declared(ports, &project, request, &found).await;
    let mut project = narrowed(project, &found, &needs, &live);
    recall(ports, &mut project, &mut released, &DesiredSet::default(), None, &live).await;
    let mut desired = DesiredSet::default();
    for (app, release) in &found {
        let running = live.apps.get(app).map(|live| &live.0);
        let declared = declared.apps.get(app).map(|desired| &desired.spec.0);
        let others: Vec<_> = running.into_iter().chain(declared).collect();
        let whole = release::restore(&release.message, release.version.digest, &project.mask, &others);
        let whole = whole.map_err(|why| not_restored(release, why))?;
        desired.apps.insert(app.clone(), asked_for(&project, release, AppSpec(whole)));
        released.apps.entry(app.clone()).or_default().restored = Some(release.clone());
    }
    let guarantees = control_plane.guarantees();
    let mut changes = diff::diff(&project, &desired, &released, &live, &guarantees);
    code::compare(ports, Some(control_plane.as_ref()), &project, &mut changes, request.code_text).await;
    let mut plan = plan::plan(&project, changes, control_plane.endpoint(), request.policy, &guarantees);
    plan::await_others(&mut plan, &project, &live, &needs);
    if what.with_dependencies {
        let is_old = |app: &AppName| found.get(app).is_some_and(|release| release.depends_on.is_none());
        let untold = plan.apps.iter_mut().filter(|app| is_old(&app.name));
        untold.for_each(|app| app.notes.push(Note::DependenciesUnknown));
    }
    let lacking = preflight::check(ports, control_plane.as_ref(), &project, &desired, &live, &plan).await;
    plan.diagnostics = plan.diagnostics.and(lacking);
    let (request, texts, environment, pins) = (request.clone(), Texts::new(), Environment::new(), Pins::new());
    Ok(Planned { plan, project, released, live, request, texts, environment, pins })
}

/// The app of a name: one that is declared, runs, or is on record.
fn named(project: &Project, released: &ReleaseSet, live: &LiveSet, name: &str) -> Result<AppName, Error> {
    let parsed = AppName::new(name).map_err(|source| Error::Name { name: name.to_owned(), source })?;
    let there = || project.declared.iter().chain(live.apps.keys()).chain(released.apps.keys());
    match there().any(|known| *known == parsed) {
        true => Ok(parsed),
        false => Err(no_such_app(name, there())),
    }
}

/// What is brought back, by app.
type Found = BTreeMap<AppName, Arc<Release>>;

/// The record of what is asked for, and when that was applied last.
async fn choose(
    records: &Records,
    released: &ReleaseSet,
    live: &LiveSet,
    name: &AppName,
    to: Option<&str>,
) -> Result<(Release, Timestamp), Error> {
    let nothing = || RollbackError::from(NoSuchRelease::Nothing { app: name.clone() });
    let releases = released.apps.get(name).ok_or_else(nothing)?;
    let running = live.apps.get(name).and_then(LiveApp::marks).map(|marks| marks.digest);
    let entry = releases.choose(name, to, running).map_err(RollbackError::from)?;
    let release = readable(records, name, entry.release.ok_or_else(nothing)?).await?;
    // The log has the first digits alone.
    let digits = to.filter(|to| entry.label.as_deref() != Some(to)).unwrap_or_default();
    if !release.version.digest.to_string().starts_with(digits) {
        return Err(RollbackError::from(releases.no_version(name, digits)).into());
    }
    Ok((release, releases.applied(entry)))
}

/// What an app that `release` depended on was at a time. `None`: it was not there; or it is not on record and not there
/// now, so that [`check_endpoints`] tells more.
async fn as_of(
    records: &Records,
    released: &ReleaseSet,
    live: &LiveSet,
    release: &Release,
    needed: &AppName,
    then: Timestamp,
) -> Result<Option<Release>, Error> {
    match released.at(needed, then) {
        Then::Release(LogEntry { release: Some(digest), .. }) => readable(records, needed, *digest).await.map(Some),
        Then::NotThere => Ok(None),
        Then::Unknown if !live.apps.contains_key(needed) && endpoints(&release.message).contains(needed) => Ok(None),
        Then::Release(_) | Then::Unknown => {
            let (app, version) = (release.app.name.clone(), release.version.mark());
            Err(RollbackError::NeededUnknown { app, version, needed: needed.clone() }.into())
        }
    }
}

/// Whether everything is there, or comes back, whose endpoint is given to what is brought back: also what is deployed
/// elsewhere, which cannot come back from here.
fn check_endpoints(
    released: &ReleaseSet,
    live: &LiveSet,
    found: &Found,
    needs: &BTreeMap<AppName, BTreeSet<AppName>>,
    then: Timestamp,
) -> Result<(), RollbackError> {
    let is_there = |app: &AppName| live.apps.contains_key(app) || found.contains_key(app);
    for (app, release) in found {
        if let Some(needed) = endpoints(&release.message).into_iter().find(|needed| !is_there(needed)) {
            let is_ours = needs.get(app).is_some_and(|needs| needs.contains(&needed));
            let on_record = is_ours && matches!(released.at(&needed, then), Then::Release(_));
            let (app, version) = (app.clone(), release.version.mark());
            return Err(RollbackError::NeededGone { app, version, needed, on_record });
        }
    }
    Ok(())
}

/// A release whose record can be read.
async fn readable(records: &Records, app: &AppName, digest: Digest) -> Result<Release, Error> {
    let found = records.release(app, digest).await?;
    Ok(found.map_err(|why| {
        let version = format!("({})", digest.short());
        RollbackError::Unreadable { app: app.clone(), version, why }
    })?)
}

/// Whether code and images are still there, as far as that can be told: what is unknown is not held against a release.
async fn check_usable(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    releases: impl Iterator<Item = &Release> + Clone,
) -> Result<(), RollbackError> {
    let of_code = |release: &Release| Some((way_back::address(release)?.to_owned(), release.app.clone()));
    let codes = releases.clone().filter_map(of_code).collect();
    let stored = way_back::stored(ports, control_plane, &project.target, codes).await;
    let gone = way_back::gone(ports, &project.target, releases.clone().filter_map(Release::image)).await;
    for release in releases {
        let (app, version) = (release.app.name.clone(), release.version.mark());
        if way_back::address(release).is_some_and(|address| stored.get(address) == Some(&false)) {
            let commit = release.commit.as_ref().filter(|commit| commit.clean).map(|commit| commit.id.clone());
            return Err(RollbackError::CodeGone { app, version, commit });
        }
        if let Some(image) = release.image().filter(|image| gone.contains(*image)) {
            return Err(RollbackError::ImageGone { app, version, image: image.to_owned() });
        }
    }
    Ok(())
}

/// What the manifest asks for now, where a record lacks values that it may have. A manifest that cannot be lowered has
/// none.
async fn declared(ports: &Ports, project: &Project, request: &Request, found: &Found) -> DesiredSet {
    if found.values().all(|release| release.concealed.is_empty()) {
        return DesiredSet::default();
    }
    lower(ports, project, request).await.map(|(_, desired)| desired).unwrap_or_default()
}

fn not_restored(release: &Release, why: NotRestored) -> RollbackError {
    RollbackError::NotRestored { app: release.app.name.clone(), version: release.version.mark(), why }
}

/// The project of these apps alone: nothing else is compared, and nothing is an orphan.
fn narrowed(project: Project, found: &Found, needs: &BTreeMap<AppName, BTreeSet<AppName>>, live: &LiveSet) -> Project {
    let alone = || found.keys().map(|app| (app.clone(), BTreeSet::new())).collect();
    // What depended on each other in a circle over time is brought back in the order of names.
    let graph = Graph::new(needs.clone()).or_else(|_| Graph::new(alone())).unwrap_or_default();
    Project { graph, declared: live.apps.keys().chain(found.keys()).cloned().collect(), ..project }
}

fn asked_for(project: &Project, release: &Release, mut whole: AppSpec) -> Desired {
    let app = project.apps.get(&release.app.name);
    let span = app.map(|app| app.declared_at).unwrap_or_default();
    let depends_on =
        project.graph.dependencies(&release.app.name).map(|app| Dependency { app: app.clone(), wait: true, span });
    // Labels that others set are theirs to keep.
    if let Some(metadata) = whole.0.metadata.as_option_mut() {
        metadata.labels.retain(|name, _| name.starts_with(Marks::LABELS));
    }
    Desired {
        id: release.app.clone(),
        spec: whole,
        version: release.version.clone(),
        bundle: None,
        restores: true,
        activation: release.activation,
        ready_within: app.map_or(plan::READY_WITHIN, |app| app.ready.within),
        depends_on: depends_on.collect(),
        pins: BTreeMap::new(),
        declared_at: span,
        spans: Arc::default(),
    }
}
