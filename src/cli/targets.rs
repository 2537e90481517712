//! The control planes of this user: the embedded one in their state directory, others at their addresses.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::context::environment;
use super::directories::{self, NoStateDirectory};
use super::failure::chain;
use crate::client::Client;
use crate::guarantees::Observed;
use crate::host::{Cache, SystemClock};
use crate::model::target::Connection;
use crate::port::memory::MemoryNotes;
use crate::port::{Access, ControlPlane, Delivery, Notes, RpcCode, RpcError, Targets};
use crate::resolve::Target;
use crate::server::at_rest::AtRest;
use crate::server::daemon;

/// Connects to control planes, and starts the embedded one when something is to be written to it.
#[derive(Clone)]
pub struct UserTargets {
    state: PathBuf,
    /// What was seen of control planes before.
    notes: Arc<dyn Notes>,
}

impl UserTargets {
    /// `state` is the directory of the embedded control plane.
    pub fn new(state: PathBuf, notes: Arc<dyn Notes>) -> Self {
        Self { state, notes }
    }

    /// The control planes of the user of this process: see FLYTE_STATE_DIR.
    ///
    /// # Errors
    /// The environment does not tell where the state directory is.
    pub fn of_user() -> Result<Self, NoStateDirectory> {
        Ok(Self::new(directories::state()?, notes_of(&environment())))
    }

    async fn embedded(&self, access: Access) -> Result<Arc<dyn ControlPlane>, Box<dyn Error + Send + Sync>> {
        let running = match (daemon::locate(&self.state).await, access) {
            (Some(running), _) => running,
            (None, Access::Read) => {
                return Ok(Arc::new(AtRest::read(&self.state, daemon::profile(&self.state), jiff::Timestamp::now())?));
            }
            (None, Access::Write) => daemon::start_detached(&std::env::current_exe()?, &self.state, None, None).await?,
        };
        Ok(Arc::new(Client::new(&Connection::open(running.endpoint, true))?))
    }
}

#[async_trait]
impl Targets for UserTargets {
    async fn connect(&self, target: &Target, access: Access) -> Result<Arc<dyn ControlPlane>, RpcError> {
        let connected = match &target.connection {
            None => self.embedded(access).await,
            Some(connection) => {
                Client::new(connection).map(|client| Arc::new(client) as Arc<dyn ControlPlane>).map_err(Into::into)
            }
        };
        let control_plane = connected.map_err(|error| unreachable(&target.name, error.as_ref()))?;
        // Its port may change, and its profile may be another one.
        let embedded = || format!("{}, {}", self.state.display(), daemon::profile(&self.state));
        let name = target.connection.as_ref().map_or_else(embedded, |connection| connection.endpoint.clone());
        Ok(Arc::new(Observed::new(control_plane, &name, self.notes.clone(), Arc::new(SystemClock))))
    }
}

/// Notes in the cache of the user; without a place for one they last for this run.
pub fn notes_of(environment: &BTreeMap<String, String>) -> Arc<dyn Notes> {
    match Cache::of_user(environment) {
        Some(cache) => Arc::new(cache),
        None => Arc::new(MemoryNotes::default()),
    }
}

/// An error before the first call.
fn unreachable(target: &str, error: &dyn Error) -> RpcError {
    RpcError {
        method: format!("connecting to `{target}`"),
        code: RpcCode::Unavailable,
        message: chain(error).join(": "),
        request_id: String::new(),
        delivery: Delivery::NotSent,
    }
}
