//! A log file that is replaced by a new one when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::line::Line;

/// The files of one log: `<path>`, then the older `<path>.1`, `<path>.2`, …
pub struct RotatedFile {
    path: PathBuf,
    /// At most this many bytes in a file.
    limit: u64,
    /// At most this many files, the current one included.
    count: usize,
    current: Option<(File, u64)>,
}

impl RotatedFile {
    pub fn new(path: PathBuf, limit: u64, count: usize) -> Self {
        Self { path, limit, count, current: None }
    }

    /// # Errors
    /// When the file cannot be made or written. A later call tries again.
    pub fn append(&mut self, text: &str) -> io::Result<()> {
        let added = text.len() as u64;
        if let Some((_, size)) = self.current
            && size + added > self.limit
        {
            self.current = None;
            self.rotate()?;
        }
        let (file, size) = match &mut self.current {
            Some(open) => open,
            None => self.current.insert(open(&self.path)?),
        };
        file.write_all(text.as_bytes())?;
        *size += added;
        Ok(())
    }

    /// The last `count` lines of all files, oldest first. Unreadable files count as empty.
    pub fn last_lines(&self, count: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for age in 0..self.count {
            if lines.len() >= count {
                break;
            }
            let Ok(text) = read(&self.aged(age)) else { break };
            let mut older: Vec<Line> = text.lines().rev().filter_map(Line::decode).take(count - lines.len()).collect();
            older.reverse();
            older.append(&mut lines);
            lines = older;
        }
        lines
    }

    /// Deletes all files.
    pub fn delete(&mut self) {
        self.current = None;
        for age in 0..self.count {
            // A file that is not there need not be deleted, and a log that stays behind does no harm.
            let _ = fs::remove_file(self.aged(age));
        }
    }

    fn rotate(&self) -> io::Result<()> {
        for age in (1..self.count).rev() {
            match fs::rename(self.aged(age - 1), self.aged(age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn aged(&self, age: usize) -> PathBuf {
        if age == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// A crash may leave half a character behind; the rest is worth reading all the same.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::runtime::logs::Originator;

    #[test]
    fn the_oldest_file_is_given_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("p/d/app.log");
        let mut file = RotatedFile::new(path.clone(), 150, 3);
        for number in 0..20 {
            let line = Line {
                time: "2026-01-02T03:04:05Z".parse().expect("a time"),
                replica: "app".into(),
                originator: Originator::User,
                text: number.to_string(),
            };
            file.append(&line.encode()).expect("it is written");
        }
        let names = fs::read_dir(path.parent().expect("a parent")).expect("it is there").count();
        assert_eq!(names, 3);
        let texts = |count| -> Vec<String> {
            let again = RotatedFile::new(path.clone(), 150, 3);
            again.last_lines(count).into_iter().map(|line| line.text).collect()
        };
        assert_eq!(texts(3), ["17", "18", "19"]);
        let all = texts(100);
        assert!(all.len() < 20 && all.len() > 6, "{all:?}");
        assert_eq!(all.last().map(String::as_str), Some("19"));
        file.delete();
        assert!(texts(100).is_empty());
    }
}
