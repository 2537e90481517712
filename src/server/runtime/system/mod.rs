//! What the operating system knows about processes.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::{is_group_alive, listening_ports, marked, start_time};
#[cfg(not(target_os = "linux"))]
pub use portable::{is_group_alive, listening_ports, marked, start_time};

use rustix::process::{Pid, Signal};

/// The variable by which a process and all its descendants are known, wherever they go.
pub const MARK: &str = "FLYTE_LOCAL_PROCESS";

/// Sends the signal to every process of the group; one that is gone needs none.
pub fn signal_group(group: u32, signal: Signal) {
    if let Some(group) = pid(group) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Sends the signal to one process.
pub fn signal_process(process: u32, signal: Signal) {
    if let Some(process) = pid(process) {
        let _ = rustix::process::kill_process(process, signal);
    }
}

/// 0 and 1 are never meant: to signal them is to signal ourselves or everything.
fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().filter(|number| *number > 1).and_then(Pid::from_raw)
}
