//! Stores of releases: a directory of this machine, or a bucket.

mod directory;

use std::sync::Arc;

use async_trait::async_trait;

pub use directory::Directory;

use crate::port::{ReleaseStores, Releases, StoreError};
use crate::resolve::ReleaseStore;

/// The stores that manifests name.
#[derive(Debug, Clone, Default)]
pub struct RealStores;

#[async_trait]
impl ReleaseStores for RealStores {
    async fn open(&self, store: &ReleaseStore) -> Result<Arc<dyn Releases>, StoreError> {
        match store {
            ReleaseStore::Directory(path) => Ok(Arc::new(Directory::at(path))),
            ReleaseStore::Bucket { address, .. } => {
                Err(StoreError { place: address.clone(), message: "buckets cannot be opened".to_owned(), help: None })
            }
        }
    }
}
