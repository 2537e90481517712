//! Tests of the whole, in one binary.

mod architecture;
mod generated;
mod invariants;
mod real;
#[path = "../support/mod.rs"]
mod support;
