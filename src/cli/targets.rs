//! The control planes of this user: the embedded one in their state directory, others at their addresses.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::directories;
use crate::client::{Client, ClientConfig};
use crate::port::{Access, ControlPlane, RpcCode, RpcError, Targets};
use crate::resolve::Target;

/// Connects to control planes, and starts the embedded one when something is to be written to it.
#[derive(Debug, Clone)]
pub struct UserTargets {
    state: PathBuf,
}
