//! Which values are shown only as placeholders.

use super::inside::{credentials_in, known, passwords_of_urls};
use super::{Digest, stretched};

/// What a word of a variable's name ends in where its value is not for other eyes.
const ENDINGS: [&str; 13] = [
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "APIKEY",
    "ACCESSKEY",
    "SECRETKEY",
    "PRIVATEKEY",
];

/// Whole words that say the same.
const WORDS: [&str; 3] = ["PRIVATE", "AUTH", "DSN"];

/// Those that say it at the end of a name; elsewhere they mean more (`PASS_RATE`).
const LAST_WORDS: [&str; 3] = ["PASS", "PW", "AUTHORIZATION"];

/// Last words of names of what is about a credential and is none: where it lies, how long it is.
const ABOUT: [&str; 7] = ["NAME", "FILE", "PATH", "DIR", "TTL", "TIMEOUT", "LENGTH"];

/// Directories, as shells call them.
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];

/// Whether a variable of this name may hold a credential.
pub fn is_sensitive_name(name: &str) -> bool {
    !DIRECTORIES.contains(&name) && are_sensitive(&words(name))
}

/// The same of names that say it for certain, so that the value is looked for elsewhere too: what is called `AUTH…` or
/// `PRIVATE…` is often a mode or a place.
pub fn is_secret_name(name: &str) -> bool {
    let kept: Vec<String> =
        words(name).into_iter().filter(|word| !matches!(word.as_str(), "AUTH" | "PRIVATE")).collect();
    !DIRECTORIES.contains(&name) && are_sensitive(&kept)
}

/// The words of a name in capitals, less numbers behind them.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words = words.map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_uppercase());
    words.filter(|word| !word.is_empty()).collect()
}

fn are_sensitive(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(last) = words.last().filter(|last| !ABOUT.contains(last)) else { return false };
    LAST_WORDS.contains(last)
        || last.ends_with("PWD")
        || words.iter().any(|word| WORDS.contains(word) || ENDINGS.iter().any(|ending| word.ends_with(ending)))
        || words.windows(2).any(|pair| matches!(pair, ["API" | "ACCESS" | "SIGNING" | "ENCRYPTION" | "SSH", "KEY"]))
}

/// Whether a text looks like a credential whatever it is called: a known prefix with enough behind it, or a URL with
/// a password.
pub fn looks_like_credential(value: &str) -> bool {
    known(value) || !passwords_of_urls(value).is_empty()
}

/// Whether a text is one, or has one inside: a connection string, a command, a header.
pub fn holds_credential(text: &str) -> bool {
    looks_like_credential(text) || !credentials_in(text).is_empty()
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
        for name in ["DB_PASSWORD", "api_key", "GITHUB_TOKEN", "MY_SECRET", "ssh-key", "--password"] {
            assert!(is_sensitive_name(name) && is_secret_name(name), "{name}");
        }
        for name in ["PGPASSWORD", "MYSQL_PWD", "DB_PASS", "pw", "AUTHORIZATION", "dbPassword", "apiKey", "TOKEN_2"] {
            assert!(is_sensitive_name(name) && is_secret_name(name), "{name}");
        }
        for name in ["KEY", "MONKEY", "LOG_LEVEL", "TOKENIZER", "AUTHOR", "KEYBOARD", "AUTHORIZATION_MODE"] {
            assert!(!is_sensitive_name(name), "{name}");
        }
        for name in ["COMPASS", "BYPASS", "PASS_RATE", "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "SECRET_NAME", "PWD"] {
            assert!(!is_sensitive_name(name), "{name}");
        }
        assert!(is_sensitive_name("AUTH_MODE") && !is_secret_name("AUTH_MODE"));
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
