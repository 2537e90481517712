//! `flyte render`: the messages apply would send, as canonical protobuf JSON with original field names.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::model::parameter::Pin;
use crate::pipeline;

/// An app, its message, and what the values of its parameters were pinned to.
#[derive(Debug, Serialize)]
struct Rendered {
    name: String,
    message: Value,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pins: BTreeMap<String, Pin>,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this app
    #[arg(value_name = "APP")]
    app: Option<String>,

    /// The address of the code bundle, in place of the one an upload would give
    #[arg(long, value_name = "URI")]
    code_bundle: Option<String>,
}

/// # Errors
/// The manifest has mistakes, a source cannot be packed, a run output or an artifact cannot be pinned, there is no such
/// app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(args.app.as_slice())?;
    let ports = context.ports()?;
    let project = pipeline::load(ports.files.as_ref(), &request)?;
    let (_, desired) = context.wait(async { Ok(pipeline::lower(&ports, &project, &request).await?) })?;
    let mut rendered: Vec<Rendered> = Vec::new();
    for name in project.graph.order() {
        if args.app.as_ref().is_some_and(|asked| asked != name.as_str()) {
            continue;
        }
        let Some(app) = desired.apps.get(name) else { continue };
        let spec = match &args.code_bundle {
            Some(address) => app.spec.clone().with_bundle_address(address),
            None => app.spec.clone(),
        };
        let message = flyte_schema::to_json(&spec.0).map_err(|error| Failure::from_error(&error))?;
        rendered.push(Rendered { name: name.to_string(), message, pins: app.pins.clone() });
    }
    let text = match rendered.as_slice() {
        [only] if args.app.is_some() => format!("{:#}\n", only.message),
        all => format!("{:#}\n", Value::Array(all.iter().map(|app| app.message.clone()).collect())),
    };
    Ok(Answer::text(text).with("apps", rendered).diagnostics(project.diagnostics))
}
