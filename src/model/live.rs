//! An app as a control plane reports it.

use std::fmt;

use flyte_schema::flyteidl2::app::status::{DeploymentStatus, Substate};
use flyte_schema::flyteidl2::app::{App, Condition, Spec, spec};
use serde::{Deserialize, Serialize};

use super::spec::variable;
use super::{AppId, AppName, BundleRef, Digest, Scope, Version};

/// The control plane's own write counter; 0 where it keeps none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.pad("-") } else { f.pad(&self.0.to_string()) }
    }
}

/// What we write into a spec to know it again: environment variables of the main container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The `name` of the manifest that declares the app.
    pub owner: String,
    /// The label or short digest.
    pub version: String,
    /// Of the functional spec as we wrote it, less what was left to others.
    pub digest: Digest,
    /// What was left to others: places in the canonical form, as JSON pointers.
    pub kept: Vec<String>,
}

impl Marks {
    pub const OWNER: &str = "FLYTE_DEPLOY_MANIFEST";
    pub const VERSION: &str = "FLYTE_DEPLOY_VERSION";
    pub const DIGEST: &str = "FLYTE_DEPLOY_DIGEST";
    /// A JSON list of pointers; only where something is left to others.
    pub const KEPT: &str = "FLYTE_DEPLOY_KEPT";
    /// The path of the readiness probe, for control planes that probe over HTTP. Part of what an app does, so not a
    /// mark: it counts in the version.
    pub const READY: &str = "FLYTE_DEPLOY_READY";
    /// The digest of the bundle of an app whose command does not name it, for control planes that drop the metadata.
    /// Not a mark: other code is another version.
    pub const BUNDLE: &str = "FLYTE_DEPLOY_BUNDLE";

    /// What the labels begin with that say the same as the marks, where a control plane keeps labels.
    pub const LABELS: &str = "flyte.deploy/";
    /// The label that names the owner.
    pub const OWNER_LABEL: &str = "flyte.deploy/manifest";
    /// The label with the first 12 digits of the digest.
    pub const DIGEST_LABEL: &str = "flyte.deploy/digest";

    /// Whether a variable is one of the marks.
    pub fn is_mark(variable: &str) -> bool {
        [Self::OWNER, Self::VERSION, Self::DIGEST, Self::KEPT].contains(&variable)
    }

    /// Reads the marks back. `None` where any is missing or none that we write: whoever may edit an app may write
    /// anything there, and what is put on record is named by the version.
    pub fn read(spec: &Spec) -> Option<Self> {
        Some(Self {
            owner: variable(spec, Self::OWNER)?.to_owned(),
            version: variable(spec, Self::VERSION).filter(|version| Version::is_label(version))?.to_owned(),
            digest: variable(spec, Self::DIGEST)?.parse().ok()?,
            kept: Self::kept(spec),
        })
    }

    /// The version they name. A label that reads like the digest is none.
    pub fn named(&self) -> Version {
        let label = (self.version != self.digest.short()).then(|| self.version.clone());
        Version { digest: self.digest, label }
    }

    /// What is left to others. A mark that cannot be read leaves nothing to them.
    pub fn kept(spec: &Spec) -> Vec<String> {
        variable(spec, Self::KEPT).and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default()
    }
}

/// An app as read, with what a deployer asks of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveApp(pub App);

/// What people call the state of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    /// Active without replicas; the next request starts one.
    ScaledToZero,
    Deploying,
    Pending,
    Failed,
    Stopped,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ScaledToZero => "scaled to zero",
            Self::Deploying => "deploying",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl LiveApp {
    pub fn name(&self) -> &str {
        &self.0.metadata.id.name
    }

    /// Its identity. `None` for a name that is no app name of ours.
    pub fn id(&self) -> Option<AppId> {
        let id = &self.0.metadata.id;
        let scope = Scope { org: id.org.clone(), project: id.project.clone(), domain: id.domain.clone() };
        AppName::new(id.name.clone()).ok().map(|name| AppId { scope, name })
    }

    pub fn spec(&self) -> &Spec {
        &self.0.spec
    }

    pub fn revision(&self) -> Revision {
        Revision(self.0.metadata.revision)
    }

    pub fn marks(&self) -> Option<Marks> {
        Marks::read(self.spec())
    }

    /// The manifest it belongs to. A tool that replaced the whole spec has taken the marks away; the label stays where
    /// the control plane keeps labels. A mark counts for more than the label, even one that is all that is left of them.
    pub fn owner(&self) -> Option<&str> {
        variable(self.spec(), Marks::OWNER).or_else(|| self.label(Marks::OWNER_LABEL))
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.metadata.labels.get(key).map(String::as_str)
    }

    /// Whether it was asked to be stopped.
    pub fn is_stopped(&self) -> bool {
        self.spec().desired_state == spec::DesiredState::DESIRED_STATE_STOPPED
    }

    /// The bundle it runs, where its address tells.
    pub fn bundle(&self) -> Option<BundleRef> {
        super::spec::bundle(&self.0)
    }

    pub fn bundle_address(&self) -> Option<&str> {
        super::spec::bundle_address(&self.0)
    }

    /// The newest condition.
    pub fn condition(&self) -> Option<&Condition> {
        self.0.status.conditions.last()
    }

    pub fn state(&self) -> State {
        use DeploymentStatus as D;
        let Some(condition) = self.condition() else {
            return if self.is_stopped() { State::Stopped } else { State::Unknown };
        };
        match condition.deployment_status.as_known() {
            Some(D::DEPLOYMENT_STATUS_ACTIVE | D::DEPLOYMENT_STATUS_STARTED) => {
                if condition.substate == Substate::SCALED_TO_ZERO { State::ScaledToZero } else { State::Active }
            }
            Some(D::DEPLOYMENT_STATUS_SCALING_UP | D::DEPLOYMENT_STATUS_SCALING_DOWN) => State::Active,
            Some(D::DEPLOYMENT_STATUS_DEPLOYING) => State::Deploying,
            Some(D::DEPLOYMENT_STATUS_PENDING | D::DEPLOYMENT_STATUS_ASSIGNED) => State::Pending,
            Some(D::DEPLOYMENT_STATUS_FAILED) => State::Failed,
            Some(D::DEPLOYMENT_STATUS_STOPPED | D::DEPLOYMENT_STATUS_UNASSIGNED) => State::Stopped,
            _ => State::Unknown,
        }
    }

    /// The address people open, where it has one.
    pub fn url(&self) -> Option<&str> {
        let ingress = &self.0.status.ingress;
        [&ingress.cname_url, &ingress.public_url].into_iter().find(|url| !url.is_empty()).map(String::as_str)
    }
}
