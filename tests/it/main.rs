//! Tests of the whole, in one binary.

#![allow(clippy::disallowed_methods, reason = "tests and examples are outside the borders")]

mod architecture;
mod ci;
mod drift;
mod from_git;
mod generated;
mod github;
mod golden;
mod import;
mod invariants;
mod json;
mod json_schema;
mod network;
mod preflight;
mod reads;
mod real;
mod releases;
mod saved;
#[path = "../support/mod.rs"]
mod support;
mod versions;
