//! Where apps that no manifest declares live: as flags say, else the manifest around, else the SDK's configuration.

use super::context::Context;
use super::failure::{Failure, Result};
use crate::model::Scope;
use crate::pipeline;
use crate::resolve::{self, Target};

/// A project and domain on a control plane.
#[derive(Debug, Clone)]
pub struct Place {
    pub scope: Scope,
    pub target: Target,
}

/// # Errors
/// Neither flags nor a manifest nor the SDK's configuration say the project and the domain; there is no such target.
pub fn place(context: &Context) -> Result<Place> {
    let global = &context.global;
    let request = context.request(&[])?;
    let placed = match pipeline::place(&context.files(), &request) {
        // Flags may say all there is to say.
        Err(pipeline::Error::Invalid(_))
            if global.manifest.is_none() && global.project.is_some() && global.domain.is_some() =>
        {
            resolve::place(None, &request.selection).map_err(pipeline::Error::from)?
        }
        placed => placed?,
    };
    let needed = |name: &str, value: Option<String>| {
        value.ok_or_else(|| {
            Failure::new(format!("which {name}?"))
                .help(format!("add --{name} NAME, as in `--project shop --domain development`"))
        })
    };
    let (project, domain) = (needed("project", placed.project)?, needed("domain", placed.domain)?);
    Ok(Place { scope: Scope { org: placed.org, project, domain }, target: placed.target })
}
