//! How text looks: with colour or none, on so many columns. The words are the same.

use std::fmt::Display;

use owo_colors::{OwoColorize, Style};

/// Columns of text that no terminal shows; wider ones are hard to read.
pub const COLUMNS: usize = 100;

/// Paints text where colour is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub color: bool,
    /// Columns of a line, but for values, which are told whole.
    pub columns: usize,
}

impl Default for Paint {
    /// Plain text that no terminal shows.
    fn default() -> Self {
        Self { color: false, columns: COLUMNS }
    }
}

impl Paint {
    fn with(self, text: impl Display, style: Style) -> String {
        if self.color { text.style(style).to_string() } else { text.to_string() }
    }

    pub fn bold(self, text: impl Display) -> String {
        self.with(text, Style::new().bold())
    }

    pub fn dim(self, text: impl Display) -> String {
        self.with(text, Style::new().dimmed())
    }

    pub fn good(self, text: impl Display) -> String {
        self.with(text, Style::new().green())
    }

    pub fn change(self, text: impl Display) -> String {
        self.with(text, Style::new().yellow())
    }

    pub fn bad(self, text: impl Display) -> String {
        self.with(text, Style::new().red())
    }

    pub fn info(self, text: impl Display) -> String {
        self.with(text, Style::new().cyan())
    }
}
