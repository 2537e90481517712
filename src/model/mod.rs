//! The vocabulary shared by every stage. Constructors hold the invariants, so a value of a type is a valid one.

mod app;
mod id;
mod live;
pub mod sensitive;
pub mod spec;
mod version;

pub use app::{Activation, App, Dependency, EnvValue, Link, Metric, Port, Ready, Scaling, SecretRef, Source, Timeouts};
pub use id::{AppId, AppName, InvalidName, Scope};
pub use live::{LiveApp, Marks, Revision, State};
pub use spec::{AppSpec, BUNDLE_PLACEHOLDER_SCHEME, BundleRef};
pub use version::{Digest, Fingerprint, InvalidDigest, Version};
