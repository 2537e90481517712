//! Digests of values that may be passwords: slow and hungry on purpose, so that nobody tries a list of likely ones
//! against what is written down.

use std::collections::BTreeMap;
use std::sync::Mutex;

use argon2::{Algorithm, Argon2, Params, Version};

use super::Digest;

/// KiB of memory, and passes over it, for one digest: about 10 ms of one processor.
const MEMORY: u32 = 7 * 1024;
const PASSES: u32 = 2;

/// Digests kept, so that one value costs its time once in a run.
const KEPT: usize = 10_000;

/// Argon2id. The same value has another digest with another salt.
///
/// Source: RFC 9106.
pub fn stretched(salt: &str, value: &str) -> Digest {
    static KNOWN: Mutex<BTreeMap<[u8; 32], Digest>> = Mutex::new(BTreeMap::new());
    let key = blake3::derive_key("flyte 2026 memory of a stretched value", format!("{salt}\0{value}").as_bytes());
    let known = || KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(digest) = known().get(&key) {
        return *digest;
    }
    // Of the salt's digest, since a salt has at least eight bytes.
    let salt = blake3::derive_key("flyte 2026 salt of a stretched value", salt.as_bytes());
    let mut out = [0; 32];
    let params = Params::new(MEMORY, PASSES, 1, Some(out.len())).expect("the numbers are within the limits");
    let hashed =
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(value.as_bytes(), &salt, &mut out);
    hashed.expect("a value is shorter than 4 GiB");
    let digest = Digest::from_bytes(out);
    let mut known = known();
    if known.len() < KEPT {
        known.insert(key, digest);
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_argon2id_with_these_numbers() {
        // Other numbers would give every app with a password a new version.
        assert_eq!(stretched("shop", "hunter2").short(), "feb74d824a7c");
        assert_eq!(stretched("shop", "hunter2"), stretched("shop", "hunter2"));
        assert_ne!(stretched("shop", "hunter2"), stretched("blog", "hunter2"));
        assert_ne!(stretched("shop", "hunter2"), stretched("shop", "hunter3"));
    }
}
