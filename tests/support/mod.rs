//! What the tests share: a world of files in memory, a simulated control plane and a clock that does not wait.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub mod cases;
pub mod cli;
pub mod edit;
pub mod redact;
pub mod world;
