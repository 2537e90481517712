//! Where text goes: results to stdout, everything else to stderr, each with colours only where they are wanted.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::args::{Color, Format, Global};
use crate::report::COLUMNS;

/// The streams of this run and how they are to be written to.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub json: bool,
    /// Results are pages for GitHub, findings annotations.
    pub github: bool,
    pub quiet: bool,
    verbose: bool,
    color: ColorChoice,
}

impl Terminal {
    pub fn new(global: &Global, format: Format) -> Self {
        let color = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        color.write_global();
        let json = global.json || format == Format::Json;
        let github = !json && format == Format::Github;
        Self { json, github, quiet: global.quiet, verbose: global.verbose > 0, color }
    }

    /// For a run whose arguments make no sense, but for `--json`.
    pub fn for_programs() -> Self {
        Self { json: true, github: false, quiet: true, verbose: false, color: ColorChoice::Never }
    }

    /// Writes a result. A reader that went away is no error: the command goes on and ends as it would have.
    ///
    /// # Errors
    /// The stream cannot be written to for another reason, such as a full disk.
    pub fn result(&self, text: &str) -> io::Result<()> {
        self.result_is_read(text).map(drop)
    }

    /// Writes a part of a result without end; false once nobody reads it any more.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub fn result_is_read(&self, text: &str) -> io::Result<bool> {
        let mut stream = AutoStream::new(io::stdout().lock(), self.color);
        match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says something beside the result, unless `-q` or `--json` was given.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.complain(text);
        }
    }

    /// Says what must be heard. Nobody is left to tell when this fails.
    pub fn complain(&self, text: &str) {
        let mut stream = AutoStream::new(io::stderr().lock(), self.color);
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// Whether stderr shows colours.
    pub fn color_stderr(&self) -> bool {
        match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            choice => choice != ColorChoice::Never,
        }
    }

    /// Whether more than ASCII can be shown: as the locale says; UTF-8 where it says nothing, unless it is plain C.
    pub fn is_unicode(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
    }

    /// Whether somebody can be asked.
    pub fn is_interactive(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether a result may be drawn over an older one.
    pub fn is_screen(&self) -> bool {
        !self.json && io::stdout().is_terminal() && !is_dumb()
    }

    /// Columns of a result: those of the terminal that shows it, as far as they can be read well.
    pub fn columns(&self) -> usize {
        if io::stdout().is_terminal() { width().min(COLUMNS) } else { COLUMNS }
    }

    /// Whether progress may be drawn over itself. Log lines would tear it.
    pub fn is_live(&self) -> bool {
        !self.json && !self.quiet && !self.verbose && io::stderr().is_terminal() && !is_dumb()
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Columns of the terminal, at least 40; as many as can be read well where there is none.
pub fn width() -> usize {
    let terminal =
        terminal_size::terminal_size_of(io::stdout()).or_else(|| terminal_size::terminal_size_of(io::stderr()));
    terminal.map_or(COLUMNS, |(terminal_size::Width(columns), _)| usize::from(columns).max(40))
}
