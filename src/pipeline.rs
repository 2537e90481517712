//! A manifest from file to deployed app: one function per thing a user can ask for.
//!
//! Each line's output is the next line's input; `plan` is `deploy` stopped early, and the others reuse its parts.
//! Nothing above `apply` writes outside the local cache.

mod clean;
mod code;
mod counted_on;
mod error;
mod history;
mod needed;
mod offline;
mod on_record;
mod recall;
mod rollback;
mod saved;
mod way_back;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use clean::{Cleaning, clean, remove};
pub use error::Error;
pub use history::{Happened, History, Places, Versions, history, versions};
pub use offline::offline;
pub use on_record::records;
pub use rollback::{Rollback, RollbackError, rollback};
pub use saved::restore;

use on_record::{open, released};
use recall::recall;

use crate::apply::{self, OnRecord, Options, Outcome};
use crate::bundle::{self, BundleFile, BundleSet};
use crate::desired::{self, DesiredSet, LowerOptions};
use crate::diagnostic::Diagnostics;
use crate::diff::{self, ChangeSet, LiveSet};
use crate::manifest::{self, LoadError, Manifest};
use crate::model::{AppId, AppName, BundleRef, Digest, Guarantees, LiveApp};
use crate::pins::{self, Pins};
use crate::plan::{self, ApprovedPlan, Consent, Operation, Plan, Policy, Refused};
use crate::port::{Access, ControlPlane, FileKind, Files, Ports};
use crate::preflight;
use crate::release::ReleaseSet;
use crate::report::Report;
use crate::resolve::{self, Place, Project, ReleaseStore, Selection, Target};

/// What to deploy, and what is allowed.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A `flyte.toml`, or a directory that has one or lies below one. Absolute.
    pub manifest: PathBuf,
    /// Where the user stands: paths are shown from there. `None`: from the root of the manifest.
    pub directory: Option<PathBuf>,
    pub selection: Selection,
    pub policy: Policy,
    /// `--version`: a name for the versions of this run.
    pub label: Option<String>,
    /// `--keep-drift`: fields that are left to others, as `APP.FIELD`.
    pub keep_drift: Vec<String>,
    /// Whether the plan shows changed code line by line; what is not here is fetched.
    pub code_text: bool,
}

/// A plan together with what it was made on.
pub struct Planned {
    pub plan: Plan,
    project: Project,
    released: ReleaseSet,
    live: LiveSet,
    request: Request,
    texts: Texts,
    environment: Environment,
    pins: Pins,
}

/// The texts of a manifest, by their digests.
type Texts = BTreeMap<String, Digest>;

/// What `[vars]` names, with its values.
type Environment = BTreeMap<String, Option<String>>;

/// A plan somebody agreed to, together with where it leads: what [`apply`] takes.
pub struct Approved {
    plan: ApprovedPlan,
    way: Way,
}

/// What a plan was made for, and what was on record then.
struct Way {
    target: Target,
    store: ReleaseStore,
    released: ReleaseSet,
    /// What ran when the plan was made.
    live: LiveSet,
}

/// One app of a status.
#[derive(Debug, Clone)]
pub struct AppStatus {
    pub name: AppName,
    pub plan: plan::AppPlan,
    pub live: Option<LiveApp>,
}

/// Deploys a manifest: everything from its text to running apps.
///
/// # Errors
/// Whatever stops a stage before the first write. What fails later is in the report.
pub async fn deploy(ports: &Ports, request: &Request, options: &Options) -> Result<Report, Error> {
    let planned = plan(ports, request).await?;
    let approved = planned.approve(Consent::given())?;
    apply(ports, &approved, options).await
}

