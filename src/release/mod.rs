//! Releases on record: what was applied, whole, and the log of what happened to it.
//!
//! A record is an immutable object named by the blake3 of its content; the log has one object per event, whose name
//! tells when, what and which version. `docs/releases.md` has the format.

mod conceal;
mod format;
mod layout;
mod log;
mod place;
mod record;
mod set;

pub use conceal::{NotRestored, conceal, restore};
pub use format::{
    FORMAT, MAX_SIZE, Unreadable, decode, decode_event, decode_files, encode, encode_event, encode_files,
};
pub use layout::Folder;
pub use log::{Event, Kind, LogEntry, Logged};
pub use place::Place;
pub use record::{Code, Release, Written};
pub use set::{AppReleases, NoSuchRelease, ReleaseSet, Then, Warning};

#[cfg(test)]
mod tests;
