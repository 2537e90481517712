//! What a command found out: printed as text, or as the one document of `--json`.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::failure::Result;
use super::github;
use super::terminal::{Terminal, width};
use crate::diagnostic::{self, Diagnostics, Style};

/// The number in every document; it grows when a reader of the older form would misread the newer.
const FORMAT: u32 = 1;

/// The result of a command.
#[derive(Debug)]
pub struct Answer {
    /// For people; may hold colours.
    pub text: String,
    /// For GitHub, where it has a page of its own.
    pub page: Option<String>,
    /// For programs: the keys that follow `format` and `command`.
    pub json: Map<String, Value>,
    /// Warnings about the user's text.
    pub diagnostics: Diagnostics,
    pub exit: Exit,
    /// Nothing is left to print.
    printed: bool,
}

impl Answer {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            page: None,
            json: Map::new(),
            diagnostics: Diagnostics::default(),
            exit: Exit::Success,
            printed: false,
        }
    }

    /// The end of a result that was printed part by part.
    pub fn nothing_more() -> Self {
        Self { printed: true, ..Self::text("") }
    }

    /// Adds a key of the document.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Serialize) -> Self {
        self.json.insert(key.into(), json!(value));
        self
    }

    /// Adds all keys of an object.
    #[must_use]
    pub fn document(mut self, object: Value) -> Self {
        if let Value::Object(keys) = object {
            self.json.extend(keys);
        }
        self
    }

    #[must_use]
    pub fn page(mut self, page: impl Into<String>) -> Self {
        self.page = Some(page.into());
        self
    }

    #[must_use]
    pub fn diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The one document of `--json`.
    pub fn as_document(&self, command: &str) -> Value {
        let mut document = document(command, &self.diagnostics);
        document.extend(self.json.clone());
        Value::Object(document)
    }

    /// Prints it: findings to stderr and the result to stdout, or all of it as one document, or as a page.
    ///
    /// # Errors
    /// Stdout cannot be written to.
    pub fn print(self, terminal: &Terminal, command: &str) -> Result<Exit> {
        if self.printed {
            return Ok(self.exit);
        }
        if terminal.json {
            terminal.result(&format!("{:#}\n", self.as_document(command)))?;
        } else if let Some(page) = self.page.as_ref().filter(|_| terminal.github) {
            terminal.complain(&findings(terminal, &self.diagnostics));
            github::annotate(terminal, &self.diagnostics);
            github::publish(terminal, page)?;
        } else {
            terminal.complain(&findings(terminal, &self.diagnostics));
            terminal.result(&self.text)?;
        }
        Ok(self.exit)
    }
}

/// The beginning of every document: its form, its command, what was found in the user's text.
pub fn document(command: &str, diagnostics: &Diagnostics) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("format".into(), FORMAT.into());
    document.insert("command".into(), command.into());
    document.insert("diagnostics".into(), diagnostic::to_json(diagnostics));
    document
}

/// Findings as stderr shows them; `-q` leaves out warnings.
pub fn findings(terminal: &Terminal, diagnostics: &Diagnostics) -> String {
    let style = Style { unicode: terminal.is_unicode(), color: terminal.color_stderr(), width: width() };
    if terminal.quiet && diagnostics.warnings() > 0 {
        let list = diagnostics.list.iter().filter(|d| d.severity == diagnostic::Severity::Error).cloned().collect();
        return diagnostic::render(&Diagnostics { sources: diagnostics.sources.clone(), list }, style);
    }
    diagnostic::render(diagnostics, style)
}
