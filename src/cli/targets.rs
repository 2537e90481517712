//! The control planes of this user: the embedded one in their state directory, others at their addresses.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use async_trait::async_trait;
use owo_colors::OwoColorize;

use super::context::environment;
use super::directories::{self, NoStateDirectory};
use super::failure::chain;
use crate::client::auth::{Person, Surroundings};
use crate::client::{Client, ClientError, Timeouts};
use crate::guarantees::Observed;
use crate::host::{Cache, SystemClock};
use crate::model::target::Connection;
use crate::port::memory::MemoryNotes;
use crate::port::{Access, ControlPlane, Notes, RpcCode, RpcError, Targets};
use crate::resolve::Target;
use crate::server::at_rest::AtRest;
use crate::server::bundles;
use crate::server::daemon;

/// Connects to control planes, and starts the embedded one when something is to be written to it.
#[derive(Clone)]
pub struct UserTargets {
    state: PathBuf,
    surroundings: Surroundings,
    /// What was seen of control planes before.
    notes: Arc<dyn Notes>,
    timeouts: Timeouts,
}

/// The place of log-ins, with nobody to ask. `state` is the directory of what must be kept.
pub fn surroundings(state: &Path) -> Surroundings {
    let environment = environment();
    let cache = Cache::of_user(&environment).map(|cache| cache.directory().to_owned());
    Surroundings { environment, state: Some(state.to_owned()), cache, ..Surroundings::default() }
}

impl UserTargets {
    /// `state` is the directory of the embedded control plane and of log-ins. Nobody is asked to log in.
    pub fn new(state: PathBuf, notes: Arc<dyn Notes>) -> Self {
        let surroundings = surroundings(&state);
        Self { state, surroundings, notes, timeouts: Timeouts::default() }
    }

    /// With somebody who may be asked to log in.
    #[must_use]
    pub fn with_person(mut self, person: Arc<dyn Person>) -> Self {
        self.surroundings.person = person;
        self
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
        Ok(Arc::new(Client::within(&Connection::open(running.endpoint, true), self.timeouts)?))
    }
}

#[async_trait]
impl Targets for UserTargets {
    async fn connect(&self, target: &Target, access: Access) -> Result<Arc<dyn ControlPlane>, RpcError> {
        let control_plane = match &target.connection {
            None => self.embedded(access).await.map_err(|error| unreachable(&target.name, error.as_ref())),
            Some(connection) => {
                let client = Client::at(connection, &self.surroundings, self.timeouts);
                let client = client.map_err(|error| unusable(&target.name, &error))?;
                if client.trusts_anyone() {
                    warn_once(&target.name);
                }
                Ok(Arc::new(client) as Arc<dyn ControlPlane>)
            }
        }?;
        // Its port may change, and its profile may be another one.
        let embedded = || format!("{}, {}", self.state.display(), daemon::profile(&self.state));
        let name = target.connection.as_ref().map_or_else(embedded, |connection| connection.endpoint.clone());
        Ok(Arc::new(Observed::new(control_plane, &name, self.notes.clone(), Arc::new(SystemClock))))
    }

    fn embedded_identity(&self) -> Option<String> {
        daemon::identity(&self.state)
    }

    async fn has_bundle(&self, target: &Target, address: &str) -> Option<bool> {
        // Others link to the code of what runs, and to no other: they are asked for it themselves.
        target.is_local().then(|| bundles::exists(&self.state, address)).flatten()
    }

    async fn remove_bundle(&self, target: &Target, address: &str) {
        if target.is_local() {
            bundles::remove(&self.state, address);
        }
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
    RpcError::not_sent(format!("connecting to `{target}`"), RpcCode::Unavailable, chain(error).join(": "))
}

/// Settings with which nothing can be asked.
fn unusable(target: &str, error: &ClientError) -> RpcError {
    let message = format!("the settings of target `{target}`: {}", chain(error).join(": "));
    RpcError::not_sent(format!("connecting to `{target}`"), RpcCode::InvalidArgument, message).help(match error {
        ClientError::Auth(error) => error.help(),
        _ => "`flyte config show` prints the settings and where each was made".to_owned(),
    })
}

/// Once in a run: a command may connect more than once.
pub fn warn_once(target: &str) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        let text = "certificates are not checked (`insecure_skip_verify`): anyone on the way can read and change what \
                    is sent";
        anstream::eprintln!("{} target `{target}`: {text}", "warning:".yellow().bold());
    });
}
