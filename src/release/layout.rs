//! What the objects of a store are called.
//!
//! ```text
//! <project>/<domain>/<manifest>/apps/<app>/log/<place>/<time>-<kind>-<release>-<version>-<digest>[-<label>].json
//! <project>/<domain>/<manifest>/apps/<app>/releases/<blake3>.json
//! <project>/<domain>/<manifest>/code/<blake3 of the bundle>.json
//! ```
//!
//! An organisation comes first, as `@<org>`.

use std::fmt::Write as _;

use super::place::Place;
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

    /// The place and the name of an event that another manifest has on record of an app.
    pub fn parse_event_of_other<'a>(&self, object: &'a str, app: &AppName) -> Option<(Place, &'a str)> {
        let rest = self.of_other(object)?.strip_prefix(app.as_str())?.strip_prefix("/log/")?;
        rest.split_once('/').map(|(place, name)| (Place::of_folder(place), name))
    }

    /// Whether an object is a record of another manifest.
    pub fn is_release_of_other(&self, object: &str) -> bool {
        let (_, rest) = self.of_other(object).and_then(|rest| rest.split_once('/')).unwrap_or_default();
        let digest = rest.strip_prefix("releases/").and_then(|name| name.strip_suffix(".json"));
        digest.is_some_and(|digest| digest.parse::<Digest>().is_ok())
    }

    /// What follows the folder of the apps in the name of an object of another manifest.
    fn of_other<'a>(&self, object: &'a str) -> Option<&'a str> {
        let (owner, rest) = object.strip_prefix(self.scope())?.strip_prefix('/')?.split_once('/')?;
        rest.strip_prefix("apps/").filter(|_| self.0.strip_prefix(self.scope()) != Some(&format!("/{owner}")))
    }

    /// Below which the apps have their folders.
    pub fn apps(&self) -> String {
        format!("{}/apps", self.0)
    }

    pub fn event(&self, app: &AppName, place: &Place, name: &str) -> String {
        format!("{}/apps/{app}/log/{place}/{name}", self.0)
    }

    pub fn release(&self, app: &AppName, name: Digest) -> String {
        format!("{}/apps/{app}/releases/{name}.json", self.0)
    }

    pub fn code(&self, bundle: BundleRef) -> String {
        format!("{}/code/{}.json", self.0, bundle.0)
    }

    /// The app, the place and the name of an event, read from the name of its object. No place: it is of none.
    pub fn parse_event<'a>(&self, object: &'a str) -> Option<(AppName, Option<Place>, &'a str)> {
        let rest = object.strip_prefix(&self.0)?.strip_prefix("/apps/")?;
        let (app, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix("log/")?;
        let (place, name) = rest.split_once('/').map_or((None, rest), |(place, name)| (Some(place), name));
        Some((AppName::new(app).ok()?, place.map(Place::of_folder), name))
    }
}

/// A text as one segment of a path, different for different texts.
pub(super) fn segment(text: &str) -> String {
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
