//! Registries of images, as far as a deployer has to ask them.

use async_trait::async_trait;

/// Whether a registry still has an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolves {
    /// Under this digest: `sha256:…`.
    Yes(String),
    /// The registry answered that it has no such image.
    No,
    /// Nobody can tell, and why: the registry is not to be reached from here, or lets others in alone.
    Unknown(String),
}

/// Answers for images. Nothing is ever written to a registry, and how long an answer may take is the implementation's.
#[async_trait]
pub trait Registry: Send + Sync {
    /// `image` as a spec has it: `ghcr.io/acme/web:1.4`, `python`, `acme/web@sha256:…`.
    async fn resolves(&self, image: &str) -> Resolves;
}
