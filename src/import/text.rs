//! Drafts as TOML: once for people, and once with one thing to a line, so that each finding has its thing.

use std::ops::Range;

use toml::{Table, Value};

use super::{Draft, Options, target};
use crate::model::key;
use crate::resolve::Target;

/// The longest line that is not broken, in characters.
const MAX_LINE: usize = 100;

/// Keys that get a table of their own where they are too long for a line.
const MAPS: [&str; 3] = ["env", "parameters", "pod_template"];

/// What stands somewhere in a probed text: a key of an app, or an element of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which of the drafts.
    pub draft: usize,
    /// Empty for the app as a whole.
    pub path: Vec<String>,
}

/// For people.
pub fn pretty(drafts: &[Draft], options: &Options) -> String {
    let mut text = head(options);
    for draft in drafts {
        text.push_str(&format!("\n[app.{}]\n", key(&draft.name)));
        let mut later = Vec::new();
        for (name, value) in &draft.table {
            match (line(name, value), value) {
                (Some(line), _) => text.push_str(&line),
                (None, Value::Table(table)) if MAPS.contains(&name.as_str()) => later.push((name, table)),
                (None, value) => text.push_str(&broken(name, value)),
            }
        }
        for (name, table) in later {
            text.push('\n');
            text.push_str(&section(&draft.name, name, table));
        }
    }
    text
}

/// For checks: what is where.
pub fn probe(drafts: &[Draft], options: &Options) -> (String, Vec<(Range<usize>, Place)>) {
    let mut text = head(options);
    let mut places = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let begin = text.len();
        text.push_str(&format!("\n[app.{}]\n", key(&draft.name)));
        places.push((begin..text.len(), Place { draft: at, path: Vec::new() }));
        let mut add = |text: &mut String, piece: &str, path: &[&str]| {
            let begin = text.len();
            text.push_str(piece);
            let path = path.iter().map(|segment| (*segment).to_owned()).collect();
            places.push((begin..text.len(), Place { draft: at, path }));
        };
        for (name, value) in &draft.table {
            match value {
                // Its parts mean nothing one by one.
                Value::Table(table) if name != "port" && name != "pod_template" => {
                    for (inner, value) in table {
                        add(&mut text, &format!("{}.{} = {value}\n", key(name), key(inner)), &[name, inner]);
                    }
                }
                Value::Array(items) if name != "args" && name != "command" => {
                    text.push_str(&format!("{} = [\n", key(name)));
                    for (index, item) in items.iter().enumerate() {
                        add(&mut text, &format!("    {item},\n"), &[name, &index.to_string()]);
                    }
                    text.push_str("]\n");
                }
                value => add(&mut text, &format!("{} = {value}\n", key(name)), &[name]),
            }
        }
    }
    (text, places)
}

fn head(options: &Options) -> String {
    let mut text = format!("# {}\n", options.heading);
    let scope = &options.scope;
    let mut set = |name: &str, value: &str| text.push_str(&format!("{name} = {}\n", Value::from(value)));
    set("name", &options.name);
    if !scope.org.is_empty() {
        set("org", &scope.org);
    }
    set("project", &scope.project);
    set("domain", &scope.domain);
    match &options.target.connection {
        // Written down, so that nobody's own configuration leads elsewhere.
        None => set("target", Target::LOCAL),
        Some(_) if options.target.name == Target::CONFIG => set("target", Target::CONFIG),
        Some(connection) => text.push_str(&target::connected(&options.target.name, connection)),
    }
    text
}

/// `None` where it is too long for one line.
fn line(name: &str, value: &Value) -> Option<String> {
    let line = format!("{} = {value}\n", key(name));
    let is_map = matches!(value, Value::Table(_));
    let short = line.chars().count() <= MAX_LINE && !line.trim_end().contains('\n');
    (short && !(name == "pod_template" && is_map)).then_some(line)
}

/// A list element by element; a table key by key.
fn broken(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: String = items.iter().map(|item| format!("    {item},\n")).collect();
            format!("{} = [\n{items}]\n", key(name))
        }
        Value::Table(table) => {
            table.iter().map(|(inner, value)| format!("{}.{} = {value}\n", key(name), key(inner))).collect()
        }
        scalar => format!("{} = {scalar}\n", key(name)),
    }
}

/// `[app.NAME.env]` and what is in it, deeper tables under headings of their own.
fn section(app: &str, name: &str, table: &Table) -> String {
    if name != "pod_template" {
        let lines: String = table.iter().map(|(inner, value)| broken_line(inner, value)).collect();
        return format!("[app.{}.{}]\n{lines}", key(app), key(name));
    }
    let nest = |name: &str, value: Value| Value::Table(Table::from_iter([(name.to_owned(), value)]));
    let whole = nest("app", nest(app, nest(name, table.clone().into())));
    toml::to_string(&whole)
        .unwrap_or_else(|_| format!("app.{}.{} = {}\n", key(app), key(name), Value::from(table.clone())))
}

fn broken_line(name: &str, value: &Value) -> String {
    line(name, value).unwrap_or_else(|| match value {
        Value::Table(_) => format!("{} = {value}\n", key(name)),
        value => broken(name, value),
    })
}
