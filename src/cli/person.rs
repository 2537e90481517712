//! Whoever sits at the terminal: log-in pages are shown and opened to them, and to nobody else.

use std::env;
use std::io::{self, IsTerminal};
use std::process::{Command, Stdio};

use super::terminal::Terminal;
use crate::client::auth::Person;

/// The user of this terminal, if there is one.
#[derive(Debug, Clone, Copy)]
pub struct User(pub Terminal);

impl Person for User {
    /// Both streams are of a terminal, and no CI system has started it.
    fn is_present(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && !is_ci()
    }

    fn tell(&self, text: &str) {
        self.0.complain(text);
    }

    /// With the browser that `BROWSER` names, else that of the desktop.
    fn open(&self, url: &str) -> bool {
        let own = env::var("BROWSER").ok().filter(|value| !value.is_empty());
        match own {
            Some(list) => list.split(':').any(|line| start(line, url)),
            None if cfg!(target_os = "macos") => start("open", url),
            None if has_desktop() => start("xdg-open", url),
            None => false,
        }
    }
}

fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

fn has_desktop() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Starts a browser by a line of `BROWSER`, in which `%s` stands for the page.
fn start(line: &str, url: &str) -> bool {
    let Some(mut words) = shlex::split(line) else { return false };
    // Some write it as a shell would read it; it is never waited for.
    words.pop_if(|word| word == "&");
    if words.is_empty() {
        return false;
    }
    let has_place = words.iter().any(|word| word.contains("%s"));
    let mut command = Command::new(&words[0]);
    command.args(words[1..].iter().map(|word| word.replace("%s", url)));
    if !has_place {
        command.arg(url);
    }
    // It has no part in this terminal.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}
