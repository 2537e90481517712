//! Finding, starting and ending a control plane from another program.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::files::{LOCK, LOG, Lock, RUNNING, RunningFile, START_LOCK, failed, make_directory, read};
use super::{DaemonError, PATIENCE, Running, running};
use crate::server::hub;
use crate::server::service::HEALTH;
use crate::server::state::Profile;

/// How long a start may take: old processes are ended first.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long an end may take: requests and processes get their time.
const END_WITHIN: Duration = Duration::from_secs(40);
/// How long an answer about its health may take before it is asked again.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);
/// How long one that is there may give no answer: its machine may be busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// More bytes than the answer has.
const MAX_HEALTH: u64 = 4096;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// The log is begun anew once it is longer, in bytes.
const MAX_LOG: u64 = 1 << 20;
/// As much of the log's end as is shown, in bytes.
const SHOWN_LOG: u64 = 2048;

/// Everything that a control plane keeps in its directory, but for the locks.
const KEPT: [&str; 11] = [
    "server.db",
    "server.db-wal",
    "server.db-shm",
    "bundles",
    "apps",
    "logs",
    "processes",
    "shims",
    RUNNING,
    super::SETTINGS,
    LOG,
];

/// The control plane that runs on a directory and answers.
pub async fn locate(directory: &Path) -> Option<Running> {
    find(directory).await.ok().flatten()
}

/// The same. One that is slow is waited for: as long as the lock is held, it is there.
///
/// # Errors
/// [`DaemonError::DoesNotAnswer`] for one that is there and gives no answer.
async fn find(directory: &Path) -> Result<Option<Running>, DaemonError> {
    let begun = Instant::now();
    loop {
        let Some(file): Option<RunningFile> = read(&directory.join(RUNNING)) else { return Ok(None) };
        if !Lock::is_held(&directory.join(LOCK)) {
            return Ok(None);
        }
        match ask(file.port).await {
            Asked::Is(pid) if pid == file.pid => return Ok(Some(running(directory, &file))),
            Asked::Is(_) | Asked::Nobody => return Ok(None),
            Asked::Silent if begun.elapsed() < ANSWER_WITHIN => {}
            Asked::Silent => return Err(DaemonError::DoesNotAnswer(directory.to_owned())),
        }
    }
}

/// Who is at a port.
enum Asked {
    /// A control plane with this process id.
    Is(u32),
    /// It takes connections and has not answered yet.
    Silent,
    Nobody,
}

