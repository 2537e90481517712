//! The objects of a repository.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A `git cat-file --batch` that answers object after object.
pub struct Blobs {
    child: Child,
    /// Taken when it is to end.
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Blobs {
    pub fn open(top: &Path) -> io::Result<Self> {
        let mut command = Command::new("git");
        command.arg("-C").arg(top).args(["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (ask, answer) = (child.stdin.take(), child.stdout.take());
        let answer = answer.map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, ask, answer })
    }

    /// Answers `<object> blob <size>\n<content>\n`.
    pub fn read(&mut self, object: &str) -> io::Result<Vec<u8>> {
        let ask = self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(ask, "{object}")?;
        ask.flush()?;
        let mut header = String::new();
        self.answer.read_line(&mut header)?;
        let size = header.trim_end().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
        let mut content = vec![0; size.ok_or_else(|| io::Error::other(format!("git has no object {object}")))?];
        self.answer.read_exact(&mut content)?;
        self.answer.read_exact(&mut [0])?;
        Ok(content)
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        // It ends once nobody asks any more.
        drop(self.ask.take());
        let _ = self.child.wait();
    }
}
