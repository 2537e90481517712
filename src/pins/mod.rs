//! Run outputs and artifacts among the parameters, looked up: a plan names what they are now, and apply takes just that.

mod fault;
mod literal;

use std::collections::BTreeMap;

use flyte_schema::flyteidl2::artifact;
use futures::StreamExt as _;
use futures::stream;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::model::parameter::{
    Artifact, ArtifactVersion, Parameter, ParameterKind, ParameterValue, Pin, Resolved, RunChoice,
};
use crate::model::{App, AppName, Scope, key_path};
use crate::port::{Access, ControlPlane, Delivery, Ports, RpcCode, RpcError, Run};
use crate::resolve::Project;

/// What every run output and artifact turned out to be, by app and parameter.
pub type Pins = BTreeMap<AppName, BTreeMap<String, Resolved>>;

/// How many are asked for at a time.
const PARALLELISM: usize = 10;

/// Why some value is not known.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The control plane cannot be asked at all.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// Each place that names what is not there, or is not as declared.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
}

/// Run outputs or artifacts that are not there, or are not what they must be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} cannot be pinned", parameters(.0))]
pub struct Unresolved(pub Diagnostics);

/// How many: a finding may be about several.
fn parameters(findings: &Diagnostics) -> String {
    match findings.list.iter().map(|finding| finding.labels.len()).sum() {
        1 => "a parameter".to_owned(),
        count => format!("{count} parameters"),
    }
}

/// What is asked of the control plane. Equal ones are asked once, so that they are pinned to the same thing.
#[derive(Debug, Clone, PartialEq)]
enum Lookup {
    Run(RunChoice),
    /// Whatever it must be.
    Artifact(Artifact),
}

enum Found {
    Run(Run),
    Artifact(Box<artifact::Artifact>),
}

/// A parameter that waits for a look-up.
struct Wanted<'a> {
    app: &'a App,
    parameter: &'a Parameter,
}

impl Wanted<'_> {
    /// Where a key of its table is written, or else the table around it.
    fn span(&self, keys: &[&str]) -> Span {
        let base = key_path("parameters", &self.parameter.name);
        let found = keys.iter().find_map(|key| self.app.spans.get(&format!("{base}.{key}")));
        found.or_else(|| self.app.spans.get(&base)).copied().unwrap_or(self.app.declared_at)
    }
}

/// Stands for what is not looked up, so that the rest can be told.
pub fn stand_ins(project: &Project) -> Pins {
    let stand_in = |parameter: &Parameter| {
        let kind = match &parameter.value {
            ParameterValue::RunOutput(output) => output.kind,
            ParameterValue::Artifact(artifact) => artifact.kind.unwrap_or(ParameterKind::File),
            _ => return None,
        };
        let origin = Pin::Run { run: String::new(), task: None };
        Some((parameter.name.clone(), Resolved { value: String::new(), kind, origin }))
    };
    let of = |(name, app): (&AppName, &App)| (name.clone(), app.parameters.iter().filter_map(stand_in).collect());
    project.apps.iter().map(of).collect()
}

/// Looks up every run output and artifact of a project. Without one, nobody is asked.
///
/// # Errors
/// The control plane cannot be asked, or does not have what is named, or has something else.
pub async fn look_up(ports: &Ports, project: &Project) -> Result<Pins, PinError> {
    let groups = group(project);
    if groups.is_empty() {
        return Ok(Pins::new());
    }
    let control_plane = ports.targets.connect(&project.target, Access::Read).await?;
    let asked = groups.iter().map(|(lookup, _)| ask(control_plane.as_ref(), &project.scope, lookup));
    let answers: Vec<_> = stream::iter(asked).buffered(PARALLELISM).collect().await;
    let mut pins = Pins::new();
    let mut findings = Vec::new();
    for ((lookup, wanted), answer) in groups.iter().zip(answers) {
        let found = match answer {
            Ok(Some(Found::Run(run))) if !Run::has_succeeded(run.phase) => Err(fault::not_succeeded(&run)),
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(fault::missing(lookup)),
            Err(error) if is_about_everything(&error) => return Err(error.into()),
            Err(error) => Err(fault::refused(lookup, &project.target.name, &error)),
        };
        let found = match found {
            Ok(found) => found,
            Err(finding) => {
                findings.push(fault::at(finding, wanted, &project.scope));
                continue;
            }
        };
        for wanted in wanted {
            match pin(&found, wanted, &project.scope) {
                Ok(resolved) => {
                    tracing::info!(app = %wanted.app.name, parameter = wanted.parameter.name, origin = %resolved.origin, "pinned");
                    let of_app = pins.entry(wanted.app.name.clone()).or_default();
                    of_app.insert(wanted.parameter.name.clone(), resolved);
                }
                Err(finding) => findings.push(finding),
            }
        }
    }
    if findings.is_empty() {
        return Ok(pins);
    }
    Err(Unresolved(Diagnostics::new(project.diagnostics.sources.clone(), findings)).into())
}

