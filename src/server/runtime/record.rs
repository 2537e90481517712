//! Which processes run, on disk, so that a control plane can end those that a former one left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::system;
use crate::model::AppId;

const FORMAT: u32 = 1;

/// The longest grace for processes of a former control plane: nobody is served while they end.
const RECLAIM: Duration = Duration::from_secs(3);

/// How long processes may take to end once they are killed.
const KILLED: Duration = Duration::from_secs(1);

/// How often is looked whether a process group has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A started process; it leads a process group of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    pid: u32,
    /// Tells the process from a later one with the same number.
    start_time: String,
    /// The value of [`system::MARK`] in its environment.
    token: String,
    app: AppId,
    revision: u64,
}

impl Record {
    /// # Errors
    /// When the process is already gone.
    pub fn new(pid: u32, token: &str, app: &AppId, revision: u64) -> io::Result<Self> {
        let start_time = system::start_time(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { format: FORMAT, pid, start_time, token: token.to_owned(), app: app.clone(), revision })
    }

    /// Writes the record, all of it or nothing. The returned value deletes it again.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<Written> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}.json", self.token));
        let partial = path.with_extension("partial");
        fs::write(&partial, serde_json::to_vec(self)?)?;
        fs::rename(&partial, &path)?;
        Ok(Written(path))
    }

    /// The process is still the one that was recorded.
    fn leads(&self) -> bool {
        system::start_time(self.pid).as_ref() == Some(&self.start_time)
    }

    fn signal(&self, signal: Signal) {
        // While its leader lives, or has not been waited for, the group's number is not given to another.
        if self.leads() {
            system::signal_group(self.pid, signal);
        }
        for process in system::marked(&self.token) {
            system::signal_process(process, signal);
        }
    }

    fn is_alive(&self) -> bool {
        self.leads() || !system::marked(&self.token).is_empty()
    }
}

/// A record on disk.
#[must_use]
pub struct Written(PathBuf);

impl Written {
    /// Deletes the record: the process has ended. One that stays is found untrue by the next control plane.
    pub fn delete(self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Ends every process on record, with a grace (3 s at most) between SIGTERM and SIGKILL, and deletes the records. Returns how many
/// were still alive.
pub async fn reclaim(directory: &Path, grace: Duration) -> usize {
    let records = read(directory);
    let alive: Vec<&Record> = records.iter().filter(|record| record.is_alive()).collect();
    alive.iter().for_each(|record| record.signal(Signal::TERM));
    let limit = Instant::now() + grace.min(RECLAIM);
    while Instant::now() < limit && alive.iter().any(|record| record.is_alive()) {
        tokio::time::sleep(LOOK).await;
    }
    alive.iter().for_each(|record| record.signal(Signal::KILL));
    // All of them, unreadable and half-written ones too: what they were to tell is past.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
    alive.len()
}

/// Ends what is left of a process group after its leader has been waited for, and whatever has left the group.
pub async fn end_rest(group: u32, token: &str, grace: Duration) {
    if !has_ended(group, grace).await {
        system::signal_group(group, Signal::KILL);
        has_ended(group, KILLED).await;
    }
    for process in system::marked(token) {
        system::signal_process(process, Signal::KILL);
    }
}

/// Whether a process group has ended within a time.
async fn has_ended(group: u32, within: Duration) -> bool {
    let limit = Instant::now() + within;
    while system::is_group_alive(group) {
        if Instant::now() >= limit {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

/// Records that cannot be read are no records: a write is whole or not there.
fn read(directory: &Path) -> Vec<Record> {
    let paths = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let record = |path: PathBuf| {
        let record: Record = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        (record.format == FORMAT).then_some(record)
    };
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).filter_map(record).collect()
}
