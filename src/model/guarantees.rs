//! What a control plane records, compares and honours, as far as it has been seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Digest;

/// One thing that some control planes do and others do not. The open-source server does none of them.
///
/// Source: `app/internal/{service,k8s}` of the open-source server, August 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    KeepsLabels,
    /// The address of the code and the link to its source.
    KeepsMetadata,
    KeepsRevisions,
    /// A write made on an older revision is refused.
    ComparesRevisions,
    /// Creating an app that is there is refused; else it is overwritten.
    RefusesExisting,
    /// An app created as stopped does not run.
    CreatesStopped,
    /// A new spec of a stopped app is kept; else it is dropped.
    KeepsStoppedSpec,
    /// A read that follows a write shows it; else it may be answered from a cache.
    ReadsAreCurrent,
    TellsSubstates,
    /// Conditions name the deployment they speak of.
    TellsDeployments,
    ActsOnSubdomain,
    ActsOnCustomDomain,
    ActsOnPrivate,
    ActsOnCluster,
    ActsOnPool,
    ActsOnAuthentication,
    ActsOnAccelerators,
}

impl Guarantee {
    pub const ALL: [Self; 17] = [
        Self::KeepsLabels,
        Self::KeepsMetadata,
        Self::KeepsRevisions,
        Self::ComparesRevisions,
        Self::RefusesExisting,
        Self::CreatesStopped,
        Self::KeepsStoppedSpec,
        Self::ReadsAreCurrent,
        Self::TellsSubstates,
        Self::TellsDeployments,
        Self::ActsOnSubdomain,
        Self::ActsOnCustomDomain,
        Self::ActsOnPrivate,
        Self::ActsOnCluster,
        Self::ActsOnPool,
        Self::ActsOnAuthentication,
        Self::ActsOnAccelerators,
    ];
}

/// A guarantee that was found to hold, or not to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub holds: bool,
    /// What was seen, as a fragment.
    pub because: String,
    /// When it was first seen so, and when last.
    pub since: Timestamp,
    pub seen: Timestamp,
}

/// How something is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<'a> {
    Seen(&'a Fact),
    /// Never seen; the server is like the open-source one in everything that was, and that one does not.
    LikeOpenSource,
}

/// A value that the server fills in where none is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Filled {
    /// Of the value: what a server fills in need not be kept in the clear.
    value: Digest,
    seen: Timestamp,
}

/// Everything known of one control plane. What is not in it has not been seen yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarantees {
    facts: BTreeMap<Guarantee, Fact>,
    /// By wire path: `spec.timeouts.request_timeout`.
    #[serde(default)]
    filled: BTreeMap<String, Filled>,
    /// What was found not to be filled in any more, and when: older notes do not bring it back.
    #[serde(skip)]
    ended: BTreeMap<String, Timestamp>,
}

/// How old what was seen last may be before it is noted as seen again.
const NOTED_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

impl Guarantees {
    /// `None` where nothing tells.
    pub fn holds(&self, guarantee: Guarantee) -> Option<bool> {
        Some(match self.known(guarantee)? {
            Known::Seen(fact) => fact.holds,
            Known::LikeOpenSource => false,
        })
    }

