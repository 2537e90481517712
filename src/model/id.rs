//! Names of apps and of the place they live in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an app: 1 to 30 characters of `a-z`, `0-9` and `-`, starting and ending with a letter or digit.
///
/// Source: `flyteidl2/app/app_definition.proto` (at most 30 characters) and the published SDK's own stricter pattern
/// (lower case only).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

/// Why a text is not an app name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("the name is empty")]
    Empty,
    #[error("the name has {0} characters, at most 30 are allowed")]
    TooLong(usize),
    #[error("`{0}` is not allowed in a name")]
    Character(char),
    #[error("a name starts and ends with a letter or a digit")]
    Edge,
}

impl AppName {
    /// The greatest number of characters in a name.
    pub const MAX_LENGTH: usize = 30;

    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
            return Err(InvalidName::Character(bad));
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidName::TooLong(text.len()));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidName::Edge);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for AppName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl TryFrom<String> for AppName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

/// Where apps live: the organisation (may be empty), project and domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    pub org: String,
    pub project: String,
    pub domain: String,
}

impl Scope {
    pub fn app(&self, name: &AppName) -> AppId {
        AppId { scope: self.clone(), name: name.clone() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.org.is_empty() {
            write!(f, "{}/{}", self.project, self.domain)
        } else {
            write!(f, "{}/{}/{}", self.org, self.project, self.domain)
        }
    }
}

/// An app on a control plane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppId {
    pub scope: Scope,
    pub name: AppName,
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, expected: Result<(), InvalidName>| {
            assert_eq!(AppName::new(text).map(drop), expected, "{text:?}");
        };
        check("a", Ok(()));
        check("backend-2", Ok(()));
        check(&"a".repeat(30), Ok(()));
        check("", Err(InvalidName::Empty));
        check(&"a".repeat(31), Err(InvalidName::TooLong(31)));
        check("Backend", Err(InvalidName::Character('B')));
        check("my.app", Err(InvalidName::Character('.')));
        check("-a", Err(InvalidName::Edge));
        check("a-", Err(InvalidName::Edge));
    }
}
