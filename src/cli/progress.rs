//! Apply as it goes: on a terminal one live line per app, elsewhere one plain line per event.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;

use super::terminal::{Terminal, width};
use crate::diagnostic::printable;
use crate::model::AppName;
use crate::port::{Event, Events};

/// Listens to apply and tells stderr.
pub struct Progress {
    terminal: Terminal,
    /// `None`: plain lines.
    live: Option<Live>,
}

struct Live {
    lines: MultiProgress,
    style: ProgressStyle,
    board: Mutex<Board>,
}

struct Board {
    name_width: usize,
    running: BTreeMap<AppName, ProgressBar>,
}

impl Progress {
    pub fn new(terminal: Terminal) -> Self {
        let live = terminal.is_live().then(|| Live {
            lines: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)),
            style: style(&terminal),
            board: Mutex::new(Board { name_width: 0, running: BTreeMap::new() }),
        });
        Self { terminal, live }
    }

    /// Keeps as many columns for names as the longest of these needs.
    pub fn expect<'a>(&self, names: impl Iterator<Item = &'a AppName>) {
        if let Some(live) = &self.live {
            lock(&live.board).name_width = names.map(|name| name.as_str().len()).max().unwrap_or(0);
        }
    }

    fn plain(event: &Event) -> String {
        match event {
            Event::Started { app, action } => format!("{app}: {}", doing(action)),
            Event::Written { app, action, revision: 0 } => format!("{app}: {}", done(action)),
            Event::Written { app, action, revision } => format!("{app}: {} (revision {revision})", done(action)),
            Event::Waiting { app, status } => format!("{app}: {status}"),
            Event::Passed { app, goal, waited } => format!("{app}: {goal} after {}", seconds(*waited)),
            Event::Failed { app, reason } => format!("{app}: failed: {reason}"),
            Event::Unknown { app, reason } => format!("{app}: unknown: {reason}"),
            Event::Skipped { app, reason } => format!("{app}: skipped: {reason}"),
            Event::Interrupted => INTERRUPTED.to_owned(),
        }
    }

    /// Takes the live lines off the screen; what has ended stays above.
    pub fn finish(&self) {
        if let Some(live) = &self.live {
            for (_, bar) in std::mem::take(&mut lock(&live.board).running) {
                bar.finish_and_clear();
            }
        }
    }
}

impl Events for Progress {
    fn tell(&self, event: Event) {
        let Some(live) = &self.live else {
            return self.terminal.note(&format!("{}\n", printable(&Self::plain(&event))));
        };
        match event {
            Event::Started { app, action } => live.show(app, format!("{}…", doing(action))),
            Event::Written { app, action, .. } => live.show(app, done(action).to_owned()),
            Event::Waiting { app, status } => live.show(app, status),
            Event::Passed { app, goal, waited } => {
                live.end(&app, &"✓".green().to_string(), &format!("{goal} after {}", seconds(waited)));
            }
            Event::Failed { app, reason } => live.end(&app, &"✗".red().to_string(), &reason),
            Event::Unknown { app, reason } => {
                live.end(&app, &"?".red().to_string(), &format!("unknown: {reason}"));
            }
            Event::Skipped { app, reason } => {
                live.end(&app, &"-".dimmed().to_string(), &format!("skipped: {reason}"));
            }
            Event::Interrupted => live.interrupted(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns of a live line beside name and message.
const BESIDE: usize = 14;

const INTERRUPTED: &str = "interrupted: nothing new is started; Ctrl-C again stops at once";

impl Live {
    /// The line of a running app.
    fn show(&self, app: AppName, message: String) {
        let mut board = lock(&self.board);
        let board_width = board.name_width;
        let prefix = format!("{app:width$}", width = board_width);
        let bar = board.running.entry(app).or_insert_with(|| {
            let bar = self.lines.add(ProgressBar::new_spinner().with_style(self.style.clone()).with_prefix(prefix));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(cut(&printable(&message), width().saturating_sub(board_width + BESIDE)));
    }

    /// Replaces the line of an app by a last one that stays.
    fn end(&self, app: &AppName, symbol: &str, message: &str) {
        let mut board = lock(&self.board);
        let bar = board.running.remove(app);
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        self.say(&format!("{symbol} {app:width$} {}", printable(message), width = board.name_width));
    }

    /// Live lines fill the width, so the echo of Ctrl-C (`^C`) has begun a new line: takes that line back, or the live
    /// lines could not be.
    fn interrupted(&self) {
        let board = lock(&self.board);
        if !board.running.is_empty() {
            // Nobody is left to tell when this fails.
            let _ = io::stderr().lock().write_all(b"\r\x1b[2K\x1b[1A");
        }
        self.say(INTERRUPTED);
    }

    fn say(&self, line: &str) {
        let line = line.lines().next().unwrap_or_default();
        // Nobody is left to tell when this fails.
        let _ = self.lines.println(anstream::adapter::strip_str(line).to_string());
    }
}

fn style(terminal: &Terminal) -> ProgressStyle {
    let template = if terminal.color_stderr() {
        "{spinner:.cyan} {prefix:.bold} {elapsed:>4.dim}  {msg}"
    } else {
        "{spinner} {prefix} {elapsed:>4}  {msg}"
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    if terminal.is_unicode() { style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ") } else { style.tick_chars("|/-\\ ") }
}

/// The first line of a text, cut to so many characters.
fn cut(text: &str, columns: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

fn doing(action: &'static str) -> &'static str {
    match action {
        "upload" => "uploading",
        "create" => "creating",
        "update" => "updating",
        "activate" => "activating",
        "deactivate" => "deactivating",
        "delete" => "deleting",
        "verify" => "waiting",
        other => other,
    }
}

fn done(action: &'static str) -> &'static str {
    match action {
        "upload" => "uploaded",
        "create" => "created",
        "update" => "updated",
        "activate" => "activated",
        "deactivate" => "deactivated",
        "delete" => "deleted",
        other => other,
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}
