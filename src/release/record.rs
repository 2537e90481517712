//! One release: everything that an app was asked to be.

use std::collections::{BTreeMap, BTreeSet};

use flyte_schema::flyteidl2::app::App;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conceal::conceal;
use crate::model::{Activation, AppId, AppName, BundleRef, Commit, Mask, Version, spec};

/// What was written to a control plane, with its circumstances. Holds no secret value.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    pub app: AppId,
    /// The `name` of the manifest that declares the app.
    pub owner: String,
    pub version: Version,
    /// As declared. Whether it was asked to run is in the message.
    pub activation: Activation,
    /// What it was declared to depend on, by endpoints too. `None`: that was not put on record.
    pub depends_on: Option<BTreeSet<AppName>>,
    /// The code, where it is known by content.
    pub code: Option<Code>,
    /// Of the manifest and the sources, where they lie in a git work tree.
    pub commit: Option<Commit>,
    pub written: Written,
    /// What the control plane filled in, by path, as far as it may be seen. `None`: that was not looked at.
    pub filled: Option<BTreeMap<String, Value>>,
    /// The places in the message whose values are placeholders: what may be a credential is not stored.
    pub concealed: Vec<String>,
    /// Identity, labels, code and spec as they were sent, the bundle's address and fields that this program does not
    /// know included. Compare it with what [`conceal`] makes of other messages, and write only what
    /// [`super::restore`] makes of it.
    pub message: App,
}

/// The code of a release. The list of its files is an object of its own, shared by the releases of the same code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub digest: BundleRef,
    /// Where the control plane finds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
}

/// The circumstances of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub at: jiff::Timestamp,
    /// `user@host`, or the actor that CI names.
    pub by: String,
    /// The target's name and address.
    pub target: String,
    pub endpoint: String,
    /// The release of this program: `0.1.0`.
    pub tool: String,
}

impl Release {
    /// The record of a message that was sent, or of one that runs. What a server fills in is left out, and so are values
    /// that may be credentials. `mask` has the owner as its salt.
    pub fn new(
        app: AppId,
        mask: &Mask,
        version: Version,
        activation: Activation,
        sent: &App,
        written: Written,
    ) -> Self {
        let mut message = sent.clone();
        message.status = Default::default();
        if let Some(metadata) = message.metadata.as_option_mut() {
            metadata.revision = 0;
        }
        let code = spec::bundle(&message).map(|digest| Code {
            digest,
            address: spec::bundle_address(&message)
                .filter(|address| !address.starts_with(spec::BUNDLE_PLACEHOLDER_SCHEME))
                .map(str::to_owned),
        });
        let (message, concealed) = conceal(&message, mask);
        Self {
            app,
            owner: mask.salt().to_owned(),
            version,
            activation,
            depends_on: None,
            code,
            commit: None,
            written,
            filled: None,
            concealed,
            message,
        }
    }

    /// The image of the main container, by digest where the manifest pins it.
    pub fn image(&self) -> Option<&str> {
        spec::image(&self.message.spec).filter(|image| !image.is_empty())
    }
}
