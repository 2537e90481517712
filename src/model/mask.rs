//! What must not be seen of messages, and what is shown in its place.

use std::fmt;
use std::sync::Arc;

use super::sensitive::{holds_credential, is_sensitive_name, placeholder};

/// The least characters of a value that is looked for inside of other texts; a shorter one may be part of any text, and
/// is known only as a whole.
const MIN_INSIDE: usize = 8;
/// The least characters of a value that is looked for at all.
const MIN_WHOLE: usize = 4;

/// Stand-ins for what must not be seen. Texts hidden with the same salt can be compared.
#[derive(Clone, Default)]
pub struct Mask {
    salt: Arc<str>,
    /// Values that are hidden wherever they stand, also inside of a text.
    values: Arc<[String]>,
}

/// Without the values.
impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({:?}, {} values)", self.salt, self.values.len())
    }
}

impl Mask {
    /// `salt` is the owner of the apps.
    pub fn new(salt: &str) -> Self {
        Self { salt: Arc::from(salt), values: Arc::default() }
    }

    /// The same, hiding these values too. Short ones, numbers and truth values are no secrets by themselves.
    #[must_use]
    pub fn and(&self, values: impl IntoIterator<Item = String>) -> Self {
        let is_plain = |value: &String| {
            value.len() < MIN_WHOLE
                || value.parse::<f64>().is_ok()
                || matches!(value.as_str(), "true" | "false" | "none")
        };
        let mut all: Vec<String> = self.values.to_vec();
        all.extend(values.into_iter().filter(|value| !is_plain(value)));
        all.sort();
        all.dedup();
        Self { salt: self.salt.clone(), values: Arc::from(all) }
    }

    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// Whether a text is or holds what must not be seen, whatever it is called.
    pub fn hides(&self, text: &str) -> bool {
        holds_credential(text) || self.knows(text)
    }

    /// Whether a text holds one of the values.
    pub fn knows(&self, text: &str) -> bool {
        let is_in = |value: &String| text == value || value.len() >= MIN_INSIDE && text.contains(value.as_str());
        self.values.iter().any(is_in)
    }

    pub fn placeholder(&self, text: &str) -> String {
        placeholder(&self.salt, text)
    }
}

/// Which words of a command are credentials: those behind an option named like one, and options that hold theirs.
pub fn credentials_among<'a>(words: impl IntoIterator<Item = Option<&'a str>>) -> Vec<bool> {
    let mut after_option = false;
    let is_credential = |word: Option<&str>| {
        let Some(word) = word else {
            after_option = false;
            return false;
        };
        // On their way through a shell, words are quoted.
        let word = word.trim_matches(['\'', '"']);
        let is_option = word.starts_with('-');
        let found = match word.split_once('=') {
            Some((option, value)) if is_option => is_sensitive_name(option) && !value.is_empty(),
            _ => after_option && !is_option,
        };
        after_option = is_option && !word.contains('=') && is_sensitive_name(word);
        found
    };
    words.into_iter().map(is_credential).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_value_is_hidden_wherever_it_stands() {
        let mask =
            Mask::new("shop").and(["hunter22".to_owned(), "short".to_owned(), "80".to_owned(), "true".to_owned()]);
        assert!(mask.hides("hunter22") && mask.hides("password=hunter22 host=db"));
        assert!(mask.hides("short") && !mask.hides("shorter"));
        assert!(!mask.hides("80") && !mask.hides("true") && !mask.hides("hunter"));
    }

    #[test]
    fn words_of_a_command() {
        let check = |words: &[&str], expected: &[usize]| {
            let found = credentials_among(words.iter().map(|word| Some(*word)));
            let at: Vec<usize> = (0..words.len()).filter(|at| found[*at]).collect();
            assert_eq!(at, expected, "{words:?}");
        };
        check(&["serve", "--password", "x", "--port", "80"], &[2]);
        check(&["--api-token=x", "--name=y", "--token"], &[0]);
        check(&["'--api-token=x y'", "a"], &[0]);
        check(&["--password", "--port", "80"], &[]);
    }
}
