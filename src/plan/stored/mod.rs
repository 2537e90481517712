//! A plan as a file: what `flyte plan --out` writes and `flyte apply FILE` runs.
//!
//! The file says everything the plan shows and everything it was made on. It holds no secret values: what is sensitive
//! stands in it as a placeholder, and a spec is sent as the manifest says it at that time, once it is known to be the
//! planned one. Whatever is not as it was is a [`Staleness`].

mod convert;
mod form;
mod seal;
mod stale;

pub use convert::{Basis, texts};
pub use form::{Choices, StoredPlan};
pub use seal::{FORMAT, KIND, PlanFileError, is_plan_file, seal};
pub use stale::{How, Stale, Staleness};
