//! Keys as TOML writes them.

use std::borrow::Cow;

/// A key of a table: bare where TOML allows that, else in quotes.
///
/// A path of such keys, joined by dots, tells where each ends: `env."discovery.type"`.
pub fn key(name: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        return name.into();
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.into()
}

/// The path of a key in the table at `path`, which is empty at the top.
pub fn key_path(path: &str, name: &str) -> String {
    if path.is_empty() { key(name).into_owned() } else { format!("{path}.{}", key(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_what_it_was() {
        for (name, expected) in [
            ("LOG_LEVEL", "LOG_LEVEL"),
            ("scaledown-after", "scaledown-after"),
            ("discovery.type", "\"discovery.type\""),
            ("", "\"\""),
            ("a\"b\\c\n", "\"a\\\"b\\\\c\\u000a\""),
            ("größe", "\"größe\""),
        ] {
            assert_eq!(key(name), expected);
            let read: toml::Table = toml::from_str(&format!("{} = 1", key(name))).unwrap();
            assert_eq!(read.keys().next().map(String::as_str), Some(name));
        }
    }
}
