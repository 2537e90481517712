//! Who made a live field differ from what is declared: we, by declaring it otherwise since, or somebody outside.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::{Difference, walk};
use super::filled::{Filled, take_filled};
use crate::canonical::canonical;
use crate::desired::Desired;
use crate::model::sensitive::is_placeholder;
use crate::model::{LiveApp, Marks, Mask};
use crate::release::{Release, conceal};

/// Whose change a difference is, measured against what was last applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedBy {
    /// It is declared otherwise than it was applied; nobody else touched it.
    Us,
    /// It runs otherwise than it was applied; it is declared as before.
    Them,
    Both,
    /// What was applied is not on record.
    Unknown,
}

impl ChangedBy {
    /// Whether somebody outside had a part in it.
    pub fn is_drift(self) -> bool {
        matches!(self, Self::Them | Self::Both)
    }
}

/// What a live app is measured against.
pub(super) enum Base<'a> {
    /// Itself: it is what its own mark says was written.
    Live,
    Release(&'a Release),
    Unknown,
}

/// The answer for every difference of one app.
pub(super) struct Attribution {
    /// Of which all differences are, where no release tells.
    otherwise: ChangedBy,
    /// Places that were left to others: what is there is theirs.
    kept: Vec<String>,
    /// Those of them that nobody is known to have changed since we wrote the app.
    untouched: Vec<String>,
    /// Places that are left to others from now on.
    leaving: Vec<String>,
    versions: Option<Versions>,
}

/// The same app three times, in canonical form. Values that may be credentials are placeholders, as on record.
struct Versions {
    released: Value,
    desired: Value,
    live: Value,
}

/// Hides what is hidden on record. What was known to be a secret when it was recorded may not be known any more.
pub(super) fn align(released: &Value, version: &mut Value, mask: &Mask) {
    match (released, version) {
        (Value::String(hidden), Value::String(text)) if is_placeholder(hidden) && !is_placeholder(text) => {
            *text = mask.placeholder(text);
        }
        (Value::Object(released), Value::Object(version)) => {
            for (key, inner) in version.iter_mut() {
                if let Some(released) = released.get(key) {
                    align(released, inner, mask);
                }
            }
        }
        (Value::Array(released), Value::Array(version)) => {
            released.iter().zip(version).for_each(|(released, inner)| align(released, inner, mask));
        }
        _ => {}
    }
}

impl Attribution {
    pub fn new(base: &Base<'_>, desired: &Desired, live: &LiveApp, known: Filled<'_>, mask: &Mask) -> Self {
        let concealed = |app| canonical(&conceal(app, mask).0);
        let (otherwise, versions) = match base {
            Base::Live => (ChangedBy::Us, None),
            Base::Unknown => (ChangedBy::Unknown, None),
            Base::Release(release) => {
                let (desired, mut live) = (concealed(&desired.spec.0), concealed(&live.0));
                take_filled(&mut live, &desired, known);
                let released = canonical(&release.message);
                let mut desired = desired;
                [&mut desired, &mut live].into_iter().for_each(|version| align(&released, version, mask));
                (ChangedBy::Unknown, Some(Versions { released, desired, live }))
            }
        };
        let kept = match (live.marks(), base) {
            (Some(marks), _) => marks.kept,
            (None, Base::Release(release)) => Marks::kept(&release.message.spec),
            (None, _) => Vec::new(),
        };
        let untouched = kept.clone();
        Self { otherwise, kept, untouched, leaving: Marks::kept(desired.spec.spec()), versions }
    }

    /// Compares what was left to others with what it was when we wrote the app last, where that is on record.
    #[must_use]
    pub fn written(mut self, release: Option<&Release>, live: &LiveApp, mask: &Mask) -> Self {
        if let Some(release) = release.filter(|_| !self.kept.is_empty()) {
            let (was, mut is) = (canonical(&release.message), canonical(&conceal(&live.0, mask).0));
            align(&was, &mut is, mask);
            self.untouched.retain(|place| was.pointer(place) == is.pointer(place));
        }
        self
    }

    /// Whether a difference is of a place that was left to others and that nobody is known to have changed since.
    pub fn is_declared_again(&self, difference: &Difference) -> bool {
        self.untouched.contains(&difference.pointer)
    }

    /// Who made a difference of what runs and what is declared; where both did, also what was released.
    pub fn of(&self, difference: &Difference) -> (ChangedBy, Option<Value>) {
        if self.is_declared_again(difference) {
            return (ChangedBy::Us, None);
        }
        if self.kept.contains(&difference.pointer) {
            return (ChangedBy::Them, None);
        }
        let Some(Versions { released, desired, live }) = &self.versions else { return (self.otherwise, None) };
        let [released, desired, live] = [released, desired, live].map(|version| version.pointer(&difference.pointer));
        match (desired != released, live != released) {
            (true, true) => (ChangedBy::Both, released.cloned()),
            (true, false) => (ChangedBy::Us, None),
            (false, true) => (ChangedBy::Them, None),
            // Two values with one placeholder.
            (false, false) => (ChangedBy::Unknown, None),
        }
    }

    /// What was changed outside to just what is declared now.
    pub fn alike(&self) -> Vec<Difference> {
        let Some(Versions { desired, live, .. }) = &self.versions else { return Vec::new() };
        let is_declared = |place: &str| desired.pointer(place) == live.pointer(place);
        self.theirs().into_iter().filter(|theirs| is_declared(&theirs.pointer)).collect()
    }

    /// Whether all that was changed outside is left to others from now on.
    pub fn is_left(&self) -> bool {
        self.versions.is_some() && !self.leaving.is_empty() && self.theirs().is_empty()
    }

    /// What was changed outside, and was and is not left to others.
    fn theirs(&self) -> Vec<Difference> {
        let Some(Versions { released, live, .. }) = &self.versions else { return Vec::new() };
        let is_left = |place: &String| self.kept.contains(place) || self.leaving.contains(place);
        walk(released, live).into_iter().filter(|theirs| !is_left(&theirs.pointer)).collect()
    }
}
