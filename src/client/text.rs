//! What others wrote, made fit to be shown: bounded, on one line, without control characters, and without what this
//! run proves itself with, should somebody repeat it.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// The least characters of a secret that is looked for in texts; a shorter one may be part of any word.
const MIN_SECRET: usize = 6;

/// What this process has sent to prove itself, or may send: the others who were sent it may repeat it in their errors.
static SENT: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// Keeps a secret out of every text that is made fit to be shown from now on.
pub fn never_show(secret: &str) {
    if secret.len() >= MIN_SECRET {
        SENT.write().unwrap_or_else(PoisonError::into_inner).insert(secret.to_owned());
    }
}

/// The first characters of a text, as [`cut`]; one that is cut ends with how long it is.
pub fn clean(text: &str, characters: usize) -> String {
    match first(text, characters) {
        (shown, true) => format!("{shown}… ({} bytes in all)", text.len()),
        (shown, false) => shown,
    }
}

/// The first characters of a text, blanks and control characters made into single spaces, secrets left out. A text that
/// is cut ends with `…`.
pub fn cut(text: &str, characters: usize) -> String {
    let (shown, is_cut) = first(text, characters);
    if is_cut { shown + "…" } else { shown }
}

/// The same, and whether there is more.
fn first(text: &str, characters: usize) -> (String, bool) {
    visible(&without_secrets(text), characters)
}

/// The same of what is meant for the person who reads it, such as the address of a log-in page: with all that is in it.
pub fn visible(text: &str, characters: usize) -> (String, bool) {
    let mut shown = String::new();
    let mut count = 0;
    let mut blank = false;
    for character in text.chars() {
        if is_invisible(character) {
            blank = !shown.is_empty();
            continue;
        }
        if count >= characters {
            return (shown, true);
        }
        if std::mem::take(&mut blank) {
            shown.push(' ');
            count += 1;
        }
        shown.push(character);
        count += 1;
    }
    (shown, false)
}

/// A text without what proves who somebody is: what was sent, what follows the name of a scheme, and queries.
fn without_secrets(text: &str) -> String {
    let mut text = text.to_owned();
    // The longest first: one may be part of another.
    let sent = SENT.read().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<&String> = sent.iter().filter(|secret| text.contains(*secret)).collect();
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in found {
        text = text.replace(secret, HIDDEN);
    }
    without_credentials(&without_queries(&text))
}

/// `Bearer ***` in place of what follows, and the like of signatures in headers.
fn without_credentials(text: &str) -> String {
    let mut shown = String::new();
    let mut scheme: fn(&str) -> bool = |_| false;
    for word in text.split_inclusive(char::is_whitespace) {
        let (bare, blank) = word.split_at(word.trim_end().len());
        let lower = bare.trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        if std::mem::replace(&mut scheme, |_| false)(bare) {
            shown.push_str(HIDDEN);
        } else if let Some((name, _)) = lower.split_once('=').filter(|(name, _)| is_signature(name)) {
            let end = bare.len() - lower.len() + name.len() + 1;
            shown.push_str(&bare[..end]);
            shown.push_str(HIDDEN);
        } else {
            shown.push_str(bare);
            scheme = match lower.as_str() {
                "bearer" => is_token,
                "basic" => is_user_and_password,
                name if name.strip_suffix(':').is_some_and(is_signature) => |word| !word.is_empty(),
                _ => |_| false,
            };
        }
        shown.push_str(blank);
    }
    shown
}

/// Words such as `token` follow the name of the scheme too.
fn is_token(word: &str) -> bool {
    word.len() >= 20 || word.contains(|c: char| c.is_ascii_digit() || c == '.' && !word.ends_with('.'))
}

fn is_user_and_password(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '=');
    STANDARD.decode(word).is_ok_and(|plain| plain.contains(&b':'))
}

/// Names of what signs an address, as the stores have them.
fn is_signature(name: &str) -> bool {
    name.ends_with("-signature") || name.ends_with("-security-token") || matches!(name, "sig" | "signature")
}

/// Blanks, controls, and what changes the direction of a line.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a page says at its beginning: the title of HTML, `Code` and `Message` of a store's XML, else the first
/// characters.
pub fn excerpt(text: &str, characters: usize) -> String {
    let between = |tag: &str| {
        let start = text.find(&format!("<{tag}>"))? + tag.len() + 2;
        let end = start + text[start..].find(&format!("</{tag}>"))?;
        Some(&text[start..end])
    };
    let chosen = match (between("title"), between("Code"), between("Message")) {
        (Some(title), ..) => title.to_owned(),
        (_, Some(code), Some(message)) => format!("{code}: {message}"),
        (_, Some(code), None) => code.to_owned(),
        _ if text.trim_start().starts_with('<') => String::new(),
        _ => text.chars().take(characters * 4).collect(),
    };
    cut(&chosen, characters)
}

/// `/path?…` in place of paths and addresses with a query: of a whole address any, elsewhere what sets something.
fn without_queries(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let mut shown = String::new();
    for word in text.split_inclusive(is_end) {
        let (word, end) = word.split_at(word.trim_end_matches(is_end).len());
        match word.split_once('?') {
            Some((before, query)) if before.contains("://") || query.contains(['=', '&', '%']) => {
                shown.push_str(before);
                shown.push_str("?…");
            }
            _ => shown.push_str(word),
        }
        shown.push_str(end);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_visible() {
        let check = |text: &str, expected: &str| assert_eq!(clean(text, 10), expected, "{text:?}");
        check("a\u{1b}[31mb\r\n\tc", "a [31mb c");
        check("  around  ", "around");
        check("\u{202e}abc", "abc");
        check("0123456789", "0123456789");
        check("0123456789äb", "0123456789… (13 bytes in all)");
        check("", "");
    }

    #[test]
    fn what_opens_something_is_not_shown() {
        never_show("hunter2-of-this-run");
        never_show("a");
        let check = |text: &str, expected: &str| assert_eq!(clean(text, 200), expected, "{text:?}");
        check("bad header Bearer abc1 at https://s3/b?X-Amz-Signature=1", "bad header Bearer *** at https://s3/b?…");
        check("authorization: Basic YTpi, and more", "authorization: Basic *** and more");
        check("Bearer token or basic authentication", "Bearer token or basic authentication");
        check("'Bearer' is wanted", "'Bearer' is wanted");
        check("client x with hunter2-of-this-run: no", "client x with ***: no");
        check(
            "for X-Amz-Signature=1&k=1 and X-Amz-Signature: 2 bad",
            "for X-Amz-Signature=*** and X-Amz-Signature: *** bad",
        );
        check("sig=1 signature wrong", "sig=*** signature wrong");
    }

    #[test]
    fn pages_are_told_by_what_they_say() {
        let check = |text: &str, expected: &str| assert_eq!(excerpt(text, 60), expected, "{text:?}");
        check("<html><head><title>502 Bad\nGateway</title></head>", "502 Bad Gateway");
        check(
            "<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>\
             <StringToSign>secret</StringToSign></Error>",
            "SignatureDoesNotMatch: no",
        );
        check("<html><body>form</body>", "");
        check("see https://a/b?X-Amz-Signature=1 or 'http://c?d'", "see https://a/b?… or 'http://c?…'");
        check("https://a/b", "https://a/b");
        check("GET /b/k?X-Amz-Signature=1&a=2 failed", "GET /b/k?… failed");
        check("no 'k?sig%3Dcanary' here", "no 'k?…' here");
        check("what? is it so? no=1", "what? is it so? no=1");
    }
}
