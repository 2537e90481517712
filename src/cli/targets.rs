//! The control planes of this user: the embedded one in their state directory, others at their addresses.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use async_trait::async_trait;
use owo_colors::OwoColorize;

use super::directories::{self, NoStateDirectory};
use super::failure::chain;
use crate::client::{Client, ClientError, Timeouts};
use crate::model::target::Connection;
use crate::port::{Access, ControlPlane, RpcCode, RpcError, Targets};
use crate::resolve::Target;
use crate::server::at_rest::AtRest;
use crate::server::bundles;
use crate::server::daemon;

/// Connects to control planes, and starts the embedded one when something is to be written to it.
#[derive(Debug, Clone)]
pub struct UserTargets {
    state: PathBuf,
    timeouts: Timeouts,
}

impl UserTargets {
    /// `state` is the directory of the embedded control plane.
    pub fn new(state: PathBuf) -> Self {
        Self { state, timeouts: Timeouts::default() }
    }

    /// With other limits of time.
    #[must_use]
    pub fn within(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// The control planes of the user of this process: see FLYTE_STATE_DIR.
    ///
    /// # Errors
    /// The environment does not tell where the state directory is.
    pub fn of_user() -> Result<Self, NoStateDirectory> {
        Ok(Self::new(directories::state()?))
    }

    async fn embedded(&self, access: Access) -> Result<Arc<dyn ControlPlane>, Box<dyn Error + Send + Sync>> {
        let running = match (daemon::locate(&self.state).await, access) {
            (Some(running), _) => running,
            (None, Access::Read) => {
                return Ok(Arc::new(AtRest::read(&self.state, daemon::profile(&self.state), jiff::Timestamp::now())?));
            }
            (None, Access::Write) => daemon::start_detached(&std::env::current_exe()?, &self.state, None, None).await?,
        };
        Ok(Arc::new(Client::within(&Connection::open(running.endpoint, true), self.timeouts)?))
    }
}

#[async_trait]
impl Targets for UserTargets {
    async fn connect(&self, target: &Target, access: Access) -> Result<Arc<dyn ControlPlane>, RpcError> {
        match &target.connection {
            None => self.embedded(access).await.map_err(|error| unreachable(&target.name, error.as_ref())),
            Some(connection) => {
                let client = Client::within(connection, self.timeouts);
                let client = client.map_err(|error| unusable(&target.name, &error))?;
                if client.trusts_anyone() {
                    warn_once(&target.name);
                }
                Ok(Arc::new(client))
            }
        }
    }

    async fn has_bundle(&self, target: &Target, address: &str) -> Option<bool> {
        // Other control planes offer the code of what runs, and no other.
        target.is_local().then(|| bundles::exists(&self.state, address)).flatten()
    }

    async fn remove_bundle(&self, target: &Target, address: &str) {
        if target.is_local() {
            bundles::remove(&self.state, address);
        }
    }
}

/// An error before the first call.
fn unreachable(target: &str, error: &dyn Error) -> RpcError {
    RpcError::not_sent(format!("connecting to `{target}`"), RpcCode::Unavailable, chain(error).join(": "))
}

/// Settings with which nothing can be asked.
fn unusable(target: &str, error: &ClientError) -> RpcError {
    let message = format!("the settings of target `{target}`: {}", chain(error).join(": "));
    RpcError::not_sent(format!("connecting to `{target}`"), RpcCode::InvalidArgument, message)
        .help("`flyte config show` prints the settings and where each was made")
}

/// Once in a run: a command may connect more than once.
fn warn_once(target: &str) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        let text = "certificates are not checked (`insecure_skip_verify`): anyone on the way can read and change what \
                    is sent";
        anstream::eprintln!("{} target `{target}`: {text}", "warning:".yellow().bold());
    });
}
