//! The vocabulary shared by every stage. Constructors hold the invariants, so a value of a type is a valid one.

pub mod accelerator;
mod api_key;
mod app;
mod guarantees;
mod id;
mod inside;
mod key;
mod live;
pub mod mask;
pub mod parameter;
pub mod pod;
pub mod quantity;
pub mod resources;
pub mod sensitive;
mod service_name;
pub mod shell;
pub mod source_text;
pub mod spec;
mod stretch;
pub mod target;
mod version;

pub use api_key::{ApiKey, ApiKeyError};
pub use app::{
    Activation, App, CodeBundle, Dependency, DomainSuffix, EnvValue, External, Ingress, Link, Metric, Placement, Port,
    Ready, SECRET_MOUNT, SECRET_NAME, Scaling, SecretRef, SecretTarget, Source, Subdomain, Timeouts, is_of_secret_name,
};
pub use guarantees::{Fact, Guarantee, Guarantees, Known};
pub use id::{AppId, AppName, InvalidName, Scope};
pub use inside::credentials_in;
pub use key::{key, key_path};
pub use live::{LiveApp, Marks, Revision, State};
pub use mask::Mask;
pub use service_name::service_name;
pub use spec::{AppSpec, BUNDLE_PLACEHOLDER_SCHEME, BundleRef};
pub use stretch::stretched;
pub use version::{Commit, Digest, Fingerprint, InvalidDigest, Version};
