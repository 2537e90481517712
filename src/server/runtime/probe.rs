//! Finds out when a process is ready, and where it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::logs::AppLog;
use super::system;
use super::workload::{ReadyProbe, Workload};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(2);

/// How often the sockets of the process are looked at, which costs more than a connection.
const LOOK: Duration = Duration::from_millis(250);

/// When the log is told that an app is slow to listen.
const SLOW: Duration = Duration::from_secs(10);

/// A ready process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    pub address: SocketAddr,
    /// It listens on its declared port, not on the one it was given: a second process cannot run beside it.
    pub fixed: bool,
}

/// The process to be probed.
pub struct Subject<'a> {
    pub workload: &'a Workload,
    /// The port it was given.
    pub port: u16,
    /// Its process group.
    pub group: u32,
    /// Something accepted connections on its declared port before it was started.
    pub declared_port_was_taken: bool,
    pub log: &'a AppLog,
    pub replica: &'a str,
}

impl Subject<'_> {
    /// Resolves when the process is ready, which may be never.
    pub async fn ready(&self) -> Listening {
        let started = Instant::now();
        let mut looked = started;
        let mut told = false;
        loop {
            let mut seen = None;
            if let Some(address) = accepting(self.port).await {
                match self.check(address).await {
                    Ok(()) => return Listening { address, fixed: false },
                    Err(why) => seen = Some(why),
                }
            } else if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if let Some(address) = self.on_declared_port().await {
                    match self.check(address).await {
                        Ok(()) => {
                            self.say_fixed();
                            return Listening { address, fixed: true };
                        }
                        Err(why) => seen = Some(why),
                    }
                }
            }
            if !told && started.elapsed() >= SLOW {
                told = true;
                self.say_slow(seen);
            }
            tokio::time::sleep(pause(started.elapsed())).await;
        }
    }

    async fn check(&self, address: SocketAddr) -> Result<(), String> {
        match &self.workload.ready {
            ReadyProbe::Port => Ok(()),
            ReadyProbe::Http(path) => match tokio::time::timeout(ANSWER, get(address, path)).await {
                Ok(Ok(status)) if status.is_success() || status.is_redirection() => Ok(()),
                Ok(Ok(status)) => Err(format!("GET {path} answers {status}")),
                Ok(Err(error)) => Err(format!("GET {path} fails: {error}")),
                Err(_) => Err(format!("GET {path} does not answer within {} s", ANSWER.as_secs())),
            },
        }
    }

    async fn on_declared_port(&self) -> Option<SocketAddr> {
        let port = self.workload.container_port;
        if port == 0 || port == self.port {
            return None;
        }
        let own = match self.ports().await {
            Some(ports) => ports.contains(&port),
            None => !self.declared_port_was_taken,
        };
        if own { accepting(port).await } else { None }
    }

    async fn ports(&self) -> Option<std::collections::BTreeSet<u16>> {
        let group = self.group;
        tokio::task::spawn_blocking(move || system::listening_ports(group)).await.ok().flatten()
    }

    fn say_fixed(&self) {
        let declared = self.workload.container_port;
        self.log.system(
            self.replica,
            format!(
                "listens on its declared port {declared}, not on {} as the variable PORT says; an update stops it \
                 before the new process starts, since two cannot share a port: let the app read PORT",
                self.port
            ),
        );
    }

    fn say_slow(&self, seen: Option<String>) {
        let text = seen.map_or_else(
            || {
                let others: Vec<String> =
                    system::listening_ports(self.group).into_iter().flatten().map(|port| port.to_string()).collect();
                let others =
                    if others.is_empty() { String::new() } else { format!(" (it does on {})", others.join(", ")) };
                format!("still does not listen on port {}, which the variable PORT says{others}", self.port)
            },
            |why| format!("still not ready: {why}"),
        );
        self.log.system(self.replica, text);
    }
}

/// The loopback address at which the port accepts connections.
pub async fn accepting(port: u16) -> Option<SocketAddr> {
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let address = SocketAddr::new(address, port);
        if let Ok(Ok(_)) = tokio::time::timeout(ANSWER, TcpStream::connect(address)).await {
            return Some(address);
        }
    }
    None
}

async fn get(address: SocketAddr, path: &str) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "flyte-probe")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answered = async move { sender.send_request(request).await.map(|response| response.status()) };
    let (status, _) = tokio::join!(answered, connection);
    Ok(status?)
}

fn pause(elapsed: Duration) -> Duration {
    Duration::from_millis(match elapsed.as_secs() {
        0..2 => 20,
        2..30 => 100,
        _ => 500,
    })
}
