//! The objects of a repository, as they are stored.

use std::io::{self, BufRead as _, BufReader, Cursor, Read, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::repository::Git;

/// Objects up to this size in bytes are held in memory.
const SMALL: u64 = 1 << 20;

/// A `git cat-file --batch` that answers object after object.
pub struct Objects {
    child: Child,
    /// Taken when it is to end.
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Objects {
    pub fn open(git: &Git) -> io::Result<Self> {
        let mut command = git.command();
        command.args(["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (ask, answer) = (child.stdin.take(), child.stdout.take());
        let answer = answer.map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, ask, answer })
    }

    /// Answers `<object> blob <size>\n<content>\n`. Only ids are asked for, so that no name of a file is in a question.
    pub fn read(&mut self, object: &str) -> io::Result<Vec<u8>> {
        let ask = self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(ask, "{object}")?;
        ask.flush()?;
        let mut header = String::new();
        self.answer.read_line(&mut header)?;
        let size = header.trim_end().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
        let mut content = vec![0; size.ok_or_else(|| missing(object))?];
        self.answer.read_exact(&mut content)?;
        self.answer.read_exact(&mut [0])?;
        Ok(content)
    }

    /// Bit by bit where it is large.
    pub fn stream(&mut self, git: &Git, object: &str, size: u64) -> io::Result<Box<dyn Read + Send>> {
        if size <= SMALL {
            return Ok(Box::new(Cursor::new(self.read(object)?)));
        }
        let mut command = git.command();
        command.args(["cat-file", "blob", object]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let content = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Box::new(Streamed { child, content, object: object.to_owned() }))
    }
}

fn missing(object: &str) -> io::Error {
    io::Error::other(format!("git has no object {object}"))
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends once nobody asks any more.
        drop(self.ask.take());
        let _ = self.child.wait();
    }
}

/// What a `git cat-file` writes.
struct Streamed {
    child: Child,
    content: ChildStdout,
    object: String,
}

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        // Cut short is not the end.
        if read == 0 && !buffer.is_empty() && !self.child.wait()?.success() {
            return Err(missing(&self.object));
        }
        Ok(read)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
