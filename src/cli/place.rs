//! Where apps that no manifest declares live: as flags say, else the manifest around.

use super::context::Context;
use super::failure::{Failure, Result};
use crate::manifest::LoadError;
use crate::model::Scope;
use crate::model::target::Connection;
use crate::pipeline;
use crate::resolve::Target;

/// A project and domain on a control plane.
#[derive(Debug, Clone)]
pub struct Place {
    pub scope: Scope,
    pub target: Target,
}

/// Another control plane than those of a manifest.
#[derive(Debug, Clone, clap::Args)]
pub struct Endpoint {
    /// Where the control plane listens, in place of --target: `dns:///host`, `https://host`, `http://host:port`
    #[arg(long, value_name = "URL", conflicts_with = "target")]
    endpoint: Option<String>,

    /// Speak plain HTTP to it
    #[arg(long, requires = "endpoint")]
    insecure: bool,
}

impl Endpoint {
    fn target(&self) -> Option<Target> {
        let endpoint = self.endpoint.clone()?;
        let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, rest)| rest).trim_start_matches('/');
        let name = crate::import::word(host.split([':', '/', '.']).next().unwrap_or(host));
        // `local` is the embedded one.
        let name = if name == Target::LOCAL { "remote".to_owned() } else { name };
        Some(Target { name, connection: Some(Connection::open(endpoint, self.insecure)) })
    }
}

/// The control plane of the manifest around, or the one that --target names. Without either: the embedded one.
///
/// # Errors
/// The manifest has mistakes; the target is not declared.
pub fn target(context: &Context) -> Result<Target> {
    match (pipeline::load(&context.files(), &context.request(&[])?), context.global.target.as_deref()) {
        (Ok(project), _) => Ok(project.target),
        (Err(pipeline::Error::Load(LoadError::NotFound(_))), None | Some(Target::LOCAL)) => Ok(Target::local()),
        (Err(error), _) => Err(error.into()),
    }
}

/// # Errors
/// Neither flags nor a manifest say the project, the domain or the target.
pub fn place(context: &Context, endpoint: Option<&Endpoint>) -> Result<Place> {
    let global = &context.global;
    let asked = endpoint.and_then(Endpoint::target);
    let around = match pipeline::load(&context.files(), &context.request(&[])?) {
        Ok(project) => Some(Place { scope: project.scope, target: project.target }),
        Err(pipeline::Error::Load(LoadError::NotFound(_))) => None,
        // Flags may say all there is to say.
        Err(_) if global.manifest.is_none() && global.project.is_some() && global.domain.is_some() => None,
        Err(error) => return Err(error.into()),
    };
    let target = match (asked, global.target.as_deref(), &around) {
        (Some(target), ..) => target,
        (None, None, Some(place)) => place.target.clone(),
        (None, Some(name), Some(place)) if place.target.name == name => place.target.clone(),
        (None, None | Some(Target::LOCAL), _) => Target::local(),
        (None, Some(name), _) => {
            return Err(Failure::new(format!("no manifest here declares the target `{name}`"))
                .help("name the control plane with --endpoint"));
        }
    };
    let of = |flag: &Option<String>, get: fn(&Scope) -> &String| {
        flag.clone().or_else(|| around.as_ref().map(|place| get(&place.scope).clone()))
    };
    let needed = |name: &str, value: Option<String>| {
        value.ok_or_else(|| {
            Failure::new(format!("which {name}?"))
                .help(format!("add --{name} NAME, as in `--project shop --domain development`"))
        })
    };
    let scope = Scope {
        org: of(&global.org, |scope| &scope.org).unwrap_or_default(),
        project: needed("project", of(&global.project, |scope| &scope.project))?,
        domain: needed("domain", of(&global.domain, |scope| &scope.domain))?,
    };
    Ok(Place { scope, target })
}