    pub fn known(&self, guarantee: Guarantee) -> Option<Known<'_>> {
        match self.facts.get(&guarantee) {
            Some(fact) => Some(Known::Seen(fact)),
            None => self.looks_open_source().then_some(Known::LikeOpenSource),
        }
    }

    /// Whether everything seen is as the open-source server does it, and enough was seen to say so.
    pub fn looks_open_source(&self) -> bool {
        use Guarantee as G;
        let telling = [G::KeepsRevisions, G::KeepsLabels];
        let seen = telling.iter().all(|guarantee| self.facts.contains_key(guarantee));
        // A cache that was not met says nothing.
        let conflicting = |(guarantee, fact): (&G, &Fact)| *guarantee != G::ReadsAreCurrent && fact.holds;
        seen && !self.facts.iter().any(conflicting)
    }

    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.filled.is_empty()
    }

    /// Takes a finding over; answers whether it is worth keeping.
    pub fn note(&mut self, guarantee: Guarantee, holds: bool, because: &str, now: Timestamp) -> bool {
        let known = self.facts.get(&guarantee).filter(|fact| fact.holds == holds);
        if known.is_some_and(|fact| now.duration_since(fact.seen) < NOTED_AGAIN) {
            return false;
        }
        let since = known.map_or(now, |fact| fact.since);
        self.facts.insert(guarantee, Fact { holds, because: because.to_owned(), since, seen: now });
        true
    }

    /// Whether a write was followed, so that what the server fills in is known.
    pub fn has_seen_writes(&self) -> bool {
        self.facts.contains_key(&Guarantee::ReadsAreCurrent)
    }

    /// Whether the server fills in this value where none is sent.
    pub fn fills(&self, path: &str, value: &serde_json::Value) -> bool {
        self.filled.get(path).is_some_and(|filled| filled.value == digest(value))
    }

    /// As [`Guarantees::note`].
    pub fn note_filled(&mut self, path: &str, value: &serde_json::Value, now: Timestamp) -> bool {
        let value = digest(value);
        let known = self.filled.get(path).filter(|filled| filled.value == value);
        if known.is_some_and(|filled| now.duration_since(filled.seen) < NOTED_AGAIN) {
            return false;
        }
        self.filled.insert(path.to_owned(), Filled { value, seen: now });
        true
    }

    /// The wire paths it fills in.
    pub fn filled(&self) -> impl Iterator<Item = &str> {
        self.filled.keys().map(String::as_str)
    }

    /// The server no longer fills these in.
    pub fn forget_filled(&mut self, is: impl Fn(&str) -> bool, now: Timestamp) -> bool {
        let before = self.filled.len();
        let ended = self.filled.keys().filter(|path| is(path)).map(|path| (path.clone(), now));
        self.ended.extend(ended.collect::<Vec<_>>());
        self.filled.retain(|path, _| !is(path));
        self.filled.len() != before
    }

    /// Drops what was last seen before this time.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.facts.retain(|_, fact| fact.seen >= time);
        self.filled.retain(|_, filled| filled.seen >= time);
    }

    /// Takes over what another process saw later.
    pub fn merge(&mut self, other: Self) {
        for (guarantee, fact) in other.facts {
            if self.facts.get(&guarantee).is_none_or(|known| known.seen < fact.seen) {
                self.facts.insert(guarantee, fact);
            }
        }
        for (path, filled) in other.filled {
            let known = self.filled.get(&path).map(|known| known.seen);
            if known.max(self.ended.get(&path).copied()).is_none_or(|known| known < filled.seen) {
                self.filled.insert(path, filled);
            }
        }
    }
}

fn digest(value: &serde_json::Value) -> Digest {
    Digest::of(value.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours)
    }

    #[test]
    fn what_is_seen_last_counts_and_is_noted_once_a_day() {
        let mut known = Guarantees::default();
        assert_eq!(known.holds(Guarantee::KeepsLabels), None);
        assert!(known.note(Guarantee::KeepsLabels, true, "a", at(0)));
        assert!(!known.note(Guarantee::KeepsLabels, true, "b", at(1)));
        assert!(known.note(Guarantee::KeepsLabels, true, "c", at(25)));
        let Some(Known::Seen(fact)) = known.known(Guarantee::KeepsLabels) else { panic!("it was seen") };
        assert_eq!((fact.since, fact.seen), (at(0), at(25)));
        assert!(known.note(Guarantee::KeepsLabels, false, "d", at(26)));
        assert_eq!(known.holds(Guarantee::KeepsLabels), Some(false));
        known.forget_before(at(27));
        assert!(known.is_empty());
    }

    #[test]
    fn what_another_process_saw_later_counts() {
        let mut known = Guarantees::default();
        known.note_filled("spec.a", &1.into(), at(0));
        known.note_filled("spec.b", &1.into(), at(2));
        let mut other = Guarantees::default();
        for path in ["spec.a", "spec.b", "spec.c"] {
            other.note_filled(path, &2.into(), at(1));
        }
        other.note(Guarantee::KeepsLabels, true, "a", at(1));
        known.merge(other);
        let fills = |path| [1, 2].map(|value| known.fills(path, &value.into()));
        assert_eq!((fills("spec.a"), fills("spec.b")), ([false, true], [true, false]));
        assert!(known.fills("spec.c", &2.into()));
        let before = known.clone();
        assert!(known.forget_filled(|path| path == "spec.c", at(3)));
        known.merge(before);
        assert!(!known.fills("spec.c", &2.into()), "it has ended since");
        assert_eq!(known.holds(Guarantee::KeepsLabels), Some(true));
    }

    #[test]
    fn a_server_is_taken_for_the_open_source_one_only_if_nothing_speaks_against_it() {
        let mut known = Guarantees::default();
        known.note(Guarantee::KeepsLabels, false, "", at(0));
        assert_eq!(known.holds(Guarantee::ActsOnAuthentication), None);
        known.note(Guarantee::KeepsRevisions, false, "", at(0));
        known.note(Guarantee::ReadsAreCurrent, true, "", at(0));
        assert_eq!(known.known(Guarantee::ActsOnAuthentication), Some(Known::LikeOpenSource));
        known.note(Guarantee::TellsSubstates, true, "", at(0));
        assert_eq!(known.holds(Guarantee::ActsOnAuthentication), None);
    }
}
