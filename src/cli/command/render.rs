//! `flyte render`: the messages apply would send, as canonical protobuf JSON with original field names.

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::pipeline;

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
/// The manifest has mistakes, a source cannot be packed, there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(args.app.as_slice())?;
    let ports = context.ports()?;
    let project = pipeline::load(ports.files.as_ref(), &request)?;
    let (_, desired) = pipeline::lower(&ports, &project, &request)?;
    let mut rendered: Vec<(String, Value)> = Vec::new();
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
        rendered.push((name.to_string(), message));
    }
    let text = match rendered.as_slice() {
        [(_, only)] if args.app.is_some() => format!("{only:#}\n"),
        all => format!("{:#}\n", Value::Array(all.iter().map(|(_, message)| message.clone()).collect())),
    };
    let apps: Vec<Value> =
        rendered.into_iter().map(|(name, message)| json!({ "name": name, "message": message })).collect();
    Ok(Answer::text(text).with("apps", apps).diagnostics(project.diagnostics))
}
