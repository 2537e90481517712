//! Plan and outcome as text, as JSON, and as GitHub shows them.

mod code;
mod field;
pub mod github;
mod json;
mod outcome;
mod paint;
mod plan;
mod server;
mod table;
mod words;

pub use json::{outcome_json, plan_json};
pub use outcome::{AppResult, Report, outcome_text};
pub use paint::{COLUMNS, Paint};
pub use plan::plan_text;
pub use server::{server_json, server_text};
pub use table::Table;
pub use words::{bytes, count, duration, note, reason, wrap};