/// What [`deploy`] would do.
///
/// # Errors
/// Whatever stops a stage.
pub async fn plan(ports: &Ports, request: &Request) -> Result<Planned, Error> {
    let manifest = read_manifest(ports.files.as_ref(), request)?;
    let mut project = meaning(&manifest, request)?;
    let bundles = pack(ports, &project)?;
    let pins = pins::look_up(ports, &project).await?;
    let desired = lower_with(ports, &project, request, &bundles, &pins)?;
    let mut released = released(ports, &mut project).await;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let (desired, kept) = diff::keep(&project, desired, &live, &request.keep_drift)?;
    recall(ports, &mut project, &mut released, &desired, request.label.as_deref(), &live).await;
    let guarantees = control_plane.guarantees();
    let mut changes = diff::diff(&project, &desired, &released, &live, &guarantees).keeping(kept);
    counted_on::look(ports, control_plane.as_ref(), &project, request.policy, &live, &mut changes).await;
    tell_filled(&changes);
    code::compare(ports, Some(control_plane.as_ref()), &project, &mut changes, request.code_text).await;
    let mut plan = plan::plan(&project, changes, control_plane.endpoint(), request.policy, &guarantees);
    plan::tell_stopped(&mut plan, &project, &live);
    let found = preflight::check(ports, control_plane.as_ref(), &project, &desired, &live, &plan).await;
    plan.diagnostics = plan.diagnostics.and(found);
    plan.commit = desired.commit;
    let texts = plan::stored::texts(&manifest.sources);
    let environment = resolve::environment(&manifest, &request.selection);
    Ok(Planned { plan, project, released, live, request: request.clone(), texts, environment, pins })
}

impl Planned {
    /// # Errors
    /// The plan holds apps that must not be written.
    pub fn approve(self, consent: Consent) -> Result<Approved, Refused> {
        let plan = self.plan.approve(consent)?;
        let (target, store) = (self.project.target, self.project.releases);
        Ok(Approved { plan, way: Way { target, store, released: self.released, live: self.live } })
    }
}

impl Approved {
    pub fn plan(&self) -> &Plan {
        self.plan.plan()
    }

    /// What there is to tell where nothing had to be done.
    pub fn nothing_done(&self) -> Report {
        Report::new(&self.plan, Outcome::default())
    }
}

/// Runs a plan somebody agreed to. The embedded control plane is started here and not before.
///
/// # Errors
/// The control plane cannot be reached or started: nothing was written. What fails later is in the report.
pub async fn apply(ports: &Ports, approved: &Approved, options: &Options) -> Result<Report, Error> {
    let control_plane = ports.targets.connect(&approved.way.target, Access::Write).await?;
    let plan = approved.plan.plan();
    let records = open(ports, &approved.way.store, &plan.scope, &plan.owner, &approved.way.target).await;
    let on_record = OnRecord { records: &records, released: &approved.way.released };
    let stored = way_back::code(ports, control_plane.as_ref(), &approved.way, plan).await;
    let outcome = apply::apply(&approved.plan, &approved.way.live, ports, control_plane, on_record, options).await;
    let mut report = Report::new(&approved.plan, outcome);
    report.no_way_back = way_back::no_way_back(ports, &approved.way, &stored, &report).await;
    Ok(report)
}

/// The meaning of a manifest, for the profile and apps selected.
///
/// # Errors
/// The manifest cannot be found, or has mistakes.
pub fn load(files: &dyn Files, request: &Request) -> Result<Project, Error> {
    meaning(&read_manifest(files, request)?, request)
}

fn meaning(manifest: &Manifest, request: &Request) -> Result<Project, Error> {
    let project = resolve::resolve(manifest, &request.selection)?;
    let (root, scope) = (project.root.display(), &project.scope);
    tracing::info!(%root, %scope, target = project.target.name, apps = project.apps.len(), "manifest");
    Ok(project)
}

