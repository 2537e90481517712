//! Desired against live, field by field, as canonical wire messages.

pub mod canonical;
mod quantity;
mod rules;
