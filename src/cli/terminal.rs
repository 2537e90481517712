//! Where text goes: results to stdout, everything else to stderr, each with colours only where they are wanted.

use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};

use super::args::{Color, Format, Global};
use crate::diagnostic::{printable, printable_lines};
use crate::report::COLUMNS;
use crate::report::github::no_command;

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
        match self.write(io::stdout().lock(), text) {
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
        let _ = self.write(io::stderr().lock(), text);
    }

    /// Tells GitHub's runner. Nobody is left to tell when this fails.
    pub fn command(&self, line: &str) {
        let mut stream = io::stderr().lock();
        let _ = writeln!(stream, "{}", printable(line)).and_then(|()| stream.flush());
    }

    /// Clears the screen, where there is one: an older, longer result leaves nothing behind.
    ///
    /// # Errors
    /// As [`Terminal::result`].
    pub fn clear(&self) -> io::Result<()> {
        if self.is_screen() { io::stdout().lock().write_all(b"\x1b[H\x1b[2J") } else { Ok(()) }
    }

    /// Writes a text that may hold what others wrote: only colours reach the terminal, and no command GitHub's runner.
    fn write(&self, stream: impl RawStream + AsLockedWrite, text: &str) -> io::Result<()> {
        let mut stream = AutoStream::new(stream, self.color);
        let mut text = printable_lines(text);
        if self.github {
            // Colours that are left out must not hide a command.
            if stream.current_choice() == ColorChoice::Never {
                text = strip_str(&text).to_string();
            }
            text = text.split_inclusive('\n').map(no_command).collect();
        }
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_commands_nobody() {
        let check = |github, color, text: &str, expected: &str| {
            let terminal = Terminal { github, color, ..Terminal::for_programs() };
            let mut written = Vec::new();
            terminal.write(&mut written, text).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{text:?}");
        };
        check(false, ColorChoice::AlwaysAnsi, "\u{1b}[31ma\u{1b}[m\u{1b}[2J\r\n", "\u{1b}[31ma\u{1b}[m\\u001b[2J\\r\n");
        check(false, ColorChoice::Never, "::a\n", "::a\n");
        check(true, ColorChoice::Never, "a\n  ::b::\n##[c]", "a\n  :\u{200b}:b::\n##\u{200b}[c]");
        check(true, ColorChoice::Never, "\u{1b}[1m:\u{1b}[m:b::", ":\u{200b}:b::");
    }
}
