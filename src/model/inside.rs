//! Credentials inside of longer texts: connection strings, commands, headers, addresses.
//!
//! What only names one (`--token $TOKEN`, `password=os.environ["PW"]`) is none.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sensitive::is_secret_name;

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

/// The least characters behind such a beginning.
const BEHIND_PREFIX: usize = 12;

/// The least characters behind `Bearer`, with a digit among them and without: other words follow it in prose.
const BEARER: usize = 8;
const BEARER_OF_LETTERS: usize = 20;

/// Whether a text begins as well-known credentials do.
pub fn known(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.starts_with(prefix) && text.len() >= prefix.len() + BEHIND_PREFIX)
}

/// Where the credentials are, in order and apart.
pub fn credentials_in(text: &str) -> Vec<Range<usize>> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return std::iter::once(0..text.len()).collect();
    }
    let mut found = passwords_of_urls(text);
    found.extend(assigned(text));
    let words = words(text);
    found.extend(words.iter().filter(|word| is_known_inside(&text[(*word).clone()])).cloned());
    found.extend(words.windows(2).filter_map(|pair| behind(text, &pair[0], &pair[1])));
    found.sort_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// The passwords of `scheme://user:password@host`.
pub fn passwords_of_urls(text: &str) -> Vec<Range<usize>> {
    let password = |(at, separator): (usize, &str)| {
        let from = at + separator.len();
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`');
        let authority = text[from..].split(ends).next().unwrap_or("");
        let (user, _) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let start = from + name.len() + 1;
        is_literal(password).then(|| start..start + password.len())
    };
    text.match_indices("://").filter_map(password).collect()
}

/// Values of `NAME=value`, `"NAME": "value"` and lines `NAME: value`.
fn assigned(text: &str) -> Vec<Range<usize>> {
    text.match_indices(['=', ':']).filter_map(|(at, sign)| value_of(text, at, sign == "=")).collect()
}

fn value_of(text: &str, at: usize, is_equals: bool) -> Option<Range<usize>> {
    let (before, after) = (&text[..at], &text[at + 1..]);
    let bare = before.trim_end_matches([' ', '\t']);
    let name_of = bare.trim_end_matches(['"', '\'', '\\']);
    let is_quoted = name_of.len() < bare.len();
    let start = name_of.rfind(|c: char| !is_of_name(c)).map_or(0, |at| at + c_len(name_of, at));
    if !is_secret_name(&name_of[start..]) {
        return None;
    }
    let is_spaced = after.starts_with([' ', '\t']);
    let begins_line = || {
        let line = name_of[..start].rsplit('\n').next().unwrap_or("");
        line.chars().all(|c| c.is_whitespace() || matches!(c, '-' | '"' | '\''))
    };
    let is_assigned = match is_equals {
        true => !after.starts_with('=') && (!is_spaced || bare.len() < before.len()),
        false => is_quoted || is_spaced && begins_line(),
    };
    if !is_assigned {
        return None;
    }
    let from = at + 1 + (after.len() - after.trim_start_matches([' ', '\t']).len());
    let value = value_at(text, from)?;
    let rest = text[value.end..].lines().next().unwrap_or("");
    // Behind a colon, more words are prose.
    let is_alone = rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',')).is_empty();
    let is_name_again = text[value.clone()].eq_ignore_ascii_case(&name_of[start..]);
    ((is_equals || is_quoted || is_alone) && !is_name_again).then_some(value)
}

/// The value at a place: to its closing quote, or as far as it is one word.
fn value_at(text: &str, from: usize) -> Option<Range<usize>> {
    let unescaped = text[from..].trim_start_matches('\\');
    let start = text.len() - unescaped.len();
    let quote = unescaped.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    let (start, length) = match quote {
        Some(quote) => {
            let inner = &unescaped[1..];
            (start + 1, inner.find([quote, '\n']).unwrap_or(inner.len()))
        }
        None => {
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '&' | ')' | '}' | ']');
            (start, unescaped.find(ends).unwrap_or(unescaped.len()))
        }
    };
    let value = &text[start..start + length];
    let is_code = quote.is_none()
        && value.find(['(', '[']).is_some_and(|at| at > 0 && value[..at].chars().all(|c| is_of_name(c) && c != '-'));
    (is_literal(value) && !is_code).then(|| start..start + length)
}

/// What stands behind an option that is named like a credential, or behind `Bearer` and `Basic`.
fn behind(text: &str, word: &Range<usize>, next: &Range<usize>) -> Option<Range<usize>> {
    let (option, value) = (&text[word.clone()], &text[next.clone()]);
    if !is_literal(value) || value.starts_with('-') {
        return None;
    }
    let scheme = option.rsplit([':', '=']).next().unwrap_or(option).to_ascii_lowercase();
    let is_credential = match scheme.as_str() {
        "bearer" => {
            let has_digit = value.contains(|c: char| c.is_ascii_digit());
            value.len() >= if has_digit { BEARER } else { BEARER_OF_LETTERS }
        }
        "basic" => STANDARD.decode(value).is_ok_and(|decoded| decoded.contains(&b':')),
        _ => option.starts_with('-') && !option.contains(['=', ':']) && is_secret_name(option),
    };
    is_credential.then(|| next.clone())
}

/// Words without the quotes and brackets around them.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_around = |c: char| matches!(c, '"' | '\'' | '`' | '\\' | '(' | ')' | '{' | '}' | ';');
    let mut words = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']')) {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']') || is_around(c));
        let word = word.trim_start_matches(|c| is_around(c) && !matches!(c, '(' | '{'));
        let start = at + piece.find(word).unwrap_or(0);
        at += piece.len();
        if !word.is_empty() {
            words.push(start..start + word.len());
        }
    }
    words
}

