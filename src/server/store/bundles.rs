//! Code bundles: where they lie and what they are called.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Store;

/// The scheme of a bundle's address.
const SCHEME: &str = "flyte://bundles/";
/// The greatest number of characters in one segment of a path.
const MAX_SEGMENT: usize = 200;

/// A bundle in the store: `<project>/<domain>/<root>/<file name>`, every segment safe to be a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePath([String; 4]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be part of a bundle's address")]
pub struct InvalidBundlePath(pub String);

impl BundlePath {
    /// # Errors
    /// For a segment that is empty, too long, begins with a dot or holds anything but letters, digits, `-`, `_`, `.`
    /// and `=`.
    pub fn new(project: &str, domain: &str, root: &str, file_name: &str) -> Result<Self, InvalidBundlePath> {
        let segments = [project, domain, root, file_name];
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        match segments
            .iter()
            .find(|it| it.is_empty() || it.len() > MAX_SEGMENT || it.starts_with('.') || !it.chars().all(good))
        {
            Some(bad) => Err(InvalidBundlePath((*bad).to_owned())),
            None => Ok(Self(segments.map(str::to_owned))),
        }
    }

    /// The root of content with this MD5: the same bytes get the same address.
    pub fn root_of(md5: &[u8; 16]) -> String {
        base32(md5)
    }

    /// Reads the path in an address or a URL.
    ///
    /// # Errors
    /// As [`BundlePath::new`], and for another number of segments.
    pub fn parse(path: &str) -> Result<Self, InvalidBundlePath> {
        let mut parts = path.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(project), Some(domain), Some(root), Some(name), None) => Self::new(project, domain, root, name),
            _ => Err(InvalidBundlePath(path.to_owned())),
        }
    }

    /// The address told to clients.
    pub fn address(&self) -> String {
        format!("{SCHEME}{self}")
    }

    /// `None` for addresses of other stores.
    pub fn of_address(address: &str) -> Option<Self> {
        Self::parse(address.strip_prefix(SCHEME)?).ok()
    }

    /// Its file in a state directory.
    pub fn below(&self, state: &Path) -> PathBuf {
        self.0.iter().fold(state.join("bundles"), |directory, segment| directory.join(segment))
    }

    pub fn project(&self) -> &str {
        &self.0[0]
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

impl Store {
    /// Where a bundle lies, or will.
    pub fn bundle_file(&self, path: &BundlePath) -> PathBuf {
        path.below(&self.directory)
    }
}

/// RFC 4648, padded.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let index = usize::try_from((bits >> (35 - 5 * at)) & 31).unwrap_or(0);
            text.push(if at < digits { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_as_in_the_standard() {
        for (plain, expected) in
            [("f", "MY======"), ("fo", "MZXQ===="), ("foo", "MZXW6==="), ("foob", "MZXW6YQ="), ("fooba", "MZXW6YTB")]
        {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
    }

    #[test]
    fn paths_stay_below_the_store() {
        let path = BundlePath::new("shop", "dev", "MY======", "a.tar.gz").unwrap();
        assert_eq!(BundlePath::of_address(&path.address()), Some(path));
        for bad in ["..", ".hidden", "a/b", "", "a b", "a%2f", "a\0"] {
            assert!(BundlePath::new("shop", "dev", "x", bad).is_err(), "{bad:?}");
        }
        assert!(BundlePath::parse("a/b/c").is_err());
        assert!(BundlePath::parse("a/b/c/d/e").is_err());
        assert_eq!(BundlePath::of_address("s3://bucket/a/b/c/d"), None);
    }
}
