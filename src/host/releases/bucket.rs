//! A store of releases in a bucket. Objects are written only where none is, so two writers never lose anything.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig};

use super::{profile, words};
use crate::client::install_cryptography;
use crate::port::{Releases, StoreError};
use crate::release::MAX_SIZE;

/// The longest one request may take; records are small.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a request is repeated that the server answers with an error of its own, and for how long.
const RETRIES: usize = 2;
const RETRY_WITHIN: Duration = Duration::from_secs(15);

/// The most objects below one folder. They are listed from the oldest on, so that a list cut off would lack the newest.
const MAX_OBJECTS: usize = 1_000_000;

/// A bucket, or what lies below a prefix in it.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    address: String,
    /// [`MAX_OBJECTS`], but for tests.
    most: usize,
}

impl Bucket {
    /// Nothing is asked of the store yet.
    ///
    /// # Errors
    /// The settings do not fit together.
    pub fn open(
        address: &str,
        endpoint: Option<&str>,
        region: Option<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, StoreError> {
        install_cryptography();
        let (scheme, place) = address.split_once("://").unwrap_or(("", address));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let made = match scheme {
            "gs" => google(bucket, endpoint, environment),
            "az" => azure(bucket, endpoint, environment),
            _ => amazon(bucket, endpoint, region, environment),
        };
        let store = made.map_err(|error| words::error(address, "use", "the store", &error))?;
        Ok(Self { store, prefix: prefix.trim_matches('/').to_owned(), address: address.to_owned(), most: MAX_OBJECTS })
    }

    fn path(&self, name: &str) -> Result<Path, StoreError> {
        let whole = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Path::parse(&whole).map_err(|error| self.error("name", name, &error.into()))
    }

    fn error(&self, doing: &str, what: &str, error: &Error) -> StoreError {
        words::error(&self.address, doing, what, error)
    }
}

#[async_trait]
impl Releases for Bucket {
    fn place(&self) -> String {
        self.address.clone()
    }

    fn is_near(&self) -> bool {
        false
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path(folder)?;
        let skipped = path.as_ref().len() - folder.len();
        let mut names = Vec::new();
        let mut listed = self.store.list(Some(&path));
        while let Some(object) = listed.try_next().await.map_err(|error| self.error("list", folder, &error))? {
            if names.len() == self.most {
                let message = format!("cannot list {folder}: it has more than {} objects", self.most);
                let help = "let `store` of `[releases]` name a new prefix; `flyte versions clean` now and then keeps one small";
                return Err(StoreError { place: self.place(), message, help: Some(help.to_owned()) });
            }
            names.extend(object.location.as_ref().get(skipped..).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(name)?;
        let found = match self.store.get(&path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.error("read", name, &error)),
        };
        if found.meta.size > MAX_SIZE {
            let message = format!("cannot read {name}: it has {} bytes", found.meta.size);
            return Err(StoreError { place: self.place(), message, help: None });
        }
        found.bytes().await.map(Some).map_err(|error| self.error("read", name, &error))
    }

    async fn create(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let mut again = true;
        loop {
            let put = self.store.put_opts(&path, content.clone().into(), PutMode::Create.into()).await;
            let error = match put {
                Ok(_) | Err(Error::AlreadyExists { .. }) => return Ok(()),
                Err(error) => error,
            };
            match &error {
                // A store without conditions: names tell contents, so the last of two equal objects may stay.
                Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                    let put = self.store.put(&path, content.into()).await;
                    return put.map(drop).map_err(|error| self.error("add", name, &error));
                }
                // The answer may have been lost on its way back.
                Error::Generic { .. } if self.store.head(&path).await.is_ok() => return Ok(()),
                Error::Generic { .. } if again => again = false,
                _ => return Err(self.error("add", name, &error)),
            }
        }
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match self.store.delete(&path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("remove", name, &error)),
        }
    }
}

type Made = Result<Arc<dyn ObjectStore>, Error>;

fn amazon(bucket: &str, endpoint: Option<&str>, region: Option<&str>, environment: &BTreeMap<String, String>) -> Made {
    let mut settings = profile::settings(environment);
    settings.extend(variables(environment, "AWS_"));
    settings.extend(endpoint.map(|endpoint| (AmazonS3ConfigKey::Endpoint, endpoint.to_owned())));
    settings.extend(region.map(|region| (AmazonS3ConfigKey::Region, region.to_owned())));
    let plain = settings.iter().any(|(key, value)| {
        matches!(key, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint) && is_plain(Some(value))
    });
    let builder =
        settings.into_iter().fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
    let builder = builder.with_bucket_name(bucket).with_client_options(options(plain)).with_retry(retry());
    Ok(Arc::new(builder.build()?))
}

fn google(bucket: &str, endpoint: Option<&str>, environment: &BTreeMap<String, String>) -> Made {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in variables::<GoogleConfigKey>(environment, "GOOGLE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    let builder = builder.with_bucket_name(bucket).with_client_options(options(is_plain(endpoint))).with_retry(retry());
    Ok(Arc::new(builder.build()?))
}

fn azure(container: &str, endpoint: Option<&str>, environment: &BTreeMap<String, String>) -> Made {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in variables::<AzureConfigKey>(environment, "AZURE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.to_owned());
    }
    let options = options(is_plain(endpoint));
    let builder = builder.with_container_name(container).with_client_options(options).with_retry(retry());
    Ok(Arc::new(builder.build()?))
}

/// The variables of one cloud, as the settings they stand for.
fn variables<K: FromStr>(environment: &BTreeMap<String, String>, prefix: &str) -> Vec<(K, String)> {
    let set = environment.iter().filter(|(name, value)| name.starts_with(prefix) && !value.is_empty());
    set.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.clone()))).collect()
}

fn is_plain(endpoint: Option<&str>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

fn options(plain: bool) -> ClientOptions {
    ClientOptions::new().with_timeout(TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT).with_allow_http(plain)
}

fn retry() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_WITHIN }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_folder_that_is_too_large_is_told_and_never_listed_in_part() {
        let store = Arc::new(InMemory::new());
        let bucket = Bucket { store, prefix: "shop".into(), address: "s3://releases/shop".into(), most: 3 };
        for name in ["log/1.json", "log/2.json", "log/3.json"] {
            bucket.create(name, "{}".into()).await.unwrap();
        }
        assert_eq!(bucket.list("log").await.unwrap(), ["log/1.json", "log/2.json", "log/3.json"]);
        bucket.create("log/4.json", "{}".into()).await.unwrap();
        let refused = bucket.list("log").await.unwrap_err();
        assert_eq!(refused.to_string(), "s3://releases/shop: cannot list log: it has more than 3 objects");
        assert!(refused.help.is_some());
    }
}