/// A word that is a well-known credential, or ends in one; ordinary words may begin alike and have no digits.
fn is_known_inside(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) && word.split(['=', ':', '@', '/']).any(known)
}

/// Nothing that stands for a value elsewhere, or is shown in its place.
fn is_literal(value: &str) -> bool {
    let is_variable = value.strip_prefix('$').is_some_and(|name| {
        name.starts_with(['{', '(']) || name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    });
    let is_word = ["true", "false", "null", "none", "nil"].iter().any(|word| value.eq_ignore_ascii_case(word));
    let is_form = value.starts_with(['<', '{', '(']) || value.starts_with("%s") || value.starts_with("%(");
    let is_cover = value.chars().all(|c| matches!(c, '*' | '.' | '…'));
    !(value.is_empty() || is_variable || is_word || is_form || is_cover)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn c_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = credentials_in(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("exec python3 app.py --password=hunter2 --port=80", &["hunter2"]);
        check("serve --token hunter2 && echo --token 'hunter3'", &["hunter2", "hunter3"]);
        check("host=db password=hunter2 user=a", &["hunter2"]);
        check("password = 'hunter 2' user=a", &["hunter 2"]);
        check("Server=db;Pwd=hunter2;Uid=a", &["hunter2"]);
        check("http://db/main?sslpassword=hunter2&x=y", &["hunter2"]);
        check("{\"db\": {\"password\": \"hunter2\", \"port\": 1}}", &["hunter2"]);
        check("[\"--token\", \"hunter2\"]", &["hunter2"]);
        check("db:\n  password: hunter2\n  port: 1", &["hunter2"]);
        check("X-Api-Key: hunter2", &["hunter2"]);
        check("Authorization: Bearer hunter234", &["hunter234"]);
        check("bearer hunter234, basic YTpodW50ZXIy", &["hunter234", "YTpodW50ZXIy"]);
        check("http://db/ http://me:hunter2@db/ postgres://:hunter3@db", &["hunter2", "hunter3"]);
        check(
            "git clone https://ghp_0123456789abcdefghij@github.com",
            &["https://ghp_0123456789abcdefghij@github.com"],
        );
        let key = "{\"k\": \"-----BEGIN RSA PRIVATE KEY-----\\nMII\"}";
        check(key, &[key]);
    }

    #[test]
    fn what_only_names_one_is_none() {
        for text in [
            "serve --token $TOKEN --password=$(cat /run/pw) --api-key ${KEY} --secret-file /run/x",
            "postgres://me:${PW}@db http://user@host/ http://host:80/a@b",
            "PASSWORD=os.environ['PW'] token=getenv(\"X\") f(password=password) token == 'x' --token= --token --port 80",
            "Ask for the password: then go on. Basic authentication, bearer tokens, a Bearer of rings.",
            "password: see the documentation",
            "acme/token:1.0 api-token:1.0 scikit-learn sk-learn-pipelines MAX_TOKENS=512 COMPASS=north",
            "password=*** token=<TOKEN> secret={{ .Secret }} password=(sensitive #0123) --token (sensitive #0123)",
            "größe=ü é:ü",
        ] {
            let found: Vec<&str> = credentials_in(text).into_iter().map(|range| &text[range]).collect();
            assert!(found.is_empty(), "{found:?} in {text}");
        }
    }
}
