//! Where releases are on record, as the stages see it: small objects with names, in a directory or a bucket.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::resolve::ReleaseStore;

/// Opens the store that a manifest names.
#[async_trait]
pub trait ReleaseStores: Send + Sync {
    /// Nothing is created by it.
    ///
    /// # Errors
    /// The address is not usable: an unknown scheme, no credentials.
    async fn open(&self, store: &ReleaseStore) -> Result<Arc<dyn Releases>, StoreError>;
}

/// A store of immutable objects. Names are paths with `/`; each segment is a file name.
#[async_trait]
pub trait Releases: Send + Sync {
    /// Where it is, as shown to people.
    fn place(&self) -> String;

    /// Whether reading costs no more than a look at the disk.
    fn is_near(&self) -> bool {
        true
    }

    /// The names of all objects below a folder, in the order of names. None where there is no such folder.
    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// `None` where no such object is.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Stores an object whole or not at all, and returns once it is kept. One that is there already stays as it is:
    /// names tell contents, so it is the same.
    async fn create(&self, name: &str, content: Bytes) -> Result<(), StoreError>;

    /// One that is not there is removed already.
    async fn remove(&self, name: &str) -> Result<(), StoreError>;
}

/// A store that did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{place}: {message}")]
pub struct StoreError {
    /// The store.
    pub place: String,
    /// What could not be done, and why.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}
