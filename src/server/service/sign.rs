//! Addresses that carry their own permission: what may be done with which file, until when.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use crate::server::store::BundlePath;

/// Where signed addresses begin.
pub const PREFIX: &str = "/data/v1/";

/// What a signed address allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Put,
    Get,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }
}

/// The query of a signed address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Seconds since 1970.
    pub expires: i64,
    /// The most bytes of a file that is put there.
    #[serde(default)]
    pub max: u64,
    /// The MD5 of the file in URL-safe base64; empty: any.
    #[serde(default)]
    pub md5: String,
    pub signature: String,
}

/// Why a signed address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the signature is wrong")]
    Forged,
    #[error("the signed address has expired")]
    Expired,
}

/// Signs addresses, and knows its own signatures again.
pub struct Signer([u8; 32]);

impl Signer {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The address of a file, below `http://<host>`.
    pub fn url(&self, host: &str, verb: Verb, path: &BundlePath, grant: Grant) -> String {
        let signature = self.signature(verb, path, &grant).to_hex();
        let Grant { expires, max, md5, .. } = grant;
        let segments = path.to_string().replace('=', "%3D");
        format!("http://{host}{PREFIX}{segments}?expires={expires}&max={max}&md5={md5}&signature={signature}")
    }

    /// # Errors
    /// For another file, another verb, another key, or too late.
    pub fn check(&self, verb: Verb, path: &BundlePath, grant: &Grant, now: Timestamp) -> Result<(), SignError> {
        let given = blake3::Hash::from_hex(&grant.signature).map_err(|_| SignError::Forged)?;
        // The comparison of hashes takes the same time for all.
        if given != self.signature(verb, path, grant) {
            return Err(SignError::Forged);
        }
        if now.as_second() > grant.expires { Err(SignError::Expired) } else { Ok(()) }
    }

    fn signature(&self, verb: Verb, path: &BundlePath, grant: &Grant) -> blake3::Hash {
        let text = format!("{}\n{path}\n{}\n{}\n{}", verb.as_str(), grant.expires, grant.max, grant.md5);
        blake3::keyed_hash(&self.0, text.as_bytes())
    }
}

impl Grant {
    pub fn until(expires: i64) -> Self {
        Self { expires, max: 0, md5: String::new(), signature: String::new() }
    }

    /// `None` where any content is allowed.
    pub fn md5(&self) -> Option<[u8; 16]> {
        URL_SAFE_NO_PAD.decode(&self.md5).ok()?.try_into().ok()
    }

    #[must_use]
    pub fn with_md5(mut self, md5: Option<[u8; 16]>) -> Self {
        self.md5 = md5.map(|md5| URL_SAFE_NO_PAD.encode(md5)).unwrap_or_default();
        self
    }
}