/// The target and the scope that flags, the manifest around and the SDK's configuration choose.
///
/// # Errors
/// A manifest is there and has mistakes; the SDK's configuration is needed and wrong.
pub fn place(files: &dyn Files, request: &Request) -> Result<Place, Error> {
    let manifest = match read_manifest(files, request) {
        Ok(manifest) => Some(manifest),
        Err(LoadError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(resolve::place(manifest.as_ref(), &request.selection)?)
}

/// Every finding about a manifest, under every profile.
///
/// # Errors
/// The manifest cannot be found.
pub fn validate(files: &dyn Files, request: &Request) -> Result<Diagnostics, Error> {
    let manifest = read_manifest(files, request)?;
    Ok(resolve::check_all(&manifest, &request.selection.environment))
}

fn read_manifest(files: &dyn Files, request: &Request) -> Result<Manifest, LoadError> {
    let mut manifest = match files.kind(&request.manifest) {
        Some(FileKind::Directory) => manifest::load(files, &manifest::find(files, &request.manifest)?)?,
        _ => manifest::load(files, &request.manifest)?,
    };
    if let Some(directory) = &request.directory {
        manifest.sources.seen_from(&manifest.root, directory);
    }
    Ok(manifest)
}

/// What would be packed.
///
/// # Errors
/// A source cannot be read or packed.
pub fn pack(ports: &Ports, project: &Project) -> Result<BundleSet, Error> {
    let bundles = bundle::pack(ports.files.as_ref(), project)?;
    for (app, bundle) in &bundles.by_app {
        tracing::debug!(%app, digest = %bundle.digest.0, files = bundle.files.len(), bytes = bundle.size(), "bundle");
    }
    Ok(bundles)
}

/// What would be packed, and what would be asked for. The control plane is asked where a parameter names a run output
/// or an artifact, and not otherwise.
///
/// # Errors
/// A source cannot be read or packed, a run output or an artifact cannot be pinned.
pub async fn lower(ports: &Ports, project: &Project, request: &Request) -> Result<(BundleSet, DesiredSet), Error> {
    let bundles = pack(ports, project)?;
    let pins = pins::look_up(ports, project).await?;
    let desired = lower_with(ports, project, request, &bundles, &pins)?;
    Ok((bundles, desired))
}

fn lower_with(
    ports: &Ports,
    project: &Project,
    request: &Request,
    bundles: &BundleSet,
    pins: &Pins,
) -> Result<DesiredSet, Error> {
    let commit = ports.files.commit(&project.root);
    let source_link = commit.as_ref().and_then(|commit| ports.files.source_link(&project.root, commit));
    let options = LowerOptions { label: request.label.clone(), commit, source_link, resolved: pins.clone() };
    Ok(desired::lower(project, bundles, &options)?)
}

/// How each declared app stands: desired, live and drift. No names: all of them, and what is declared no more.
///
/// # Errors
/// As [`plan`]; also a name that is not among them.
pub async fn status(ports: &Ports, request: &Request, names: &[String]) -> Result<(Plan, Vec<AppStatus>), Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let (_, desired) = lower(ports, &project, request).await?;
    let mut released = released(ports, &mut project).await;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    recall(ports, &mut project, &mut released, &desired, request.label.as_deref(), &live).await;
    let guarantees = control_plane.guarantees();
    let changes = diff::diff(&project, &desired, &released, &live, &guarantees);
    let plan = plan::plan(&project, changes, control_plane.endpoint(), Policy::default(), &guarantees);
    let of = |app: &plan::AppPlan| AppStatus {
        name: app.name.clone(),
        plan: app.clone(),
        live: live.apps.get(&app.name).cloned(),
    };
    let shown = || plan.apps.iter().map(|app| &app.name);
    if let Some(unknown) = names.iter().find(|name| shown().all(|shown| shown.as_str() != *name)) {
        return Err(no_such_app(unknown, shown()));
    }
    let asked = |app: &&plan::AppPlan| names.is_empty() || names.iter().any(|name| name == app.name.as_str());
    let apps = plan.apps.iter().filter(asked).map(of).collect();
    Ok((plan, apps))
}

/// A control plane, and what is known of it.
#[derive(Debug, Clone)]
pub struct Server {
    pub target: String,
    pub endpoint: String,
    pub guarantees: Guarantees,
}

/// What is known of the control plane, after a look at the apps that are there.
///
/// # Errors
/// The manifest has mistakes, or the control plane does not answer.
pub async fn server(ports: &Ports, request: &Request) -> Result<Server, Error> {
    let project = load(ports.files.as_ref(), request)?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    read(control_plane.as_ref(), &project).await?;
    let (target, endpoint) = (project.target.name, control_plane.endpoint().to_owned());
    Ok(Server { target, endpoint, guarantees: control_plane.guarantees() })
}

/// The plan to activate, deactivate or delete apps by name. No names: all declared apps.
///
/// # Errors
/// As [`plan`]; also a name that is not live, or for a delete, that nobody knows.
pub async fn operate(
    ports: &Ports,
    request: &Request,
    operation: Operation,
    names: &[String],
) -> Result<Planned, Error> {
    let mut project = load(ports.files.as_ref(), request)?;
    let released = released(ports, &mut project).await;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let mut there: Vec<&AppName> = project.declared.iter().chain(live.apps.keys()).collect();
    if operation == Operation::Delete {
        // One that is gone already is known by the records, so that a delete can be repeated.
        there.extend(released.apps.keys());
    }
    let asked = known(&project, &there, names)?;
    let missing = asked.iter().find(|name| !names.is_empty() && !live.apps.contains_key(*name));
    if let Some(name) = missing.filter(|_| operation != Operation::Delete) {
        return Err(Error::NotDeployed { name: name.clone() });
    }
    let plan = plan::operate(&project, &live, control_plane.endpoint(), operation, &asked);
    let (request, texts, environment, pins) = (request.clone(), Texts::new(), Environment::new(), Pins::new());
    Ok(Planned { plan, project, released, live, request, texts, environment, pins })
}

/// A live app of a manifest, with its control plane: for logs.
///
/// # Errors
/// As [`plan`]; also a name that is not live.
pub async fn find(ports: &Ports, request: &Request, name: &str) -> Result<(AppId, Arc<dyn ControlPlane>), Error> {
    let project = load(ports.files.as_ref(), request)?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let there: Vec<&AppName> = project.declared.iter().chain(live.apps.keys()).collect();
    let name = known(&project, &there, &[name.to_owned()])?.remove(0);
    if !live.apps.contains_key(&name) {
        return Err(Error::NotDeployed { name });
    }
    Ok((project.scope.app(&name), control_plane))
}

/// The apps of these names, which are among those `there`. No names: all declared apps.
fn known(project: &Project, there: &[&AppName], names: &[String]) -> Result<Vec<AppName>, Error> {
    if names.is_empty() {
        return Ok(project.apps.keys().cloned().collect());
    }
    let parse = |name: &String| {
        let parsed = AppName::new(name.clone()).map_err(|source| Error::Name { name: name.clone(), source })?;
        match there.contains(&&parsed) {
            true => Ok(parsed),
            false => Err(no_such_app(name, there.iter().copied())),
        }
    };
    names.iter().map(parse).collect()
}

fn no_such_app<'a>(name: &str, mut there: impl Iterator<Item = &'a AppName>) -> Error {
    let close = |other: &&AppName| strsim::damerau_levenshtein(other.as_str(), name) <= 2;
    Error::NoSuchApp { name: name.to_owned(), suggestion: there.find(close).map(ToString::to_string) }
}

async fn read(control_plane: &dyn ControlPlane, project: &Project) -> Result<LiveSet, Error> {
    let apps = control_plane.list(&project.scope).await?;
    Ok(LiveSet::new(apps.into_iter().map(LiveApp)))
}

fn tell_filled(changes: &ChangeSet) {
    for change in &changes.apps {
        for field in &change.filled {
            tracing::info!(app = %change.name(), field, "the server fills this in: no change");
        }
    }
}

/// The files of a bundle that was packed here before, or is on record.
async fn files_on_record(ports: &Ports, project: &Project, bundle: BundleRef) -> Option<Vec<BundleFile>> {
    match bundle::recall(ports.files.as_ref(), bundle) {
        Some(files) => Some(files),
        None => records(ports, project).await.ok()?.files(bundle).await.ok()?,
    }
}
