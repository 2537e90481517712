//! The vocabulary shared by every stage. Constructors hold the invariants, so a value of a type is a valid one.

pub mod accelerator;
mod api_key;
mod app;
mod id;
mod live;
pub mod parameter;
pub mod pod;
pub mod quantity;
pub mod resources;
pub mod sensitive;
pub mod source_text;
pub mod spec;
pub mod target;
mod version;

pub use api_key::{ApiKey, ApiKeyError};
pub use app::{
    Activation, App, Dependency, DomainSuffix, EnvValue, Ingress, Link, Metric, Placement, Port, Ready, SECRET_MOUNT,
    Scaling, SecretRef, SecretTarget, Source, Subdomain, Timeouts,
};
pub use id::{AppId, AppName, InvalidName, Scope};
pub use live::{LiveApp, Marks, Revision, State};
pub use spec::{AppSpec, BUNDLE_PLACEHOLDER_SCHEME, BundleRef};
pub use version::{Commit, Digest, Fingerprint, InvalidDigest, Version};
