//! What distinguishes one control plane from another, as switches.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A well-known set of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// As the open-source server behaves: one spec per app, rebuilt from a Knative service.
    Oss,
    /// As the interface definition means it: revisions compared, states honoured, status complete.
    #[default]
    Full,
}

impl Profile {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oss => "oss",
            Self::Full => "full",
        }
    }

    pub fn quirks(self) -> Quirks {
        match self {
            Self::Oss => Quirks::oss(),
            Self::Full => Quirks::full(),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a profile of the embedded control plane: `full` or `oss`")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;
    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text {
            "oss" => Ok(Self::Oss),
            "full" => Ok(Self::Full),
            other => Err(UnknownProfile(other.to_owned())),
        }
    }
}

/// The switches. Each says what the server does where it is true.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of real servers")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// Create overwrites an app that exists, and never answers `already_exists`; Update creates one that does not.
    pub create_is_upsert: bool,
    /// An app created as STOPPED runs all the same.
    pub create_starts: bool,
    /// An Update to STOPPED stops the app and drops the spec that came with it.
    pub stopped_update_discards_spec: bool,
    /// Create and Update answer with the message they were sent, not with what is stored.
    pub answers_echo_request: bool,
    /// Writing the spec that runs already changes nothing, not even the revision.
    pub skips_unchanged: bool,
    /// An Update made on another revision than the current one is refused as `aborted`.
    pub compares_revisions: bool,
    /// `metadata.revision`, and the revision of conditions, are told.
    pub keeps_revisions: bool,
    pub keeps_labels: bool,
    /// `metadata.code_bundle_uri` and `metadata.source_code` are kept.
    pub keeps_metadata: bool,
    /// Conditions have a substate.
    pub fills_substates: bool,
    /// Conditions tell the deployment they speak of.
    pub fills_deployment_id: bool,
    /// `spec.creator` is who created the app, whatever later writes say.
    pub fills_creator: bool,
    /// The organisation told where none was given.
    pub default_org: &'static str,
    /// Limits of the interface definition are enforced.
    pub validates: bool,
    /// List by organisation works, with filters, sorting and totals.
    pub list_by_org: bool,
    /// Deleting an app that does not exist succeeds.
    pub delete_missing_is_ok: bool,
    /// Watch of a project or an organisation works.
    pub watch_project: bool,
    /// Watch of an app tells also of apps with its name in other projects.
    pub watch_leaks_names: bool,
    /// The status stays as it was until the runtime next reports, so an app just written may look ACTIVE.
    pub stale_active_after_write: bool,
    /// A stopped app has a single condition and no address.
    pub stopped_hides_ingress: bool,
    /// A watcher hears only of every second change. Real ones drop events for slow readers; the services do that too.
    pub watch_drops_events: bool,
    /// Apps whose services are called the same overwrite each other.
    pub names_collide: bool,
    /// `spec.timeouts.request_timeout` is filled in where it was not sent.
    pub fills_timeout: bool,
    /// How old the answer of a Get may be. Writes through the same server end it.
    pub get_cached_for: Option<Duration>,
}

impl Quirks {
    /// The interface definition taken at its word.
    pub fn full() -> Self {
        Self {
            create_is_upsert: false,
            create_starts: false,
            stopped_update_discards_spec: false,
            answers_echo_request: false,
            skips_unchanged: false,
            compares_revisions: true,
            keeps_revisions: true,
            keeps_labels: true,
            keeps_metadata: true,
            fills_substates: true,
            fills_deployment_id: true,
            fills_creator: true,
            default_org: "",
            validates: true,
            list_by_org: true,
            delete_missing_is_ok: false,
            watch_project: true,
            watch_leaks_names: false,
            watch_drops_events: false,
            names_collide: false,
            fills_timeout: false,
            stale_active_after_write: false,
            stopped_hides_ingress: false,
            get_cached_for: None,
        }
    }

    /// Source: `app/internal/{service,k8s}` of the open-source server, August 2026.
    pub fn oss() -> Self {
        Self {
            create_is_upsert: true,
            create_starts: true,
            stopped_update_discards_spec: true,
            answers_echo_request: true,
            skips_unchanged: true,
            compares_revisions: false,
            keeps_revisions: false,
            keeps_labels: false,
            keeps_metadata: false,
            fills_substates: false,
            fills_deployment_id: false,
            fills_creator: false,
            default_org: "flyte",
            validates: false,
            list_by_org: false,
            delete_missing_is_ok: true,
            watch_project: false,
            watch_leaks_names: true,
            watch_drops_events: false,
            names_collide: true,
            fills_timeout: false,
            stale_active_after_write: true,
            stopped_hides_ingress: true,
            get_cached_for: Some(Duration::from_secs(30)),
        }
    }
}
