//! One file per command: its flags, and what it does with them.

pub mod activate;
pub mod apply;
pub mod auth;
pub mod bundle;
pub mod completions;
pub mod config;
pub mod delete;
pub mod deploy;
pub mod explain;
pub mod graph;
pub mod history;
pub mod import;
pub mod init;
pub mod local;
pub mod logs;
pub mod man;
pub mod plan;
pub mod render;
pub mod rollback;
pub mod schema;
pub mod status;
pub mod validate;
pub mod versions;
