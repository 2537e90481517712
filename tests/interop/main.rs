//! What others have published judges us: the Flyte SDK, its messages and its Connect stubs, in virtual environments
//! that the tests make themselves; and a registry of images. Needs `python3` with `venv`, the package index once, and
//! `docker-registry`.

#![allow(clippy::disallowed_methods, reason = "these tests run real programs on real files")]

mod adopt;
#[path = "../it/network/server.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod answers;
mod bucket;
mod client;
mod configuration;
mod import;
mod login;
mod process;
mod program;
mod python;
mod registry;
mod server;
mod wire;
