//! A TOML value that owns its text and knows where each key and value stands.

use std::fmt;

use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{FileId, Span};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
    /// Where the variables were set that were filled into the text.
    pub variables: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    /// As written.
    Float(String),
    Boolean(bool),
    /// As written.
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
    /// A mistake was reported here: something is meant, and nothing more is said about it.
    Mistaken,
}

/// Keys in the order written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value, variables: Vec::new() }
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub fn as_integer(&self) -> Option<i64> {
        if let Value::Integer(number) = self.value { Some(number) } else { None }
    }

    pub fn as_boolean(&self) -> Option<bool> {
        if let Value::Boolean(value) = self.value { Some(value) } else { None }
    }

    pub fn as_table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    /// A list's elements, or the value itself where one may stand for a list of one.
    pub fn elements(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            _ => std::slice::from_ref(self),
        }
    }

    /// A number as Flyte writes it: `2`, `0.5`, `1.0`. `None` for what is no number.
    pub fn number_text(&self) -> Option<String> {
        self.value.number_text()
    }

    pub fn is_mistaken(&self) -> bool {
        self.value == Value::Mistaken
    }

    /// `a string`, `an integer`, … as TOML calls it.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
            Value::Mistaken => "a mistake",
        }
    }
}

impl Value {
    /// Reads a value as TOML has it. `None` where it is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = format!("value = {text}");
        let table = DeTable::parse(&text).ok()?;
        Table::from_toml(FileId(0), table.get_ref()).remove("value").map(|entry| entry.node.value)
    }

    /// A list of values that stand nowhere.
    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        let nowhere = Span::new(FileId(0), 0..0);
        Self::List(values.into_iter().map(|value| Node::new(nowhere, value)).collect())
    }

    /// `None` where JSON cannot say it: a date, a mistake.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Float(text) => text.parse::<f64>().ok()?.into(),
            Self::Boolean(value) => (*value).into(),
            Self::List(nodes) => nodes.iter().map(|node| node.value.to_json()).collect::<Option<Vec<_>>>()?.into(),
            Self::Table(table) => {
                let members = table.entries.iter().map(|entry| Some((entry.key.clone(), entry.node.value.to_json()?)));
                Json::Object(members.collect::<Option<Map<_, _>>>()?)
            }
            Self::Datetime(_) | Self::Mistaken => return None,
        })
    }

    /// See [`Node::number_text`].
    pub fn number_text(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(text) => {
                Some(text.parse::<f64>().map_or_else(|_| text.clone(), |number| format!("{number:?}")))
            }
            _ => None,
        }
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The node at a path of tables.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        let (first, rest) = path.split_first()?;
        let node = self.get(first)?;
        if rest.is_empty() { Some(node) } else { node.as_table()?.at(rest) }
    }

    /// The table at `key`; empty where there is none.
    pub fn table(&self, key: &str) -> &Table {
        static EMPTY: Table = Table { entries: Vec::new() };
        self.get(key).and_then(Node::as_table).unwrap_or(&EMPTY)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_text)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// From a parsed text.
    pub(super) fn from_toml(file: FileId, table: &DeTable<'_>) -> Self {
        let entries = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_span: Span::new(file, key.span()),
                node: Node::from_toml(file, value.span(), value.get_ref()),
            })
            .collect();
        Self { entries }
    }
}

impl Node {
    fn from_toml(file: FileId, range: std::ops::Range<usize>, value: &DeValue<'_>) -> Self {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Float(number.to_string()),
            },
            DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(date) => Value::Datetime(date.to_string()),
            DeValue::Array(nodes) => {
                Value::List(nodes.iter().map(|node| Self::from_toml(file, node.span(), node.get_ref())).collect())
            }
            DeValue::Table(table) => Value::Table(Table::from_toml(file, table)),
        };
        Self::new(Span::new(file, range), value)
    }
}

/// A text as TOML.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// As TOML, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(text) | Self::Datetime(text) => f.write_str(text),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::List(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(|node| node.value.to_string()).collect();
                write!(f, "[{}]", nodes.join(", "))
            }
            Self::Table(table) if table.entries.is_empty() => f.write_str("{}"),
            Self::Table(table) => {
                let entries = table.entries.iter().map(|entry| format!("{} = {}", entry.key, entry.node.value));
                write!(f, "{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
            Self::Mistaken => f.write_str("?"),
        }
    }
}
