//! A manifest from file to deployed app: one function per thing a user can ask for.
//!
//! Each line's output is the next line's input; `plan` is `deploy` stopped early, and the others reuse its parts.
//! Nothing above `apply` writes outside the local cache.

use std::path::PathBuf;
use std::sync::Arc;

use crate::apply::{self, Options, Outcome};
use crate::bundle::{self, BundleError, BundleSet};
use crate::desired::{self, DesiredSet, LowerError, LowerOptions};
use crate::diagnostic::{Diagnostics, Invalid};
use crate::diff::{self, ChangeSet, CodeChange, LiveSet};
use crate::manifest::{self, LoadError, Manifest};
use crate::model::{AppId, AppName, Guarantees, InvalidName, LiveApp};
use crate::pins::{self, PinError, Unresolved};
use crate::plan::{self, ApprovedPlan, Consent, Operation, Plan, Policy, Refused};
use crate::port::{Access, ControlPlane, FileKind, Files, Ports, RpcError};
use crate::preflight;
use crate::report::Report;
use crate::resolve::{self, Project, Selection, Target};

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
}

/// A plan together with the target it was made for.
pub struct Planned {
    pub plan: Plan,
    target: Target,
}

/// A plan somebody agreed to, together with its target: what [`apply`] takes.
pub struct Approved {
    plan: ApprovedPlan,
    target: Target,
}

/// One app of a status.
#[derive(Debug, Clone)]
pub struct AppStatus {
    pub name: AppName,
    pub plan: plan::AppPlan,
    pub live: Option<LiveApp>,
}

/// Why a stage stopped. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error(transparent)]
    Lower(#[from] LowerError),
    #[error("the control plane did not answer as it should: {0}")]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("there is no app `{name}` here")]
    NoSuchApp { name: String, suggestion: Option<String> },
    /// Declared, and not there.
    #[error("`{name}` is not deployed")]
    NotDeployed { name: AppName },
    #[error("`{name}` is no app name: {source}")]
    Name { name: String, source: InvalidName },
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
    let project = load(ports.files.as_ref(), request)?;
    let (_, desired) = lower(ports, &project, request).await?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let guarantees = control_plane.guarantees();
    let mut changes = diff::diff(&project, &desired, &live, &guarantees);
    tell_filled(&changes);
    name_changed_files(ports, control_plane.as_ref(), &project, &mut changes).await;
    let mut plan = plan::plan(&project, changes, control_plane.endpoint(), request.policy, &guarantees);
    let found = preflight::check(ports, control_plane.as_ref(), &project, &desired, &live, &plan).await;
    plan.diagnostics = plan.diagnostics.and(found);
    Ok(Planned { plan, target: project.target })
}

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Rpc(error) => error.into(),
            PinError::Unresolved(unresolved) => unresolved.into(),
        }
    }
}

