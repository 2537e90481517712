//! `flyte schema`: the JSON Schema of flyte.toml, for editors.

use serde_json::Value;

use crate::cli::answer::Answer;
use crate::cli::failure::{Failure, Result};
use crate::schema::docs;

#[derive(Debug, clap::Args)]
pub struct Args {}

/// # Errors
/// None in a build whose tests passed: the schema is part of the program.
pub fn run(_: &Args) -> Result<Answer> {
    let text = docs::json_schema();
    let schema: Value = serde_json::from_str(&text).map_err(|error| Failure::from_error(&error))?;
    Ok(Answer::text(text).with("schema", schema))
}
