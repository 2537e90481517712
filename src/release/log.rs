//! What happened to the releases of an app, event by event.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::model::{AppName, Commit, Digest, Version};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A release was written.
    Applied,
    /// A release that ran already was put on record: its own writer did not get to it.
    Recorded,
    /// A release of before was written again.
    RolledBack,
    Activated,
    Deactivated,
    Deleted,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Applied, Self::Recorded, Self::RolledBack, Self::Activated, Self::Deactivated, Self::Deleted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Recorded => "recorded",
            Self::RolledBack => "rolled_back",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
        }
    }

    /// Whether the app has been this release since.
    pub fn sets_release(self) -> bool {
        matches!(self, Self::Applied | Self::Recorded | Self::RolledBack)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RolledBack => "rolled back",
            other => other.as_str(),
        })
    }
}

/// An event in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub event: Kind,
    pub app: AppName,
    pub at: Timestamp,
    pub by: String,
    /// What the app is since, or was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Version>,
    /// The name of its record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<Commit>,
    /// The target's name and address.
    pub target: String,
    pub endpoint: String,
}

/// What the name of an event's object tells. The log of an app is the list of names, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogEntry {
    pub at: Timestamp,
    pub kind: Kind,
    /// The name of the record. `None` where there is none.
    pub release: Option<Digest>,
    /// The first 12 digits of the version's digest.
    pub version: Option<String>,
    pub label: Option<String>,
    /// The object's whole name.
    pub name: String,
}

/// An entry with the log that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub app: AppName,
    pub place: Place,
    pub entry: LogEntry,
}

/// Sorts as time does, and is a file name everywhere.
const TIME: &str = "%Y%m%dT%H%M%S.%6fZ";
/// Stands for what an event does not have.
const NONE: &str = "0";
const EXTENSION: &str = ".json";

/// Whether a text is the first digits of a digest, as names hold them.
fn is_short(digits: &str) -> bool {
    digits.len() == 12 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

impl LogEntry {
    /// The entry of an event. Its name holds a digest of the event, so that two writers take each other's only where
    /// both say the same, and no label that is none.
    pub fn of(event: &Event) -> Self {
        let digest = Digest::of(&super::encode_event(event)).short();
        let version = event.version.as_ref().map(|version| version.digest.short());
        let label = event.version.as_ref().and_then(|version| version.label.clone());
        let label = label.filter(|label| Version::is_label(label));
        let release = event.release.map_or_else(|| NONE.to_owned(), |release| release.to_string());
        let label_part = label.as_ref().map(|label| format!("-{label}")).unwrap_or_default();
        let name = format!(
            "{}-{}-{release}-{}-{digest}{label_part}{EXTENSION}",
            event.at.strftime(TIME),
            event.event.as_str(),
            version.as_deref().unwrap_or(NONE)
        );
        Self { at: event.at, kind: event.event, release: event.release, version, label, name }
    }

    /// Reads a name. `None` for one that is no event's, or of a kind that a newer program writes.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(EXTENSION)?.splitn(6, '-');
        let at = jiff::civil::DateTime::strptime(TIME, parts.next()?).ok()?;
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        let kind = parts.next()?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let release = match parts.next()? {
            NONE => None,
            digest => Some(digest.parse().ok()?),
        };
        let version = match parts.next()? {
            NONE => None,
            digits if is_short(digits) => Some(digits.to_owned()),
            _ => return None,
        };
        parts.next().filter(|digits| is_short(digits))?;
        let label = match parts.next() {
            Some(label) if Version::is_label(label) => Some(label.to_owned()),
            Some(_) => return None,
            None => None,
        };
        Some(Self { at, kind, release, version, label, name: name.to_owned() })
    }

    /// The label, else the short digest.
    pub fn mark(&self) -> Option<&str> {
        self.label.as_deref().or(self.version.as_deref())
    }
}
