//! Where the requests of one app go, how many are on their way, and how a switch loses none of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::AppId;

/// How long a request may take where the workload says nothing. Source: the open-source server's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// A connection unused for this long is closed. Short, since a server that handles one connection at a time serves
/// nobody else while one is open.
const IDLE: Duration = Duration::from_secs(1);

/// Unused connections kept per process.
const IDLE_CONNECTIONS: usize = 32;

pub type UpstreamBody = BoxBody<Bytes, hyper::Error>;

/// The route of one app: switched by its supervisor, followed by its requests.
///
/// A request takes its [`Lease`] while it reads the target, and a switch excludes readers: whoever has switched and then
/// sees no request in flight knows that none will come.
pub struct Route {
    app: AppId,
    target: watch::Sender<Target>,
    held: watch::Sender<usize>,
    timeout: Mutex<Duration>,
}

enum Target {
    /// To this process.
    Serving(Arc<Upstream>),
    /// Nowhere yet: they wait for a process that is about to come.
    Held,
    /// Nowhere: they are refused, for this reason.
    Refused(String),
}

impl Route {
    pub fn new(app: AppId) -> Self {
        Self {
            app,
            target: watch::Sender::new(Target::Refused("it is not running".to_owned())),
            held: watch::Sender::new(0),
            timeout: Mutex::new(DEFAULT_TIMEOUT),
        }
    }

    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// The longest a request may wait for the head of its response.
    pub fn timeout(&self) -> Duration {
        *self.timeout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_timeout(&self, timeout: Option<Duration>) {
        *self.timeout.lock().unwrap_or_else(PoisonError::into_inner) = timeout.unwrap_or(DEFAULT_TIMEOUT);
    }

    /// Requests go to this process from now on.
    pub fn serve(&self, upstream: Arc<Upstream>) {
        self.target.send_replace(Target::Serving(upstream));
    }

    /// Requests wait from now on.
    pub fn hold(&self) {
        self.target.send_replace(Target::Held);
    }

    pub fn is_held(&self) -> bool {
        matches!(*self.target.borrow(), Target::Held)
    }

    /// Requests are refused from now on; `why` reads well after "app x is not available: ".
    pub fn refuse(&self, why: impl Into<String>) {
        self.target.send_replace(Target::Refused(why.into()));
    }

    /// Requests wait from now on, provided that the process served none for that long and none is about to come to it;
    /// says whether it is so.
    pub fn hold_if_idle(&self, upstream: &Arc<Upstream>, idle: Duration) -> bool {
        self.target.send_if_modified(|target| {
            let now = upstream.idle_since().is_some_and(|since| since.elapsed() >= idle) && *self.held.borrow() == 0;
            if now {
                *target = Target::Held;
            }
            now
        })
    }

    /// Resolves when a request waits.
    pub async fn wanted(&self) {
        // The sender lives in `self`: the wait cannot fail.
        let _ = self.held.subscribe().wait_for(|held| *held > 0).await;
    }

    /// A place at the process that serves now, or that comes while requests are held.
    ///
    /// # Errors
    /// The reason why requests are refused.
    pub async fn lease(&self) -> Result<Lease, String> {
        let mut target = self.target.subscribe();
        let mut waiting = None;
        loop {
            match &*target.borrow_and_update() {
                Target::Serving(upstream) => return Ok(Lease::new(upstream)),
                Target::Refused(why) => return Err(why.clone()),
                Target::Held => {}
            }
            waiting.get_or_insert_with(|| Waiting::new(&self.held));
            // As above: the sender outlives this borrow of it.
            let _ = target.changed().await;
        }
    }

    /// Waits until requests no longer go to the process; says whether that came in time.
    pub async fn left(&self, former: &Arc<Upstream>, within: Duration) -> bool {
        let mut target = self.target.subscribe();
        let left = target.wait_for(|target| !matches!(target, Target::Serving(now) if Arc::ptr_eq(now, former)));
        tokio::time::timeout(within, left).await.is_ok()
    }
}

/// Counts a held request for as long as it waits.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(held: &'a watch::Sender<usize>) -> Self {
        held.send_modify(|held| *held += 1);
        Self(held)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held -= 1);
    }
}

/// A ready process, its requests and its connections.
pub struct Upstream {
    address: SocketAddr,
    in_flight: watch::Sender<usize>,
    last_used: Mutex<Instant>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    retired: bool,
    idle: Vec<(Instant, SendRequest<UpstreamBody>)>,
}

