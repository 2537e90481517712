//! Processes as far as POSIX shows them.

use std::collections::BTreeSet;
use std::process::Command;

/// When the process was started, to the second.
pub fn start_time(process: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &process.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Some process of the group is there, be it a zombie.
pub fn is_group_alive(group: u32) -> bool {
    super::pid(group).is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

/// The environment of others is not to be seen here.
pub fn marked(_token: &str) -> Vec<u32> {
    Vec::new()
}

/// `None`: this system does not tell.
pub fn listening_ports(_group: u32) -> Option<BTreeSet<u16>> {
    None
}
