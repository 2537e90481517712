//! The outside of a plan file: what it is, in which form, and whether it is still what was written.

use serde_json::{Map, Value};

use super::form::StoredPlan;
use crate::canonical;
use crate::model::Digest;

/// What the file says it is.
pub const KIND: &str = "flyte plan";

/// The number of the form of the file. It grows when this text would misread it.
pub const FORMAT: u32 = 1;

/// Why a text is not a plan that can be applied. None of it has to do with the control plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    #[error("it is not a plan that `flyte plan --out` wrote")]
    NotAPlan,
    /// It begins like one, and cannot be read to its end.
    #[error("it is damaged, or was cut off: {message}")]
    Damaged { message: String },
    #[error("its format is {format}; this release of flyte reads format {FORMAT}")]
    OtherFormat { format: u64 },
    /// Its content is not what its `integrity` says.
    #[error("it was changed after `flyte plan` wrote it")]
    Edited,
}

impl StoredPlan {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        // Strings, numbers and maps by string: all of them have a JSON form.
        let content = serde_json::to_value(self).unwrap_or_default();
        format!("{:#}\n", seal(content))
    }

    /// # Errors
    /// See [`PlanFileError`].
    pub fn read(text: &str) -> Result<Self, PlanFileError> {
        let damaged = |error: serde_json::Error| PlanFileError::Damaged { message: error.to_string() };
        let mut members: Map<String, Value> = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Err(error) if is_plan_file(text) => return Err(damaged(error)),
            _ => return Err(PlanFileError::NotAPlan),
        };
        if members.shift_remove("kind").is_none_or(|kind| kind != KIND) {
            return Err(PlanFileError::NotAPlan);
        }
        match members.shift_remove("format").and_then(|format| format.as_u64()) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(PlanFileError::OtherFormat { format }),
            None => return Err(PlanFileError::Edited),
        }
        let said = members.shift_remove("integrity");
        let content = Value::Object(members);
        if said.as_ref().and_then(Value::as_str) != Some(&integrity(&content).to_string()) {
            return Err(PlanFileError::Edited);
        }
        serde_json::from_value(content).map_err(damaged)
    }
}

/// Whether a text begins as plan files do, whatever follows.
pub fn is_plan_file(text: &str) -> bool {
    let rest = text.trim_start().strip_prefix('{').map(str::trim_start);
    let rest = rest.and_then(|rest| rest.strip_prefix("\"kind\"")).map(str::trim_start);
    let rest = rest.and_then(|rest| rest.strip_prefix(':')).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with(&format!("\"{KIND}\"")))
}

/// The content of a plan file with what stands before it.
pub fn seal(content: Value) -> Value {
    let mut members = Map::new();
    members.insert("kind".to_owned(), KIND.into());
    members.insert("format".to_owned(), FORMAT.into());
    members.insert("integrity".to_owned(), integrity(&content).to_string().into());
    if let Value::Object(content) = content {
        members.extend(content);
    }
    Value::Object(members)
}

/// Tells a file that was changed by hand or by accident; not one that somebody forged, who can compute it as well.
fn integrity(content: &Value) -> Digest {
    canonical::digest(&serde_json::json!({ "kind": KIND, "format": FORMAT, "content": content }))
}
