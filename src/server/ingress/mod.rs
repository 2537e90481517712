//! Routes requests to the running processes: one stable loopback URL per app.

use std::io;
use std::sync::Arc;

use crate::model::AppId;

/// The listeners of all apps, each on its own loopback port. Cheap to clone; all clones are the same ingress.
#[derive(Clone)]
pub struct Ingress {
    inner: Arc<()>,
}

impl Ingress {
    /// An ingress without listeners.
    pub fn new() -> Self {
        Self { inner: Arc::new(()) }
    }

    /// Gives the app a listener on `127.0.0.1` and returns its port: the preferred one if it is free, else another.
    /// An app that has one keeps it. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn open(&self, app: &AppId, preferred: Option<u16>) -> io::Result<u16> {
        todo!("{app} {preferred:?} {:?}", self.inner)
    }

    /// Ends the app's listener and the connections made through it.
    pub fn close(&self, app: &AppId) {
        todo!("{app}")
    }

    /// `http://127.0.0.1:<port>` while the app has a listener, whether the app runs or not.
    pub fn url(&self, app: &AppId) -> Option<String> {
        todo!("{app}")
    }

    /// Closes every listener.
    pub fn shutdown(&self) {
        todo!()
    }
}

impl Default for Ingress {
    fn default() -> Self {
        Self::new()
    }
}
