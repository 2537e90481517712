//! YAML as a tree that knows where each key and value stands.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use crate::diagnostic::byte_at;

/// A value and the bytes it begins at and ends before, as far as its first line goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub range: Range<usize>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Boolean(bool),
    /// Also a number, as it is written.
    Text(String),
    List(Vec<Node>),
    /// In the order written. The range is that of the key.
    Map(Vec<(String, Range<usize>, Node)>),
}

/// Why a text is no YAML, and where: line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYaml {
    pub message: String,
    pub place: Option<(u64, u64)>,
}

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().rev().find(|(name, ..)| name == key).map(|(_, _, node)| node)
    }

    /// A value that is neither list nor map nor nothing, as text.
    pub fn text(&self) -> Option<String> {
        match &self.value {
            Value::Boolean(value) => Some(value.to_string()),
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "a boolean",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads a text of one document. An empty one is [`Value::Null`].
///
/// # Errors
/// It is no YAML; the message does not repeat what is written.
pub fn parse(text: &str) -> Result<Node, NotYaml> {
    // As PyYAML has it, which the SDK reads with.
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(text, raw)),
        Err(error) => {
            let error = error.without_snippet();
            let place = error.location().map(|place| (place.line(), place.column()));
            let whole = error.to_string();
            // The place is told apart.
            let message = whole.lines().next().unwrap_or_default();
            let message = message
                .split_once(": ")
                .filter(|(before, _)| before.contains("line "))
                .map_or(message, |(_, rest)| rest);
            let message = message.split(" at line ").next().unwrap_or(message);
            Err(NotYaml { message: message.to_owned(), place })
        }
    }
}

fn node(text: &str, raw: Spanned<Raw>) -> Node {
    let start = start_of(text, &raw.referenced);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Boolean(value) => Value::Boolean(value),
        Raw::Number => Value::Text(plain_scalar(line).to_owned()),
        Raw::Text(text) => Value::Text(text),
        Raw::List(list) => Value::List(list.into_iter().map(|raw| node(text, raw)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, raw)| {
                    let start = start_of(text, &key.referenced);
                    (key.value.clone(), start..start + key.value.len(), node(text, raw))
                })
                .collect(),
        ),
    };
    Node { range: start..start + line.trim_end().len(), value }
}

/// A number as it is written at the beginning of a line's rest, also within a list in brackets.
fn plain_scalar(line: &str) -> &str {
    line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}')).next().unwrap_or_default()
}

fn start_of(text: &str, location: &Location) -> usize {
    let number = |number: u64| usize::try_from(number).unwrap_or(1);
    byte_at(text, number(location.line()), number(location.column())).min(text.len())
}

/// As the reader gives it.
enum Raw {
    Null,
    Boolean(bool),
    /// What stands there is told by its place alone: names may look like numbers.
    Number,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Raw::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_is_taken_as_it_is_written() {
        let check = |written: &str| {
            let tree = parse(&format!("a: {written}  # b\nl: [{written}, x]\n")).unwrap();
            assert_eq!(tree.get("a").unwrap().text().as_deref(), Some(written));
            let Value::List(list) = &tree.get("l").unwrap().value else { panic!("a list") };
            assert_eq!(list[0].text().as_deref(), Some(written));
        };
        for written in ["7", "007", "0755", "0x10", "1e3", "12e45", "1234567890123456789012345", "1.50", "-1", ".5"] {
            check(written);
        }
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let text =
            "# é\nadmin:\n  endpoint: \"dns:///x\"  \n  insecure: false\n  scopes: [a, 'b c']\n  n: 1\n  none:\n";
        let tree = parse(text).unwrap();
        let admin = tree.get("admin").unwrap();
        let shown = |key: &str| &text[admin.get(key).unwrap().range.clone()];
        assert_eq!((shown("endpoint"), shown("insecure")), ("\"dns:///x\"", "false"));
        assert_eq!(admin.get("endpoint").unwrap().text().as_deref(), Some("dns:///x"));
        assert_eq!(admin.get("insecure").unwrap().value, Value::Boolean(false));
        assert_eq!(admin.get("n").unwrap().text().as_deref(), Some("1"));
        assert_eq!(admin.get("none").unwrap().value, Value::Null);
        let Value::List(scopes) = &admin.get("scopes").unwrap().value else { panic!() };
        assert_eq!(scopes[1].text().as_deref(), Some("b c"));
        let Value::Map(entries) = &admin.value else { panic!() };
        assert_eq!(&text[entries[0].1.clone()], "endpoint");
    }

    #[test]
    fn what_is_no_yaml_is_told_by_place_and_not_by_content() {
        let check = |text: &str, place: (u64, u64)| {
            let error = parse(text).unwrap_err();
            assert_eq!(error.place, Some(place), "{error:?}");
            assert!(!error.message.contains("canary") && !error.message.is_empty(), "{error:?}");
        };
        check("admin:\n  endpoint: x\n clientId: canary\n", (3, 2));
        check("admin: [canary\n", (1, 8));
        check("a: {{ canary }}\n", (1, 5));
        check("admin:\n\tendpoint: canary\n", (2, 2));
        assert_eq!(parse("").unwrap().value, Value::Null);
        assert_eq!(parse("# nothing\n").unwrap().value, Value::Null);
        assert_eq!(parse("a: 1\na: 2\n").unwrap().get("a").unwrap().text().as_deref(), Some("2"));
    }
}
