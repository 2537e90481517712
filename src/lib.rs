//! A declarative deployer for apps on Flyte 2.

pub mod apply;
pub mod bundle;
pub mod canonical;
pub mod cli;
pub mod client;
pub mod config;
pub mod desired;
pub mod diagnostic;
pub mod diff;
pub mod host;
pub mod import;
pub mod manifest;
pub mod model;
pub mod pins;
pub mod pipeline;
pub mod plan;
pub mod port;
pub mod readiness;
pub mod records;
pub mod release;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod server;

pub use pipeline::{Request, deploy};
