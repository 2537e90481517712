//! What a log-in needs of the place it happens at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Whoever may be asked to log in.
pub trait Person: Send + Sync + fmt::Debug {
    /// Whether somebody is there to see and to answer. Where not, no browser is opened and nothing waits.
    fn is_present(&self) -> bool;

    /// Shows a text beside the result.
    fn tell(&self, text: &str);

    /// Opens a page in their browser; false where that is not possible.
    fn open(&self, url: &str) -> bool;
}

/// Nobody is there, as in CI.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Person for Nobody {
    fn is_present(&self) -> bool {
        false
    }

    fn tell(&self, _: &str) {}

    fn open(&self, _: &str) -> bool {
        false
    }
}

/// The place a client works at.
#[derive(Clone)]
pub struct Surroundings {
    /// The process environment: secrets and tokens are looked up in it by name.
    pub environment: BTreeMap<String, String>,
    /// Where tokens are kept that the keyring cannot keep. `None`: nowhere, neither in the keyring.
    pub state: Option<PathBuf>,
    /// Where it is remembered how servers want to be logged in to. `None`: nowhere.
    pub cache: Option<PathBuf>,
    pub person: Arc<dyn Person>,
}

impl fmt::Debug for Surroundings {
    /// The environment holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { environment: _, state, cache, person } = self;
        f.debug_struct("Surroundings")
            .field("state", state)
            .field("cache", cache)
            .field("person", person)
            .finish_non_exhaustive()
    }
}

impl Default for Surroundings {
    /// Nothing is known, nothing is kept, nobody is there.
    fn default() -> Self {
        Self { environment: BTreeMap::new(), state: None, cache: None, person: Arc::new(Nobody) }
    }
}
