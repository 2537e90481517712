//! Stores of releases: a directory of this machine, or a bucket.

mod bucket;
mod directory;
mod profile;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

pub use bucket::Bucket;
pub use directory::Directory;

use crate::port::{ReleaseStores, Releases, StoreError};
use crate::resolve::ReleaseStore;

/// The stores that manifests name.
#[derive(Debug, Clone, Default)]
pub struct RealStores {
    environment: BTreeMap<String, String>,
}

impl RealStores {
    /// Credentials of buckets are found through the environment.
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self { environment }
    }
}

#[async_trait]
impl ReleaseStores for RealStores {
    async fn open(&self, store: &ReleaseStore) -> Result<Arc<dyn Releases>, StoreError> {
        Ok(match store {
            ReleaseStore::Directory(path) => Arc::new(Directory::at(path)),
            ReleaseStore::Bucket { address, endpoint, region } => {
                Arc::new(Bucket::open(address, endpoint.as_deref(), region.as_deref(), &self.environment)?)
            }
        })
    }
}