impl Planned {
    /// # Errors
    /// The plan holds apps that must not be written.
    pub fn approve(self, consent: Consent) -> Result<Approved, Refused> {
        Ok(Approved { plan: self.plan.approve(consent)?, target: self.target })
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
    let control_plane = ports.targets.connect(&approved.target, Access::Write).await?;
    let outcome = apply::apply(&approved.plan, ports, control_plane, options).await;
    Ok(Report::new(&approved.plan, outcome))
}

/// The meaning of a manifest, for the profile and apps selected.
///
/// # Errors
/// The manifest cannot be found, or has mistakes.
pub fn load(files: &dyn Files, request: &Request) -> Result<Project, Error> {
    let manifest = read_manifest(files, request)?;
    let project = resolve::resolve(&manifest, &request.selection)?;
    let (root, scope) = (project.root.display(), &project.scope);
    tracing::info!(%root, %scope, target = project.target.name, apps = project.apps.len(), "manifest");
    Ok(project)
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
    let resolved = pins::look_up(ports, project).await?;
    let options =
        LowerOptions { label: request.label.clone(), source_link: ports.files.source_link(&project.root), resolved };
    let desired = desired::lower(project, &bundles, &options)?;
    Ok((bundles, desired))
}

/// How each declared app stands: desired, live and drift.
///
/// # Errors
/// As [`plan`].
pub async fn status(ports: &Ports, request: &Request) -> Result<(Plan, Vec<AppStatus>), Error> {
    let project = load(ports.files.as_ref(), request)?;
    let (_, desired) = lower(ports, &project, request).await?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let guarantees = control_plane.guarantees();
    let changes = diff::diff(&project, &desired, &live, &guarantees);
    let plan = plan::plan(&project, changes, control_plane.endpoint(), Policy::default(), &guarantees);
    let of = |app: &plan::AppPlan| AppStatus {
        name: app.name.clone(),
        plan: app.clone(),
        live: live.apps.get(&app.name).cloned(),
    };
    let apps = plan.apps.iter().map(of).collect();
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
/// As [`plan`]; also a name that is not live.
pub async fn operate(
    ports: &Ports,
    request: &Request,
    operation: Operation,
    names: &[String],
) -> Result<Planned, Error> {
    let project = load(ports.files.as_ref(), request)?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let asked = known(&project, &live, names)?;
    if let Some(name) = asked.iter().find(|name| !names.is_empty() && !live.apps.contains_key(*name)) {
        return Err(Error::NotDeployed { name: name.clone() });
    }
    let plan = plan::operate(&project, &live, control_plane.endpoint(), operation, &asked);
    Ok(Planned { plan, target: project.target })
}

/// A live app of a manifest, with its control plane: for logs.
///
/// # Errors
/// As [`plan`]; also a name that is not live.
pub async fn find(ports: &Ports, request: &Request, name: &str) -> Result<(AppId, Arc<dyn ControlPlane>), Error> {
    let project = load(ports.files.as_ref(), request)?;
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let live = read(control_plane.as_ref(), &project).await?;
    let name = known(&project, &live, &[name.to_owned()])?.remove(0);
    if !live.apps.contains_key(&name) {
        return Err(Error::NotDeployed { name });
    }
    Ok((project.scope.app(&name), control_plane))
}

fn known(project: &Project, live: &LiveSet, names: &[String]) -> Result<Vec<AppName>, Error> {
    if names.is_empty() {
        return Ok(project.apps.keys().cloned().collect());
    }
    let parse = |name: &String| {
        let parsed = AppName::new(name.clone()).map_err(|source| Error::Name { name: name.clone(), source })?;
        let there = project.declared.contains(&parsed) || live.apps.contains_key(&parsed);
        if there {
            return Ok(parsed);
        }
        let close = |other: &&AppName| strsim::damerau_levenshtein(other.as_str(), name) <= 2;
        let suggestion = project.declared.iter().chain(live.apps.keys()).find(close).map(ToString::to_string);
        Err(Error::NoSuchApp { name: name.clone(), suggestion })
    };
    names.iter().map(parse).collect()
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

/// Finds out which files changed: from the lists of bundles packed here before, else from the live bundle itself.
async fn name_changed_files(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    changes: &mut ChangeSet,
) {
    for change in &mut changes.apps {
        let (Some(old), Some(new)) = (change.live.as_ref().and_then(LiveApp::bundle), &change.desired.bundle) else {
            continue;
        };
        if old == new.digest {
            continue;
        }
        let known = match bundle::recall(ports.files.as_ref(), old) {
            Some(files) => Some(files),
            None => {
                let id = project.scope.app(change.name());
                let content = control_plane.download_bundle(&id).await.ok().flatten();
                content.and_then(|content| bundle::list_archive(&content).ok())
            }
        };
        if let Some(files) = known {
            let files = bundle::compare(&files, &new.files);
            change.code = Some(CodeChange { old, new: new.digest, files });
        }
    }
}
