//! The app we ask a control plane for: its wire message, behind our own name.

use flyte_schema::flyteidl2::app::{self, App, Spec, spec};
use flyte_schema::flyteidl2::core::{Container, KeyValuePair};

use super::{AppId, Digest, Marks};

/// Stands for the address of a bundle that is not uploaded yet: `bundle:<blake3>`. Apply puts the real address in.
pub const BUNDLE_PLACEHOLDER_SCHEME: &str = "bundle:";

/// A bundle as it is named in a spec: by the content its address ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BundleRef(pub Digest);

impl BundleRef {
    /// The last segment of the address it is uploaded under.
    pub fn file_name(&self) -> String {
        format!("{}.tar.gz", self.0)
    }

    pub fn placeholder(&self) -> String {
        format!("{BUNDLE_PLACEHOLDER_SCHEME}{}", self.0)
    }

    /// Reads a placeholder, or the address of a bundle uploaded by us. `None` for other addresses.
    pub fn parse(address: &str) -> Option<Self> {
        let digest = match address.strip_prefix(BUNDLE_PLACEHOLDER_SCHEME) {
            Some(digest) => digest,
            None => address.rsplit('/').next()?.strip_suffix(".tar.gz")?,
        };
        digest.parse().ok().map(Self)
    }
}

/// What we ask for: identity, labels, bundle and spec as one message. Status is never set.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSpec(pub App);

impl AppSpec {
    pub fn spec(&self) -> &Spec {
        &self.0.spec
    }

    pub fn bundle(&self) -> Option<BundleRef> {
        BundleRef::parse(&self.0.metadata.code_bundle_uri)
    }

    /// The same spec with the bundle's real address in every place of its placeholder.
    #[must_use]
    pub fn with_bundle_address(mut self, address: &str) -> Self {
        let Some(placeholder) = self.bundle().map(|bundle| bundle.placeholder()) else { return self };
        if let Some(metadata) = self.0.metadata.as_option_mut() {
            metadata.code_bundle_uri = address.to_owned();
        }
        if let Some(container) = main_container_mut(&mut self.0) {
            for word in container.command.iter_mut().filter(|word| **word == placeholder) {
                *word = address.to_owned();
            }
        }
        self
    }

    #[must_use]
    pub fn with_desired_state(mut self, state: spec::DesiredState) -> Self {
        self.0.spec.get_or_insert_default().desired_state = state.into();
        self
    }
}

/// The container our marks and the process are in. `None` for pod payloads.
pub fn main_container(spec: &Spec) -> Option<&Container> {
    match &spec.app_payload {
        Some(spec::AppPayload::Container(container)) => Some(container),
        _ => None,
    }
}

pub fn main_container_mut(app: &mut App) -> Option<&mut Container> {
    match &mut app.spec.as_option_mut()?.app_payload {
        Some(spec::AppPayload::Container(container)) => Some(container),
        _ => None,
    }
}

/// The value of a variable of the main container; the last one of a name counts, as in Kubernetes.
pub fn variable<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    let last = |env: &'a [KeyValuePair]| env.iter().rev().find(|pair| pair.key == name).map(|pair| pair.value.as_str());
    last(&main_container(spec)?.env)
}

/// The address of the code an app runs. The command is asked before the metadata, which some servers drop.
pub fn bundle_address(app: &App) -> Option<&str> {
    let command = main_container(&app.spec).map_or(&[][..], |container| &container.command);
    let named = command.first().filter(|word| *word == "fserve").and_then(|_| {
        let at = command.iter().position(|word| word == "--tgz")?;
        command.get(at + 1)
    });
    named.or(Some(&app.metadata.code_bundle_uri)).map(String::as_str).filter(|address| !address.is_empty())
}

/// The code an app runs by content, where its address or a variable of ours tells.
pub fn bundle(app: &App) -> Option<BundleRef> {
    match bundle_address(app) {
        Some(address) => BundleRef::parse(address),
        None => variable(&app.spec, Marks::BUNDLE)?.parse().ok().map(BundleRef),
    }
}

/// The wire form of an app's identity.
pub fn identifier(id: &AppId) -> app::Identifier {
    app::Identifier {
        org: id.scope.org.clone(),
        project: id.scope.project.clone(),
        domain: id.scope.domain.clone(),
        name: id.name.to_string(),
        ..Default::default()
    }
}
