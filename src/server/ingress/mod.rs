//! Routes requests to the running processes: one stable loopback URL per app.

#![allow(clippy::disallowed_methods, reason = "the ingress is an edge: sockets and time are its matter")]

mod headers;
pub(in crate::server) mod port;
mod proxy;
mod route;
#[cfg(test)]
mod tests;

pub(in crate::server) use route::{Route, Upstream};

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::model::AppId;

/// The listeners of all apps, each on its own loopback port. Cheap to clone; all clones are the same ingress.
#[derive(Clone, Default)]
pub struct Ingress {
    apps: Arc<Mutex<BTreeMap<AppId, Entrance>>>,
}

#[derive(Default)]
struct Entrance {
    listener: Option<Listener>,
    route: Option<Arc<Route>>,
}

struct Listener {
    port: u16,
    closed: CancellationToken,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Ingress {
    /// An ingress without listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the app a listener on `127.0.0.1` and returns its port: the preferred one if it is free, else another.
    /// An app that has one keeps it. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn open(&self, app: &AppId, preferred: Option<u16>) -> io::Result<u16> {
        let mut apps = self.lock();
        let entrance = apps.entry(app.clone()).or_default();
        if let Some(listener) = &entrance.listener {
            return Ok(listener.port);
        }
        let socket = bind(preferred)?;
        let port = socket.local_addr()?.port();
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let closed = CancellationToken::new();
        tokio::spawn(accept(socket, entrance.route(app), closed.clone()));
        entrance.listener = Some(Listener { port, closed });
        Ok(port)
    }

    /// Ends the app's listener and the connections made through it.
    pub fn close(&self, app: &AppId) {
        let mut apps = self.lock();
        if let Some(entrance) = apps.get_mut(app) {
            entrance.listener = None;
            if entrance.route.is_none() {
                apps.remove(app);
            }
        }
    }

    /// `http://127.0.0.1:<port>` while the app has a listener, whether the app runs or not.
    pub fn url(&self, app: &AppId) -> Option<String> {
        let port = self.lock().get(app)?.listener.as_ref()?.port;
        Some(format!("http://127.0.0.1:{port}"))
    }

    /// Closes every listener and the connections made through it: to be called when the apps have been stopped.
    pub fn shutdown(&self) {
        self.lock().values_mut().for_each(|entrance| entrance.listener = None);
    }

    /// Where the app's requests go. The same value for the same app, with a listener or without.
    pub(in crate::server) fn route(&self, app: &AppId) -> Arc<Route> {
        self.lock().entry(app.clone()).or_default().route(app)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AppId, Entrance>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entrance {
    fn route(&mut self, app: &AppId) -> Arc<Route> {
        self.route.get_or_insert_with(|| Arc::new(Route::new(app.clone()))).clone()
    }
}

fn bind(preferred: Option<u16>) -> io::Result<TcpListener> {
    if let Some(port) = preferred
        && let Ok(socket) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
    {
        return Ok(socket);
    }
    let port = port::free(port::INGRESS, |_| false).unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
}

async fn accept(socket: tokio::net::TcpListener, route: Arc<Route>, closed: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = closed.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) if peer.ip().is_loopback() => {
                tokio::spawn(serve(stream, peer, route.clone(), closed.clone()));
            }
            Ok(_) => {}
            // Out of file descriptors, as a rule: that passes, and spinning would not help it to.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, route: Arc<Route>, closed: CancellationToken) {
    // A connection that ends by itself, cleanly or not, concerns nobody else.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let route = route.clone();
        async move { Ok::<_, std::convert::Infallible>(proxy::answer(&route, request, peer).await) }
    });
    // Clients keep connections as long as they like: to close an idle one may meet a request on its way.
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        () = closed.cancelled() => {}
        _ = connection => {}
    }
}