async fn ask(port: u16) -> Asked {
    let exchange = async {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request = format!("GET {HEALTH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.take(MAX_HEALTH).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let pid = |answer: &str| answer.rsplit("\r\n").next()?.trim().parse().ok();
    match tokio::time::timeout(HEALTH_WITHIN, exchange).await {
        Err(_) => Asked::Silent,
        Ok(answer) => answer.ok().and_then(|answer| pid(&answer)).map_or(Asked::Nobody, Asked::Is),
    }
}

/// The control plane of a directory, started if none runs: `<program> local serve --detach --directory <directory>
/// [--profile <profile>] [--port <port>]`, on its own, printing to `<directory>/server.log`. Two at once start one. One
/// that runs already keeps its port.
///
/// # Errors
/// [`DaemonError::OtherProfile`] where one runs with another profile than was asked for; [`DaemonError::DoesNotAnswer`]
/// where one runs and gives no answer; [`DaemonError::DidNotStart`] with the end of its log.
pub async fn start_detached(
    program: &Path,
    directory: &Path,
    profile: Option<Profile>,
    port: Option<u16>,
) -> Result<Running, DaemonError> {
    if let Some(found) = find(directory).await? {
        return fits(found, profile);
    }
    make_directory(directory)?;
    let path = directory.join(START_LOCK);
    let start = tokio::task::spawn_blocking(move || Lock::take(&path, START_WITHIN)).await;
    let _start = start.unwrap_or(Ok(None))?;
    // Another program may have started it meanwhile.
    if let Some(found) = find(directory).await? {
        return fits(found, profile);
    }
    let (mut child, printed_before) = spawn(program, directory, profile, port)?;
    let begun = Instant::now();
    while begun.elapsed() < START_WITHIN {
        if let Some(found) = find(directory).await? {
            return fits(found, profile);
        }
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    // One that was started by hand at the same time may have been faster.
    if let Some(found) = find(directory).await? {
        return fits(found, profile);
    }
    Err(DaemonError::DidNotStart { log: end_of_log(directory, printed_before) })
}

fn fits(found: Running, asked: Option<Profile>) -> Result<Running, DaemonError> {
    match asked {
        Some(asked) if asked != found.profile => {
            Err(DaemonError::OtherProfile { directory: found.directory, running: found.profile, asked })
        }
        _ => Ok(found),
    }
}

/// The process, and how long the log was before it, in bytes.
fn spawn(
    program: &Path,
    directory: &Path,
    profile: Option<Profile>,
    port: Option<u16>,
) -> Result<(Child, u64), DaemonError> {
    let directory = std::path::absolute(directory).map_err(failed(directory))?;
    let path = directory.join(LOG);
    let long = fs::metadata(&path).is_ok_and(|log| log.len() > MAX_LOG);
    if long {
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed(&path))?;
    let printed_before = log.metadata().map_err(failed(&path))?.len();
    let errors = log.try_clone().map_err(failed(&path))?;
    let mut command = Command::new(program);
    command.args(["local", "serve", "--detach", "--directory"]).arg(&directory);
    if let Some(profile) = profile {
        command.args(["--profile", profile.as_str()]);
    }
    if let Some(port) = port {
        command.arg("--port").arg(port.to_string());
    }
    // Not where it was started: that directory may be deleted.
    command.current_dir(&directory).stdin(Stdio::null()).stdout(log).stderr(errors);
    let child = command.spawn().map_err(|source| DaemonError::Spawn { program: program.to_owned(), source })?;
    Ok((child, printed_before))
}

/// What the log says since it was `from` bytes long.
fn end_of_log(directory: &Path, from: u64) -> String {
    let read = || {
        let mut file = File::open(directory.join(LOG))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN_LOG).max(from)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let log = read().unwrap_or_default();
    // It is told as part of an error.
    match log.strip_prefix("error: ").unwrap_or(&log) {
        "" => "it printed nothing".to_owned(),
        told => told.to_owned(),
    }
}

/// Ends the control plane of a directory and all its apps. False where none ran.
///
/// # Errors
/// [`DaemonError::DoesNotAnswer`], [`DaemonError::DidNotEnd`]
pub async fn stop(directory: &Path) -> Result<bool, DaemonError> {
    let lock = directory.join(LOCK);
    let begun = Instant::now();
    // One that is just starting has not written where it is yet.
    let found = loop {
        if !Lock::is_held(&lock) {
            return Ok(false);
        }
        if let Some(found) = find(directory).await? {
            break found;
        }
        if begun.elapsed() > PATIENCE {
            return Err(DaemonError::DoesNotAnswer(directory.to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    };
    let process = i32::try_from(found.pid).ok().and_then(Pid::from_raw);
    if let Some(process) = process {
        // An error means that it has just ended.
        let _ = kill_process(process, Signal::TERM);
    }
    let begun = Instant::now();
    while Lock::is_held(&lock) {
        if begun.elapsed() > END_WITHIN {
            return Err(DaemonError::DidNotEnd { pid: found.pid, within: END_WITHIN });
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(true)
}

/// Ends the control plane of a directory and deletes everything it keeps: apps, revisions, secrets, bundles, logs.
///
/// # Errors
/// As [`stop`], or when a file cannot be deleted.
pub async fn reset(directory: &Path) -> Result<(), DaemonError> {
    stop(directory).await?;
    if !directory.exists() {
        return Ok(());
    }
    let Some(_lock) = Lock::take(&directory.join(LOCK), PATIENCE)? else {
        return Err(DaemonError::AlreadyRuns(directory.to_owned()));
    };
    // One that was killed may have left processes behind.
    hub::reclaim(directory).await.map_err(failed(directory))?;
    for name in KEPT {
        let path: PathBuf = directory.join(name);
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match gone {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}