/// Each different look-up, with the parameters that wait for it.
fn group(project: &Project) -> Vec<(Lookup, Vec<Wanted<'_>>)> {
    let mut groups: Vec<(Lookup, Vec<Wanted<'_>>)> = Vec::new();
    for app in project.apps.values() {
        for parameter in &app.parameters {
            let lookup = match &parameter.value {
                ParameterValue::RunOutput(output) => Lookup::Run(output.of.clone()),
                ParameterValue::Artifact(artifact) => Lookup::Artifact(Artifact { kind: None, ..artifact.clone() }),
                ParameterValue::Text(_)
                | ParameterValue::File(_)
                | ParameterValue::Directory(_)
                | ParameterValue::Endpoint { .. } => continue,
            };
            let wanted = Wanted { app, parameter };
            match groups.iter_mut().find(|(known, _)| *known == lookup) {
                Some((_, all)) => all.push(wanted),
                None => groups.push((lookup, vec![wanted])),
            }
        }
    }
    groups
}

async fn ask(control_plane: &dyn ControlPlane, scope: &Scope, lookup: &Lookup) -> Result<Option<Found>, RpcError> {
    match lookup {
        Lookup::Run(choice) => Ok(control_plane.run(scope, choice).await?.map(Found::Run)),
        Lookup::Artifact(artifact) => {
            Ok(control_plane.artifact(scope, artifact).await?.map(Box::new).map(Found::Artifact))
        }
    }
}

/// Whether another look-up would fare no better.
fn is_about_everything(error: &RpcError) -> bool {
    error.delivery != Delivery::Answered
        || matches!(error.code, RpcCode::Unavailable | RpcCode::DeadlineExceeded | RpcCode::Unauthenticated)
}

/// What a parameter becomes, if what was found is as declared.
fn pin(found: &Found, wanted: &Wanted<'_>, scope: &Scope) -> Result<Resolved, Diagnostic> {
    let (origin, declared, read) = match (found, &wanted.parameter.value) {
        (Found::Run(run), ParameterValue::RunOutput(output)) => {
            let task = match &output.of {
                RunChoice::Task { name, .. } => Some(name.clone()),
                RunChoice::Run(_) => None,
            };
            let read = literal::pick(&run.outputs, &output.getter).and_then(literal::read);
            (Pin::Run { run: run.name.clone(), task }, Some(output.kind), read)
        }
        (Found::Artifact(found), ParameterValue::Artifact(asked)) => {
            let read = literal::read(&found.spec.value).and_then(|read| match read.0 {
                ParameterKind::File | ParameterKind::Directory => Ok(read),
                ParameterKind::Text | ParameterKind::Endpoint => Err(literal::Unfit::NotStored),
            });
            (Pin::Artifact(version(found, asked, scope)), asked.kind, read)
        }
        _ => unreachable!("a look-up answers what was asked"),
    };
    let (kind, value) = read.map_err(|unfit| fault::unfit(wanted, &origin, &unfit))?;
    match declared {
        Some(declared) if declared != kind => Err(fault::mismatch(wanted, &origin, declared, kind)),
        _ => Ok(Resolved { value, kind, origin }),
    }
}

/// The version that was found, as the server names it.
fn version(found: &artifact::Artifact, asked: &Artifact, scope: &Scope) -> ArtifactVersion {
    let id = &found.artifact_id;
    let told = |told: &str, asked: &str| if told.is_empty() { asked.to_owned() } else { told.to_owned() };
    ArtifactVersion {
        org: told(&id.name.org, &scope.org),
        project: told(&id.name.project, asked.project.as_deref().unwrap_or(&scope.project)),
        domain: told(&id.name.domain, asked.domain.as_deref().unwrap_or(&scope.domain)),
        name: told(&id.name.name, &asked.name),
        version: told(&id.version, asked.version.as_deref().unwrap_or_default()),
    }
}
