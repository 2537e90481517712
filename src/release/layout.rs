//! What the objects of a store are called.
//!
//! ```text
//! <project>/<domain>/<manifest>/apps/<app>/log/<time>-<kind>-<release>-<version>-<digest>[-<label>].json
//! <project>/<domain>/<manifest>/apps/<app>/releases/<blake3>.json
//! <project>/<domain>/<manifest>/code/<blake3 of the bundle>.json
//! ```
//!
//! An organisation comes first, as `@<org>`.

use std::fmt::Write as _;

use crate::model::{AppName, BundleRef, Digest, Scope};

/// Everything that one manifest has on record in one project and domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(String);

impl Folder {
    pub fn new(scope: &Scope, owner: &str) -> Self {
        let org = if scope.org.is_empty() { String::new() } else { format!("@{}/", segment(&scope.org)) };
        Self(format!("{org}{}/{}/{}", segment(&scope.project), segment(&scope.domain), segment(owner)))
    }

    /// What all names begin with.
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// The folder of the project and domain, where every manifest has its own.
    pub fn scope(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(scope, _)| scope)
    }

    /// The name of an event that another manifest has on record of an app.
    pub fn parse_event_of_other<'a>(&self, object: &'a str, app: &AppName) -> Option<&'a str> {
        let rest = object.strip_prefix(self.scope())?.strip_prefix('/')?;
        let (owner, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix("apps/")?.strip_prefix(app.as_str())?.strip_prefix("/log/")?;
        (format!("{}/{owner}", self.scope()) != self.0).then_some(rest)
    }

    /// Below which the apps have their folders.
    pub fn apps(&self) -> String {
        format!("{}/apps", self.0)
    }

    pub fn event(&self, app: &AppName, name: &str) -> String {
        format!("{}/apps/{app}/log/{name}", self.0)
    }

    pub fn release(&self, app: &AppName, name: Digest) -> String {
        format!("{}/apps/{app}/releases/{name}.json", self.0)
    }

    pub fn code(&self, bundle: BundleRef) -> String {
        format!("{}/code/{}.json", self.0, bundle.0)
    }

    /// The app and the name of an event, read from the name of its object.
    pub fn parse_event<'a>(&self, object: &'a str) -> Option<(AppName, &'a str)> {
        let rest = object.strip_prefix(&self.0)?.strip_prefix("/apps/")?;
        let (app, rest) = rest.split_once('/')?;
        Some((AppName::new(app).ok()?, rest.strip_prefix("log/")?))
    }
}

/// A text as one segment of a path, different for different texts.
fn segment(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (byte == b'.' && index > 0) {
            name.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.is_empty() { "%".to_owned() } else { name }
}
