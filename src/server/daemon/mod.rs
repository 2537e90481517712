//! The embedded control plane as a process: served until it is told to end, found and ended by other programs.
//!
//! One state directory has at most one. What must not be lost is durable before it is answered, so that `kill -9` is
//! only an unfriendly way to stop it.

#![allow(clippy::disallowed_methods, reason = "the daemon is an edge: processes, files and time are its matter")]

mod control;
mod files;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::serve::ListenerExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::hub::{Hub, HubConfig, HubError};
use super::service::{Journal, services};
use super::state::Profile;
use super::store::StoreError;
use crate::model::Digest;
use crate::port::Clock;

pub use control::{locate, reset, start_detached, stop};
use files::{FORMAT, LOCK, Lock, RUNNING, RunningFile, SETTINGS, Settings, failed, make_directory};

/// The port of a new control plane, where it is free. Source: the Flyte sandbox.
const FIRST_PORT: u16 = 8090;
/// How long to wait for a lock that somebody may only be looking at.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long requests may take to end once the server is to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// How a control plane is run.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The state directory; made where it is not there.
    pub directory: PathBuf,
    /// `None`: that of the last run, else 8090, else any that is free.
    pub port: Option<u16>,
    /// `None`: that of the last run, else full.
    pub profile: Option<Profile>,
    /// Leave the session of the terminal, so that its end is not ours.
    pub detach: bool,
    /// Where requests to the services are noted; `None`: nowhere.
    pub journal: Option<PathBuf>,
}

/// A control plane that answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Running {
    /// `http://127.0.0.1:<port>`
    pub endpoint: String,
    pub directory: PathBuf,
    pub pid: u32,
    pub started: jiff::Timestamp,
    pub profile: Profile,
    /// Of the program that runs.
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("a control plane already runs on `{0}`")]
    AlreadyRuns(PathBuf),
    #[error("the control plane on `{directory}` runs with profile {running}, not {asked}")]
    OtherProfile { directory: PathBuf, running: Profile, asked: Profile },
    #[error("port {0} is taken")]
    PortTaken(u16),
    #[error("`{path}`")]
    File { path: PathBuf, source: io::Error },
    #[error("the control plane cannot be opened")]
    Hub(#[from] HubError),
    #[error("the control plane cannot be opened")]
    Store(#[from] StoreError),
    #[error("the server failed")]
    Serve(#[source] io::Error),
    #[error("`{program}` cannot be started")]
    Spawn { program: PathBuf, source: io::Error },
    /// `log` is the end of what it printed.
    #[error("the control plane did not start: {log}")]
    DidNotStart { log: String },
    #[error("the control plane on `{0}` does not answer")]
    DoesNotAnswer(PathBuf),
    #[error("the control plane (process {pid}) did not end within {} s", within.as_secs())]
    DidNotEnd { pid: u32, within: Duration },
}

/// Serves until SIGTERM or SIGINT, then stops every app. `ready` hears once requests are answered.
///
/// # Errors
/// [`DaemonError::AlreadyRuns`], [`DaemonError::PortTaken`] for a port that was asked for, and what keeps the state
/// from being opened.
pub async fn run(config: ServerConfig, ready: oneshot::Sender<Running>) -> Result<(), DaemonError> {
    if config.detach {
        // An error means that it leads a session already.
        let _ = rustix::process::setsid();
    }
    let directory = &config.directory;
    make_directory(directory)?;
    let Some(_lock) = Lock::take(&directory.join(LOCK), PATIENCE)? else {
        return Err(DaemonError::AlreadyRuns(directory.clone()));
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Serve)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Serve)?;

    let journal = config.journal.as_ref().map(|path| Journal::open(path).map_err(failed(path))).transpose()?;
    let last: Option<Settings> = files::read(&directory.join(SETTINGS));
    let profile = config.profile.or(last.as_ref().map(|last| last.profile)).unwrap_or_default();
    let listener = bind(config.port, last.as_ref().map(|last| last.port))?;
    let port = listener.local_addr().map_err(DaemonError::Serve)?.port();
    let id = last.map(|last| last.id).filter(|id| !id.is_empty()).unwrap_or_else(|| new_identity(directory));
    files::write(&directory.join(SETTINGS), &Settings { format: FORMAT, port, profile, id })?;

    let endpoint = format!("http://127.0.0.1:{port}");
    let setup = HubConfig { directory: directory.clone(), profile, endpoint: endpoint.clone() };
    let hub = Hub::start(setup, Arc::new(SystemClock)).await?;
    let file = RunningFile {
        format: FORMAT,
        pid: std::process::id(),
        started: hub.now(),
        port,
        profile,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let server = serve(&hub, listener, journal)?;
    files::write(&directory.join(RUNNING), &file)?;
    // An error means that nobody waits.
    let _ = ready.send(running(directory, &file));

    let ended = tokio::select! {
        ended = server => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    hub.shutdown().await;
    let path = directory.join(RUNNING);
    std::fs::remove_file(&path).map_err(failed(&path))?;
    ended.map_err(DaemonError::Serve)
}

/// The profile that the control plane of a directory ran with last, and will run with again.
pub fn profile(directory: &Path) -> Profile {
    files::read(&directory.join(SETTINGS)).map(|last: Settings| last.profile).unwrap_or_default()
}

/// What tells the control plane of a directory from every other one, until it is reset. `None` before it first ran.
pub fn identity(directory: &Path) -> Option<String> {
    let last: Settings = files::read(&directory.join(SETTINGS))?;
    Some(last.id).filter(|id| !id.is_empty())
}

fn new_identity(directory: &Path) -> String {
    let seed = format!("{} {} {}", directory.display(), std::process::id(), jiff::Timestamp::now().as_nanosecond());
    Digest::of(seed.as_bytes()).short()
}

fn running(directory: &Path, file: &RunningFile) -> Running {
    Running {
        endpoint: format!("http://127.0.0.1:{}", file.port),
        directory: directory.to_owned(),
        pid: file.pid,
        started: file.started,
        profile: file.profile,
        version: file.version.clone(),
    }
}

/// The port that was asked for and no other; else the last one, the usual one, any.
fn bind(asked: Option<u16>, last: Option<u16>) -> Result<TcpListener, DaemonError> {
    let bind = |port| {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        listener.set_nonblocking(true)?;
        Ok::<_, io::Error>(listener)
    };
    if let Some(port) = asked {
        return bind(port).map_err(|_| DaemonError::PortTaken(port));
    }
    let usual = last.into_iter().chain([FIRST_PORT]);
    usual.filter_map(|port| bind(port).ok()).next().map_or_else(|| bind(0).map_err(DaemonError::Serve), Ok)
}

/// Serves in the background until the hub is to stop, and a little longer for requests under way.
fn serve(
    hub: &Arc<Hub>,
    listener: TcpListener,
    journal: Option<Journal>,
) -> Result<impl Future<Output = io::Result<()>> + use<>, DaemonError> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(DaemonError::Serve)?;
    // Answers are small and waited for.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let services = services(hub, journal)?;
    let stopping = hub.stopping().clone();
    let server = axum::serve(listener, services).with_graceful_shutdown(stopping.clone().cancelled_owned());
    let task = tokio::spawn(async move {
        tokio::select! {
            ended = async { server.await } => ended,
            () = async { stopping.cancelled().await; tokio::time::sleep(LAST_REQUESTS).await } => Ok(()),
        }
    });
    Ok(async move { task.await.unwrap_or_else(|error| Err(io::Error::other(error))) })
}

/// The clock of this machine.
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
