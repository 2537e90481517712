//! Runs a Python program of our own in the user's Python.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// How long a program may take: it loads what the user's file imports, which may be a lot.
const WITHIN: Duration = Duration::from_secs(120);

/// The greatest answer in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// How much of what it says on stderr is kept, in bytes: the end of it.
const KEPT: usize = 16 << 10;

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error("cannot start {}: {source}", .program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("{} did not end within {} s", .program.display(), .within.as_secs())]
    TooLong { program: PathBuf, within: Duration },
    #[error("{} said more than {MAX_ANSWER} bytes", .program.display())]
    TooMuch { program: PathBuf },
    #[error("{} ended with {status}", .program.display())]
    Failed { program: PathBuf, status: ExitStatus, said: String },
    #[error("cannot read what {} says: {source}", .program.display())]
    Read { program: PathBuf, source: io::Error },
}

/// The interpreter of the active virtual environment, else the first `python3` on PATH.
pub fn interpreter(virtual_environment: Option<&OsString>) -> PathBuf {
    virtual_environment
        .map(|home| Path::new(home).join("bin/python"))
        .filter(|python| python.exists())
        .unwrap_or_else(|| PathBuf::from("python3"))
}

/// Runs `source` with one argument in a directory, and returns what it printed on stdout. It reads nothing from stdin,
/// and is killed when this future is dropped.
///
/// # Errors
/// See [`PythonError`].
pub async fn run(program: &Path, source: &str, argument: &str, directory: &Path) -> Result<Vec<u8>, PythonError> {
    let named = || program.to_owned();
    let mut child = Command::new(program)
        .args(["-c", source, argument])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| PythonError::Start { program: named(), source })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (answer, said) = tokio::join!(whole(stdout), end(stderr));
        Ok::<_, io::Error>((answer?, said?, child.wait().await?))
    };
    let finished = tokio::time::timeout(WITHIN, work).await;
    let finished = finished.map_err(|_| PythonError::TooLong { program: named(), within: WITHIN })?;
    let (answer, said, status) = finished.map_err(|source| PythonError::Read { program: named(), source })?;
    match answer {
        None => Err(PythonError::TooMuch { program: named() }),
        Some(_) if !status.success() => Err(PythonError::Failed { program: named(), status, said }),
        Some(answer) => Ok(answer),
    }
}

/// Everything; `None` where it is too much.
async fn whole(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Option<Vec<u8>>> {
    let mut answer = Vec::new();
    if let Some(stream) = stream {
        stream.take(MAX_ANSWER as u64 + 1).read_to_end(&mut answer).await?;
    }
    Ok((answer.len() <= MAX_ANSWER).then_some(answer))
}

/// The last of it.
async fn end(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        let mut piece = vec![0; 4096];
        loop {
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            kept.extend_from_slice(&piece[..read]);
            kept.drain(..kept.len().saturating_sub(KEPT));
        }
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}