impl Upstream {
    pub fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            in_flight: watch::Sender::new(0),
            last_used: Mutex::new(Instant::now()),
            connections: Mutex::default(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the last request ended, or the process came up; `None` while a request is in flight.
    pub fn idle_since(&self) -> Option<Instant> {
        (*self.in_flight.borrow() == 0).then(|| *self.last_used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes what is unused, keeps nothing any more, and waits until the requests in flight have ended; says whether
    /// they did in time. To be called once no new request can come.
    pub async fn drain(&self, limit: Duration) -> bool {
        let unused = {
            let mut connections = self.connections();
            connections.retired = true;
            std::mem::take(&mut connections.idle)
        };
        drop(unused);
        let mut in_flight = self.in_flight.subscribe();
        tokio::time::timeout(limit, in_flight.wait_for(|requests| *requests == 0)).await.is_ok()
    }

    /// A connection on which an earlier request was answered, if there is one.
    pub fn reuse(&self) -> Option<SendRequest<UpstreamBody>> {
        let mut connections = self.connections();
        while let Some((since, sender)) = connections.idle.pop() {
            if sender.is_ready() && since.elapsed() < IDLE {
                return Some(sender);
            }
        }
        None
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<SendRequest<UpstreamBody>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ended is told to the request it carried.
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok(sender)
    }

    /// Keeps the connection for later requests, from when its response is through until it has been idle for long.
    pub fn recycle(self: &Arc<Self>, mut sender: SendRequest<UpstreamBody>) {
        let upstream = Arc::downgrade(self);
        tokio::spawn(async move {
            if sender.ready().await.is_err() {
                return;
            }
            let Some(kept) = upstream.upgrade() else { return };
            {
                let mut connections = kept.connections();
                if connections.retired || connections.idle.len() >= IDLE_CONNECTIONS {
                    return;
                }
                connections.idle.push((Instant::now(), sender));
            }
            drop(kept);
            tokio::time::sleep(IDLE).await;
            if let Some(kept) = upstream.upgrade() {
                kept.connections().idle.retain(|(since, _)| since.elapsed() < IDLE);
            }
        });
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// One request in flight at a process, until the last byte of its response, or of the protocol it changed to.
pub struct Lease(Arc<Upstream>);

impl Lease {
    fn new(upstream: &Arc<Upstream>) -> Self {
        upstream.in_flight.send_modify(|requests| *requests += 1);
        upstream.touch();
        Self(upstream.clone())
    }

    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.touch();
        self.0.in_flight.send_modify(|requests| *requests -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppName, Scope};

    fn route() -> Route {
        let scope = Scope { org: String::new(), project: "p".into(), domain: "d".into() };
        Route::new(scope.app(&AppName::new("app").expect("a name")))
    }

    fn upstream() -> Arc<Upstream> {
        Upstream::new(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    #[tokio::test]
    async fn a_process_in_use_is_not_idle() {
        let (route, upstream) = (route(), upstream());
        route.serve(upstream.clone());
        let lease = route.lease().await.expect("a place");
        assert!(!route.hold_if_idle(&upstream, Duration::ZERO));
        drop(lease);
        assert!(!route.hold_if_idle(&upstream, Duration::from_secs(3600)));
        assert!(route.hold_if_idle(&upstream, Duration::ZERO));
    }

    #[tokio::test]
    async fn held_requests_call_for_a_process_and_follow_it() {
        let route = Arc::new(route());
        route.hold();
        let request = tokio::spawn({
            let route = route.clone();
            async move { route.lease().await.map(|lease| lease.upstream().address()) }
        });
        route.wanted().await;
        let upstream = upstream();
        route.serve(upstream.clone());
        assert_eq!(request.await.expect("no panic"), Ok(upstream.address()));
        assert_eq!(*route.held.borrow(), 0);
        assert!(upstream.drain(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn draining_waits_for_the_request_and_no_longer_than_allowed() {
        let (route, old) = (route(), upstream());
        route.serve(old.clone());
        let lease = route.lease().await.expect("a place");
        route.refuse("it was stopped");
        assert_eq!(route.lease().await.err().as_deref(), Some("it was stopped"));
        assert!(!old.drain(Duration::from_millis(1)).await);
        drop(lease);
        assert!(old.drain(Duration::from_secs(5)).await);
    }
}
