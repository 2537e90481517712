//! Which values are shown only as placeholders.

use super::{Digest, stretched};

/// Words in a variable's name that say its value is not for other eyes.
const WORDS: [&str; 11] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "PRIVATE",
    "AUTH",
    "DSN",
];

/// Beginnings of well-known credentials.
const PREFIXES: [&str; 14] = [
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-",
    "sk_live_",
    "hf_",
    "-----BEGIN",
    "eyJhbGciOi",
];

/// Whether a variable of this name may hold a credential.
pub fn is_sensitive_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(['_', '-', '.']).collect();
    words.iter().any(|word| WORDS.contains(word))
        || words.windows(2).any(|pair| matches!(pair, ["API" | "ACCESS" | "SIGNING" | "ENCRYPTION" | "SSH", "KEY"]))
}

/// The same of names that say it for certain, so that the value is looked for elsewhere too: what is called `AUTH…` or
/// `PRIVATE…` is often a mode or a place.
pub fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let kept: Vec<&str> = upper.split(['_', '-', '.']).filter(|word| !matches!(*word, "AUTH" | "PRIVATE")).collect();
    is_sensitive_name(&kept.join("_"))
}

/// Whether a text looks like a credential whatever it is called: a known prefix with enough behind it, or a URL with
/// a password.
pub fn looks_like_credential(value: &str) -> bool {
    let known = PREFIXES.iter().any(|prefix| value.starts_with(prefix) && value.len() >= prefix.len() + 12);
    known || url_with_password(value)
}

fn url_with_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

/// A stable stand-in for a sensitive value: equal values stay recognisable, the value does not leak. `salt` keeps
/// placeholders of different projects apart, so that a list of common passwords finds nothing across them.
pub fn placeholder(salt: &str, value: &str) -> String {
    format!("{PLACEHOLDER}{})", &stretched(salt, value).short()[..4])
}

/// The same for a line of a text, of which there may be many: quick, and of no use elsewhere.
pub fn placeholder_of_line(salt: &str, line: &str) -> String {
    let digest = Digest::from_bytes(blake3::derive_key(
        "flyte 2026 placeholder of a sensitive line",
        format!("{salt}\0{line}").as_bytes(),
    ));
    format!("{PLACEHOLDER}{})", &digest.short()[..4])
}

/// What every placeholder begins with.
const PLACEHOLDER: &str = "(sensitive #";

/// Whether a text stands in for a value.
pub fn is_placeholder(text: &str) -> bool {
    text.strip_prefix(PLACEHOLDER).and_then(|rest| rest.strip_suffix(')')).is_some_and(|digits| digits.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        for name in ["DB_PASSWORD", "api_key", "GITHUB_TOKEN", "MY_SECRET", "ssh-key"] {
            assert!(is_sensitive_name(name), "{name}");
        }
        for name in ["KEY", "MONKEY", "LOG_LEVEL", "TOKENIZER", "AUTHOR", "KEYBOARD"] {
            assert!(!is_sensitive_name(name), "{name}");
        }
        assert!(looks_like_credential("postgres://app:hunter2@db/main"));
        assert!(looks_like_credential("ghp_0123456789abcdefghij"));
        for value in ["postgres://db/main", "http://user@host/", "sk-1", "eyJ", "https://x/a:b@c"] {
            assert!(!looks_like_credential(value), "{value}");
        }
    }

    #[test]
    fn placeholders_are_stable_and_tell_values_apart() {
        assert_eq!(placeholder("shop", "a"), placeholder("shop", "a"));
        assert_ne!(placeholder("shop", "a"), placeholder("shop", "b"));
        assert_ne!(placeholder("shop", "a"), placeholder("blog", "a"));
    }
}
