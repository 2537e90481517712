//! Where a text that is not TOML may hold secrets. What a syntax error shows is taken from the text as it stands, before
//! anything is known about its keys, so these places are found by their looks: line by line, key by key.

use std::ops::Range;

use super::format::variable;
use crate::diagnostic::{FileId, Span};
use crate::model::sensitive::{is_sensitive_name, looks_like_credential};

/// Keys that name the place of a secret, and hold none.
const NAMES_OF_PLACES: [&str; 2] = ["secrets", "requires_auth"];
/// Keys of `[target.NAME.auth]` that say how, not with what.
const HARMLESS_IN_AUTH: [&str; 4] = ["kind", "client_id", "scopes", "keep_tokens"];

/// The values that are not for other eyes.
pub fn secrets(file: FileId, text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut in_auth = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') && !trimmed.contains('=') {
            let name = trimmed.trim_matches(['[', ']', ' ']);
            in_auth = name.starts_with("target.") && name.ends_with(".auth");
        }
        let auth_from = if in_auth { Some(0) } else { line.find("auth").filter(|_| line.contains('{')) };
        for (key, value) in pairs(line) {
            let name = line[key.clone()].trim_matches(['"', '\'']).rsplit('.').next().unwrap_or("");
            let own = &line[value.clone()];
            let bare = own.trim_matches(['"', '\'']);
            let is_place = NAMES_OF_PLACES.contains(&name) || name.ends_with("_env") && variable(bare).is_ok();
            let beside_auth = auth_from.is_some_and(|from| key.start >= from) && !HARMLESS_IN_AUTH.contains(&name);
            let hidden = (is_sensitive_name(name) || beside_auth) && !is_place;
            if !bare.is_empty() && (hidden || looks_like_credential(bare)) {
                found.push(Span::new(file, at + value.start..at + value.end));
            }
        }
        at += line.len();
    }
    found
}

/// The keys of a line with what follows each: up to the end of a quoted text, else to the next comma or bracket, else
/// to the end of the line; nothing of what has keys of its own. Without a `=`, the first word is the key.
fn pairs(line: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(equals) = line[from..].find('=').map(|at| from + at) {
        let end = from + line[from..equals].trim_end().len();
        let start = line[from..end].rfind(|c: char| c.is_whitespace() || matches!(c, '{' | ',' | '['));
        let start = start.map_or(from, |at| from + at + 1);
        let value = value_after(line, equals + 1, !line[..equals].contains('{'));
        from = value.end;
        found.push((start..end, value));
    }
    if found.is_empty()
        && let Some(space) = line.trim_start().find([' ', ':', '\t'])
    {
        let start = line.len() - line.trim_start().len();
        found.push((start..start + space, value_after(line, start + space + 1, true)));
    }
    found
}

fn value_after(line: &str, from: usize, alone: bool) -> Range<usize> {
    let rest = &line[from..];
    let start = from + (rest.len() - rest.trim_start_matches([' ', '\t', ':', '=']).len());
    let value = line[start..].trim_end();
    if value.starts_with(['{', '[']) {
        return start..start;
    }
    let quoted = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let length = match quoted.and_then(|quote| value[1..].find(quote)) {
        Some(end) => end + 2,
        // Inside of a table the value ends before the next; alone, it is all that follows.
        None if !alone => value.find([',', '}', ']']).unwrap_or(value.len()),
        None => value.len(),
    };
    start..start + value[..length].trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = secrets(FileId(0), text).iter().map(|span| &text[span.start..span.end]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_sounds_or_looks_like_a_secret_is_covered() {
        check("client_secret = s3cr3t\n", &["s3cr3t"]);
        check("client_secret = s3 cr3t, x\n", &["s3 cr3t, x"]);
        check("client_secret s3cr3t", &["s3cr3t"]);
        check("client_secret: s3cr3t", &["s3cr3t"]);
        check("client_secret = \"s3cr3t", &["\"s3cr3t"]);
        check("a = 1\r\nDB_PASSWORD = 'x y' # why\r\n", &["'x y'"]);
        check("auth = { kind = none, client_secret = s3, x = [1] }", &["s3"]);
        check("auth = { kind = none, sekret = s3 }", &["s3"]);
        check("env = { API_TOKEN = s3cr3t, B = c }", &["s3cr3t"]);
        check("[target.x.auth]\nkind = none\nthing = s3\n[target.y]\nthing = s3", &["s3"]);
        check("image = http://a:b@c/", &["http://a:b@c/"]);
        check("x = é = ö\ntoken = é\n", &["é"]);
    }

    #[test]
    fn names_of_places_and_ordinary_values_stay() {
        check("secrets = [{ key = \"A\", env = \"DB_PASSWORD\" }]", &[]);
        check("[target.x.auth]\nkind = client_credentials\nsecret_env = MY_SECRET\nclient_id = a", &[]);
        check("port = 80 80\nargs = [\nrequires_auth = yes\n=\n", &[]);
    }
}
