//! The app we ask a control plane for: its wire message, behind our own name.

use flyte_schema::flyteidl2::app::{self, App, Spec, spec};
use flyte_schema::flyteidl2::core::KeyValuePair;

use super::{AppId, Digest, Marks, pod};

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

/// Finds the Python object that `fserve` serves. Source: the published SDK.
pub const RESOLVER: &str = "flyte._internal.resolvers.app_env.AppEnvResolver";

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
        if !self.0.metadata.code_bundle_uri.starts_with(BUNDLE_PLACEHOLDER_SCHEME) {
            return self;
        }
        let Some(placeholder) = self.bundle().map(|bundle| bundle.placeholder()) else { return self };
        if let Some(metadata) = self.0.metadata.as_option_mut() {
            metadata.code_bundle_uri = address.to_owned();
        }
        for word in command_mut(&mut self.0).into_iter().filter(|word| **word == placeholder) {
            *word = address.to_owned();
        }
        self
    }

    #[must_use]
    pub fn with_desired_state(mut self, state: spec::DesiredState) -> Self {
        self.0.spec.get_or_insert_default().desired_state = state.into();
        self
    }
}

/// The image of the main container: the one our marks and the process are in. Of a pod it is the one named `app`.
pub fn image(spec: &Spec) -> Option<&str> {
    match spec.app_payload.as_ref()? {
        spec::AppPayload::Container(container) => Some(&container.image),
        spec::AppPayload::Pod(pod) => pod::text(pod::app_container(&pod.pod_spec)?, "image"),
    }
}

/// The words of its command.
pub fn command(spec: &Spec) -> Vec<&str> {
    match &spec.app_payload {
        Some(spec::AppPayload::Container(container)) => container.command.iter().map(String::as_str).collect(),
        Some(spec::AppPayload::Pod(payload)) => {
            pod::app_container(&payload.pod_spec).map(|app| pod::texts(app, "command").collect()).unwrap_or_default()
        }
        None => Vec::new(),
    }
}

/// The arguments behind its command.
pub fn args(spec: &Spec) -> Vec<&str> {
    match &spec.app_payload {
        Some(spec::AppPayload::Container(container)) => container.args.iter().map(String::as_str).collect(),
        Some(spec::AppPayload::Pod(payload)) => {
            pod::app_container(&payload.pod_spec).map(|app| pod::texts(app, "args").collect()).unwrap_or_default()
        }
        None => Vec::new(),
    }
}

/// Replaces its command.
pub fn set_command(app: &mut App, words: Vec<String>) {
    match app.spec.as_option_mut().and_then(|spec| spec.app_payload.as_mut()) {
        Some(spec::AppPayload::Container(container)) => container.command = words,
        Some(spec::AppPayload::Pod(payload)) => {
            if let Some(container) = payload.pod_spec.as_option_mut().and_then(pod::app_container_mut) {
                container.insert("command", buffa_types::google::protobuf::ListValue::from_values(words));
            }
        }
        None => {}
    }
}

/// The words of its command, to change them.
pub fn command_mut(app: &mut App) -> Vec<&mut String> {
    match app.spec.as_option_mut().and_then(|spec| spec.app_payload.as_mut()) {
        Some(spec::AppPayload::Container(container)) => container.command.iter_mut().collect(),
        Some(spec::AppPayload::Pod(payload)) => {
            let container = payload.pod_spec.as_option_mut().and_then(pod::app_container_mut);
            container.map(|container| pod::words_mut(container, "command").collect()).unwrap_or_default()
        }
        None => Vec::new(),
    }
}

/// The value of a variable of the main container; the last one of a name counts, as in Kubernetes.
pub fn variable<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    match spec.app_payload.as_ref()? {
        spec::AppPayload::Container(container) => {
            container.env.iter().rev().find(|pair| pair.key == name).map(|pair| pair.value.as_str())
        }
        spec::AppPayload::Pod(payload) => {
            let mut variables = pod::variables(pod::app_container(&payload.pod_spec)?).rev();
            variables.find(|(known, _)| *known == name).map(|(_, value)| value)
        }
    }
}

/// Adds a variable to the main container.
pub fn push_variable(app: &mut App, key: &str, value: &str) {
    match app.spec.as_option_mut().and_then(|spec| spec.app_payload.as_mut()) {
        Some(spec::AppPayload::Container(container)) => {
            container.env.push(KeyValuePair { key: key.to_owned(), value: value.to_owned(), ..Default::default() });
        }
        Some(spec::AppPayload::Pod(payload)) => {
            if let Some(container) = payload.pod_spec.as_option_mut().and_then(pod::app_container_mut) {
                pod::push_variable(container, key, value);
            }
        }
        None => {}
    }
}

/// The address of the code an app runs. The command is asked before the metadata, which some servers drop.
pub fn bundle_address(app: &App) -> Option<&str> {
    let command = command(&app.spec);
    let named = command.first().filter(|word| **word == "fserve").and_then(|_| {
        let at = command.iter().position(|word| matches!(*word, "--tgz" | "--pkl"))?;
        command.get(at + 1).copied()
    });
    named.or(Some(&app.metadata.code_bundle_uri)).filter(|address| !address.is_empty())
}

/// The code an app runs by content, where its address or a variable of ours tells.
pub fn bundle(app: &App) -> Option<BundleRef> {
    match bundle_address(app) {
        Some(address) => BundleRef::parse(address),
        None => variable(&app.spec, Marks::BUNDLE)?.parse().ok().map(BundleRef),
    }
}

/// Takes variables out of the main container.
pub fn remove_variables(app: &mut App, is_meant: impl Fn(&str) -> bool) {
    match app.spec.as_option_mut().and_then(|spec| spec.app_payload.as_mut()) {
        Some(spec::AppPayload::Container(container)) => container.env.retain(|pair| !is_meant(&pair.key)),
        Some(spec::AppPayload::Pod(payload)) => {
            if let Some(container) = payload.pod_spec.as_option_mut().and_then(pod::app_container_mut) {
                pod::remove_variables(container, is_meant);
            }
        }
        None => {}
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
