//! What GitHub's runner is told: the page of a job's summary, and annotations.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::terminal::Terminal;
use crate::diagnostic::Diagnostics;
use crate::manifest;
use crate::report::count;
use crate::report::github::{annotations, step_annotation};

/// The file that is the summary of a step. Source: "Workflow commands for GitHub Actions".
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// The directory of the repository.
const WORKSPACE: &str = "GITHUB_WORKSPACE";

/// Prints a page, and adds it to the summary of the step where there is one.
///
/// # Errors
/// Stdout cannot be written to. A summary that cannot is said to be missing.
pub fn publish(terminal: &Terminal, page: &str) -> io::Result<()> {
    terminal.result(page)?;
    let Some(file) = env::var_os(SUMMARY).filter(|file| !file.is_empty()) else { return Ok(()) };
    let added = OpenOptions::new().append(true).create(true).open(&file);
    if let Err(error) = added.and_then(|mut summary| writeln!(summary, "{page}")) {
        terminal.complain(&format!("warning: no summary: cannot write to {SUMMARY}: {error}\n"));
    }
    Ok(())
}

/// Says each finding on the line that it is about, as many as GitHub shows. Runners read stderr as they read stdout.
pub fn annotate(terminal: &Terminal, diagnostics: &Diagnostics) {
    let root = root();
    let told = annotations(diagnostics, |path| in_repository(root.as_deref(), path));
    for line in told.lines {
        terminal.command(&line);
    }
    if told.left_out > 0 {
        let more = count(told.left_out, "more finding");
        terminal.complain(&format!("{more} without annotation: GitHub shows ten of a kind per step\n"));
    }
}

/// Says what stopped the command.
pub fn annotate_step(terminal: &Terminal, command: &str, message: &str) {
    terminal.command(&step_annotation(&format!("flyte {command}"), message));
}

/// The directory of the repository: the runner's word, or where git keeps it.
fn root() -> Option<PathBuf> {
    if let Some(workspace) = env::var_os(WORKSPACE).filter(|directory| !directory.is_empty()) {
        let workspace = PathBuf::from(workspace);
        return Some(workspace.canonicalize().unwrap_or(workspace));
    }
    let here = env::current_dir().ok()?;
    here.ancestors().find(|directory| directory.join(".git").exists()).map(Path::to_owned)
}

/// A path as it is shown here, as the repository has it.
fn in_repository(root: Option<&Path>, shown: &Path) -> String {
    let Ok(here) = env::current_dir() else { return shown.display().to_string() };
    let path = manifest::normal(&here.join(shown));
    let path = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(shown);
    path.display().to_string()
}
