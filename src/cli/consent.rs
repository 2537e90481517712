//! Asking before something is done. Without somebody to ask, nothing is done.

use std::io::{self, BufRead};

use super::exit::Exit;
use super::failure::{Failure, Result};
use super::terminal::Terminal;

/// Asks a question that only `y` or `yes` answers with yes.
///
/// # Errors
/// There is no terminal to ask on; or the answer was no.
pub fn ask(terminal: &Terminal, question: &str) -> Result<()> {
    if !terminal.is_interactive() {
        return Err(Failure::new("nobody to ask for consent: not a terminal; nothing was written")
            .help("add `--yes` to go ahead without being asked"));
    }
    terminal.complain(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new("not agreed to; nothing was written").exit(Exit::Error))
}
