//! Programs that are run to their end within a time, or that serve for as long as a test needs them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// What a program that ended has said.
#[derive(Debug)]
pub struct Finished {
    line: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Itself, if the program ended with this code.
    ///
    /// # Panics
    /// Shows all that the program said.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.account());
        self
    }

    /// The last line of the output, read as JSON.
    ///
    /// # Panics
    /// It is none: shows all that the program said.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let last = self.stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str(last)
            .or_else(|_| serde_json::from_str(&self.stdout))
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}", self.account()))
    }

    /// The whole story, for a failure.
    pub fn account(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        };
        format!("$ {}\n{how}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.stdout, self.stderr)
    }
}

/// Runs a program to its end.
///
/// # Panics
/// It cannot be started, or has not ended in time: it and what it started are killed, and what it said is shown.
#[track_caller]
pub fn run(mut command: Command, within: Duration) -> Finished {
    command.stdout(Stdio::piped());
    run_to_end(command, within)
}

/// The same with the output in a file, which can be looked into before the end.
///
/// # Panics
/// As [`run`], or the file cannot be made.
#[track_caller]
pub fn run_into(mut command: Command, output: &Path, within: Duration) -> Finished {
    command.env("PYTHONUNBUFFERED", "1").stdout(File::create(output).expect("a file is made"));
    run_to_end(command, within)
}

#[track_caller]
fn run_to_end(mut command: Command, within: Duration) -> Finished {
    let line = line(&command);
    command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
    let stdout = child.stdout.take().map(collect);
    let stderr = collect(child.stderr.take().expect("it is piped"));
    let start = Instant::now();
    let ended = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break Some(status),
            None if start.elapsed() >= within => break None,
            None => thread::sleep(POLL),
        }
    };
    let status = ended.unwrap_or_else(|| {
        kill_group(&child);
        child.wait().expect("a killed child ends")
    });
    let text = |reader: JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().expect("a reader does not panic")).into_owned()
    };
    let finished = Finished { line, status, stdout: stdout.map(text).unwrap_or_default(), stderr: text(stderr) };
    assert!(ended.is_some(), "not done within {within:?}:\n{}", finished.account());
    finished
}

/// A program that serves until this is dropped; then it and what it started are killed.
pub struct Server {
    child: Child,
    /// The first line it wrote.
    pub greeting: String,
}

impl Server {
    /// Starts a program and waits for its first line. Its errors go to the test's.
    ///
    /// # Panics
    /// It cannot be started, or says nothing in time.
    #[track_caller]
    pub fn start(mut command: Command, within: Duration) -> Self {
        let line = line(&command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
        let lines = lines(child.stdout.take().expect("it is piped"));
        let mut server = Self { child, greeting: String::new() };
        match lines.recv_timeout(within) {
            Ok(first) => server.greeting = first,
            Err(RecvTimeoutError::Timeout) => panic!("`{line}` said nothing within {within:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("`{line}` ended without a word: {:?}", server.child.wait())
            }
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill_group(&self.child);
        let _ = self.child.wait();
    }
}

fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Fails only where nobody is left.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Read on to the end, heard or not: a full pipe would stop the program.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
