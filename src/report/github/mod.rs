//! Plans, outcomes and findings as GitHub shows them: a page of markdown that fits into a comment, and annotations.
//!
//! What does not fit is counted and named, never cut silently.

mod annotations;
mod details;
mod escape;
mod findings;
mod outcome;
mod page;
mod plan;

pub use annotations::{Annotations, annotations, step_annotation};
pub use escape::no_command;
pub use findings::{failure_markdown, findings_markdown};
pub use outcome::{failures, outcome_markdown};
pub use page::{LIMIT, units};
pub use plan::plan_markdown;
