//! Where a text may hold secrets, by its looks alone: line by line, key by key. What is shown of a manifest beside a
//! mistake is the text as it stands, and the mistake may be that it is no TOML at all.

use std::ops::Range;

use super::format::variable;
use crate::diagnostic::{FileId, Span};
use crate::model::sensitive::{holds_credential, is_sensitive_name};

/// Keys that name the place of a secret, or say something about it.
const NAMES_OF_PLACES: [&str; 3] = ["secrets", "requires_auth", "private"];
/// Keys of `[target.NAME.auth]` that say how, not with what.
const HARMLESS_IN_AUTH: [&str; 4] = ["kind", "client_id", "scopes", "keep_tokens"];
/// Keys whose values may be an address with a user and a password.
const ADDRESSES: [&str; 3] = ["endpoint", "proxy", "image"];
/// Keys of a table named like a secret that hold it.
const VALUES: [&str; 2] = ["default", "value"];

/// The values that are not for other eyes.
pub fn secrets(file: FileId, text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut section = Section::default();
    let mut open: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mut cover = |range: Range<usize>| found.push(Span::new(file, at + range.start..at + range.end));
        if let Some(quotes) = open {
            let end = line.find(quotes);
            let shown = line[..end.unwrap_or(line.len())].trim_end();
            if !shown.is_empty() {
                cover(0..shown.len());
            }
            open = open.filter(|_| end.is_none());
        } else {
            section.enter(line);
            section.secrets(line).into_iter().for_each(&mut cover);
            words(line).into_iter().for_each(&mut cover);
            open = section.opened(line);
        }
        at += line.len();
    }
    found
}

/// What the last header says of the lines below it.
#[derive(Default)]
struct Section {
    is_auth: bool,
    is_secret: bool,
}

impl Section {
    fn enter(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with('[') && !line.contains(['=', ',']) {
            let name = line.trim_matches(['[', ']', ' ']);
            self.is_auth = name.starts_with("target.") && name.ends_with(".auth");
            self.is_secret = is_sensitive_name(last(name)) && !self.is_auth;
        }
    }

    fn secrets(&self, line: &str) -> Vec<Range<usize>> {
        let auth_from = if self.is_auth { Some(0) } else { line.find("auth").filter(|_| line.contains('{')) };
        let mut inside = self.is_secret;
        let mut found = Vec::new();
        for (key, value) in pairs(line) {
            let name = last(&line[key.clone()]);
            let bare = line[value.clone()].trim_matches(['"', '\'']);
            // An option among the words of a command.
            if name.starts_with('-') {
                continue;
            }
            let named = is_sensitive_name(name) && !NAMES_OF_PLACES.contains(&name);
            let beside_auth = auth_from.is_some_and(|from| key.start >= from) && !HARMLESS_IN_AUTH.contains(&name);
            let is_place = name.ends_with("_env") && variable(bare).is_ok();
            let hidden = named || beside_auth || inside && VALUES.contains(&name);
            let address = ADDRESSES.contains(&name) && bare.contains('@') && !bare.contains("@sha256:");
            if !is_plain(bare) && !is_place && (hidden || address || holds_credential(bare)) {
                found.push(value.clone());
            }
            // A table or a list under such a name.
            let rest = &line[value.start..];
            if named && bare.is_empty() && rest.starts_with('[') {
                let length = rest.find(']').unwrap_or(rest.trim_end().len());
                found.push(value.start + 1..value.start + length.max(1));
            }
            inside |= named && bare.is_empty();
        }
        found
    }

    /// The quotes of a text that goes on below, where it is one to cover.
    fn opened(&self, line: &str) -> Option<&'static str> {
        let (key, value) = line.split_once('=')?;
        let quotes = ["\"\"\"", "'''"].into_iter().find(|quotes| value.trim_start().starts_with(quotes))?;
        let name = last(key);
        let hidden = is_sensitive_name(name) || self.is_secret && VALUES.contains(&name) || self.is_auth;
        (hidden && value.matches(quotes).count() == 1).then_some(quotes)
    }
}

/// Nothing that a secret would be.
fn is_plain(text: &str) -> bool {
    matches!(text, "" | "true" | "false" | "on" | "off" | "none" | "secret" | "password" | "token")
        || text.parse::<f64>().is_ok()
}

fn last(key: &str) -> &str {
    key.trim().trim_matches(['"', '\'']).rsplit('.').next().unwrap_or("").trim_matches(['"', '\''])
}

/// Words behind an option that is named like a credential: `"--password", "…"` and `"--token=…"`.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut after_option = false;
    let mut at = 0;
    for word in line.split_inclusive([',', ' ', '[', ']', '\t', '\n']) {
        let bare = word.trim_end_matches([',', ' ', '[', ']', '\t', '\n', '\r']);
        let inner = bare.trim_matches(['"', '\'']);
        let start = at + bare.find(inner).unwrap_or(0);
        at += word.len();
        if inner.is_empty() {
            continue;
        }
        match inner.split_once('=') {
            Some((option, value)) if option.starts_with('-') && is_sensitive_name(option) => {
                found.push(start + option.len() + 1..start + option.len() + 1 + value.len());
                after_option = false;
            }
            _ if after_option && !inner.starts_with('-') => {
                found.push(start..start + inner.len());
                after_option = false;
            }
            _ => after_option = inner.starts_with('-') && is_sensitive_name(inner),
        }
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
        from = value.end.max(equals + 1);
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
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| value.starts_with(quotes));
    let closed = quotes.and_then(|quotes| Some(value[quotes.len()..].find(quotes)? + 2 * quotes.len()));
    let length = match closed {
        Some(length) => length,
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
        check("env = { API_TOKEN = [\"s3\", 's4'], B = c }", &["\"s3\", 's4'"]);
        check("[target.x.auth]\nkind = none\nthing = s3\n[target.y]\nthing = s3", &["s3"]);
        check("image = http://a:b@c/", &["http://a:b@c/"]);
        check("endpoint = \"a:b@c\"", &["\"a:b@c\""]);
        check("x = é = ö\ntoken = é\n", &["é"]);
        check("db_password = { env = \"A\", default = \"s3\" }", &["\"s3\""]);
        check("[vars.db_password]\ndefault = 's3'\nenv = 'A'\n[vars.b]\ndefault = 'x'", &["'s3'"]);
    }

    #[test]
    fn texts_of_many_lines_and_words_of_commands_are_covered() {
        check("token = \"\"\"s3\nmore s3\nend\"\"\" x\nport = 1", &["\"\"\"s3", "more s3", "end"]);
        check("args = [\"--password\", \"s3\", \"--port\", \"80\"]", &["s3"]);
        check("args = [\"--api-token=s3\", --password, s3]", &["s3", "s3"]);
    }

    #[test]
    fn names_of_places_and_ordinary_values_stay() {
        check("secrets = [{ key = \"A\", env = \"DB_PASSWORD\" }]", &[]);
        check("[target.x.auth]\nkind = client_credentials\nsecret_env = MY_SECRET\nclient_id = a", &[]);
        check("port = 80 80\nargs = [\nrequires_auth = yes\nprivate = true\n=\n", &[]);
        check("image = \"a@sha256:00\"\nargs = [\"-v\", \"--name\", \"x\"]", &[]);
    }
}
