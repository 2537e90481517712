//! The configuration of the Flyte SDK.
mod parts;
mod yaml;
pub use parts::{Part, Parts, Sourced};
