//! What apps print and what the runtime says about them: per app, in memory and in rotated files.

mod file;
mod line;
mod pump;

pub use line::{Line, Originator};
pub(super) use pump::pump;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use file::RotatedFile;
use tokio::sync::broadcast;

/// Lines kept in memory per app. Source: the open-source server starts a tail with as many.
const LINES: usize = 1000;

/// Bytes of lines kept in memory per app.
const BYTES: usize = 2 << 20;

/// Lines that a reader of a log may lag behind.
const BACKLOG: usize = 1024;

const FILE_BYTES: u64 = 10 << 20;
const FILES: usize = 3;

/// The latest lines of an app, then every further one, without a gap or a repetition between.
pub struct Tail {
    /// At most the last 1000, or fewer where they are long; oldest first.
    pub latest: Vec<Line>,
    /// A receiver too slow loses lines and is told how many.
    pub further: broadcast::Receiver<Line>,
}

/// The log of one app, over all its revisions.
pub(super) struct AppLog {
    inner: Mutex<Inner>,
}

struct Inner {
    latest: Latest,
    file: RotatedFile,
    further: broadcast::Sender<Line>,
}

/// The last lines, bounded in number and in bytes.
#[derive(Default)]
struct Latest {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Latest {
    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
        }
    }
}

impl AppLog {
    /// Goes on where the files end.
    pub fn open(path: PathBuf) -> Self {
        let file = RotatedFile::new(path, FILE_BYTES, FILES);
        let mut latest = Latest::default();
        file.last_lines(LINES).into_iter().for_each(|line| latest.push(line));
        Self { inner: Mutex::new(Inner { latest, file, further: broadcast::Sender::new(BACKLOG) }) }
    }

    /// Adds what a process printed.
    pub fn user(&self, replica: &str, text: String) {
        self.add(replica, Originator::User, text);
    }

    /// Adds what the runtime has to say.
    pub fn system(&self, replica: &str, text: impl Into<String>) {
        self.add(replica, Originator::System, text.into());
    }

    pub fn tail(&self) -> Tail {
        let inner = self.lock();
        Tail { latest: inner.latest.lines.iter().cloned().collect(), further: inner.further.subscribe() }
    }

    /// Forgets every line, on disk too. Its readers have come to the end.
    pub fn delete(&self) {
        let mut inner = self.lock();
        inner.latest = Latest::default();
        inner.file.delete();
        inner.further = broadcast::Sender::new(BACKLOG);
    }

    fn add(&self, replica: &str, originator: Originator, text: String) {
        let mut inner = self.lock();
        let line = Line { time: jiff::Timestamp::now(), replica: replica.to_owned(), originator, text };
        // A full disk must not stop the app; its lines are still in memory.
        let _ = inner.file.append(&line.encode());
        inner.latest.push(line.clone());
        // Under the lock, so that readers see one order. Without readers there is nobody to send it to.
        let _ = inner.further.send(line);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tail_starts_with_the_latest_and_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.log");
        let log = AppLog::open(path.clone());
        for number in 0..LINES + 5 {
            log.user("app-1", number.to_string());
        }
        let mut tail = log.tail();
        assert_eq!(tail.latest.len(), LINES);
        assert_eq!(tail.latest[0].text, "5");
        log.system("app-1", "ended");
        let next = tail.further.recv().await.expect("a line");
        assert_eq!((next.originator, next.text.as_str()), (Originator::System, "ended"));

        let again = AppLog::open(path).tail().latest;
        assert_eq!(again.len(), LINES);
        assert_eq!(again.last(), Some(&next));
        let mut reader = log.tail().further;
        log.delete();
        assert!(log.tail().latest.is_empty());
        assert!(reader.recv().await.is_err(), "a reader has come to the end");
    }

    #[test]
    fn long_lines_do_not_fill_the_memory() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = AppLog::open(directory.path().join("app.log"));
        let long = "x".repeat(16 << 10);
        (0..LINES).for_each(|_| log.user("app-1", long.clone()));
        assert_eq!(log.tail().latest.len(), BYTES / long.len());
        log.user("app-1", "last".into());
        assert_eq!(log.tail().latest.last().map(|line| line.text.as_str()), Some("last"));
    }
}
