//! Files as a checkout writes them where that is not as they are stored: smudge filters such as git-lfs, ends of lines,
//! `ident` and `working-tree-encoding`.
//!
//! Git itself does it, with `git checkout-index --temp`: in a work tree that is empty and over an index of the commit, so
//! that attributes are those of the commit whatever lies in the real work tree, with any version of git. Attributes only
//! name filters; which commands these are is said by the settings of the repository and its user alone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::repository::Git;
use super::scratch::Scratch;
use crate::host::Cache;
use crate::port::FileFault;

/// What is asked of each file, in this order.
const ATTRIBUTES: [&str; 5] = ["filter", "text", "eol", "ident", "working-tree-encoding"];

/// Settings under which an index is written to its file and nowhere else, and no hook runs.
const QUIET: [&str; 5] = [
    "core.splitIndex=false",
    "core.sparseCheckout=false",
    "core.untrackedCache=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
];

/// How the content of a file is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    AsStored,
    /// In a file of this path and size in bytes.
    File(PathBuf, u64),
}

/// The files of one commit that were asked for so far.
pub struct Checkout {
    git: Git,
    commit: String,
    asked: Attributes,
    settings: Settings,
    made: BTreeMap<PathBuf, Made>,
    /// Last, since what uses it is to end before it goes.
    scratch: Scratch,
}

impl Checkout {
    /// `place`: the top of the work tree that belongs to the repository, where there is one.
    pub fn open(git: &Git, commit: &str, place: Option<&Path>, cache: Option<&Cache>) -> io::Result<Self> {
        let scratch = Scratch::create(cache)?;
        let git = Git { scratch: Some(scratch.path().to_owned()), ..git.clone() };
        let mut command = git.command();
        command.args(QUIET.iter().flat_map(|setting| ["-c", setting])).args(["read-tree", commit]);
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!(
                "git cannot check out its commit: {}",
                said(&String::from_utf8_lossy(&output.stderr))
            )));
        }
        let settings = Settings::read(&git, place);
        Ok(Self {
            asked: Attributes::open(&git)?,
            git,
            commit: commit.to_owned(),
            settings,
            made: BTreeMap::new(),
            scratch,
        })
    }

    pub fn get(&self, path: &Path) -> Option<&Made> {
        self.made.get(path)
    }

    /// Makes what is not made yet. `head` reads the beginning of a file as it is stored.
    ///
    /// # Errors
    /// The first file that cannot be made, and why.
    pub fn make<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a Path>,
        head: impl Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<(), (PathBuf, io::Error)> {
        let mut wanted: Vec<(&Path, Option<String>)> = Vec::new();
        for path in paths {
            if self.made.contains_key(path) {
                continue;
            }
            let named = |error| (path.to_owned(), error);
            let values = self.asked.of(path).map_err(named)?;
            let filter = Some(&values[0]).filter(|value| is_value(value)).cloned();
            if self.settings.convert(&values) {
                wanted.push((path, filter));
                continue;
            }
            if let Some(filter) = &filter {
                self.refuse_stored(&head(path).map_err(named)?, filter, false).map_err(named)?;
            }
            self.made.insert(path.to_owned(), Made::AsStored);
        }
        // Twice asked for is made once.
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() { Ok(()) } else { self.check_out(&wanted) }
    }

    fn check_out(&mut self, wanted: &[(&Path, Option<String>)]) -> Result<(), (PathBuf, io::Error)> {
        let output = self.run(wanted).map_err(|error| (wanted[0].0.to_owned(), error))?;
        // `<name of the file> TAB <path> NUL`
        let mut written: BTreeMap<&Path, PathBuf> = BTreeMap::new();
        for record in output.stdout.split(|byte| *byte == 0) {
            if let Some(tab) = record.iter().position(|byte| *byte == b'\t') {
                let (name, path) = (OsStr::from_bytes(&record[..tab]), OsStr::from_bytes(&record[tab + 1..]));
                written.insert(Path::new(path), self.scratch.path().join(name));
            }
        }
        // Git ends at the first that it cannot write.
        for (path, filter) in wanted {
            let named = |error| (path.to_path_buf(), error);
            let Some(file) = written.remove(path) else {
                let words = self.settings.without_place(&String::from_utf8_lossy(&output.stderr));
                return Err(named(self.failed(filter.as_deref(), &said(&words))));
            };
            let size = fs::metadata(&file).map_err(named)?.len();
            if let Some(filter) = filter {
                let mut head = Vec::new();
                let beginning = File::open(&file).and_then(|file| file.take(HEAD).read_to_end(&mut head));
                beginning.and_then(|_| self.refuse_stored(&head, filter, true)).map_err(named)?;
            }
            self.made.insert(path.to_path_buf(), Made::File(file, size));
        }
        Ok(())
    }

    fn run(&self, wanted: &[(&Path, Option<String>)]) -> io::Result<std::process::Output> {
        // From a file: through a pipe, git and we could wait for each other.
        let list = self.scratch.path().join("list");
        let paths: Vec<u8> =
            wanted.iter().flat_map(|(path, _)| [path.as_os_str().as_bytes(), b"\0"].concat()).collect();
        fs::write(&list, paths)?;
        let mut command = self.git.command();
        command.args(QUIET.iter().flat_map(|setting| ["-c", setting]));
        command.args(self.settings.overrides.iter().flat_map(|setting| ["-c", setting]));
        command.args(["checkout-index", "--temp", "-z", "--stdin"]);
        command.stdin(File::open(list)?).output()
    }
}

/// Whether an attribute has a value, and is not just there or not.
fn is_value(value: &str) -> bool {
    !matches!(value, "set" | "unset" | "unspecified")
}

/// What git and a filter wrote to the terminal: the end of it, where the reason is.
fn said(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Enough to know what [`Checkout::refuse_stored`] knows.
pub const HEAD: u64 = 1024;

impl Checkout {
    fn failed(&self, filter: Option<&str>, words: &str) -> io::Error {
        let Some(filter) = filter else {
            return io::Error::other(format!("git cannot check it out: {words}"));
        };
        let help = match filter {
            "lfs" => format!("{}; without git-lfs, install it and run `git lfs install`", self.fetch()),
            _ => format!(
                "install what it runs: `git config --get-regexp '^filter\\.{}\\.'` shows it; `git worktree add DIR {}` \
                 must work too",
                filter.replace('.', "\\."),
                self.commit
            ),
        };
        FileFault { message: format!("its filter `{filter}` failed: {words}"), help }.into()
    }

    fn fetch(&self) -> String {
        format!("`git lfs fetch origin {}` brings what is not on this machine", self.commit)
    }

    /// Refuses what is known to stand for the content of a file: nobody wants that deployed. `ran`: the filter did.
    fn refuse_stored(&self, head: &[u8], filter: &str, ran: bool) -> io::Result<()> {
        // Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, which has it below 1024 bytes.
        let is_pointer = head.starts_with(b"version https://git-lfs.github.com/spec/") && (head.len() as u64) < HEAD;
        let is_encrypted = head.starts_with(b"\0GITCRYPT\0");
        let what = match (is_pointer, is_encrypted) {
            (true, _) => "a pointer of git-lfs in its place",
            (_, true) => "it encrypted by git-crypt",
            (false, false) => return Ok(()),
        };
        let message = match ran {
            true => format!("its filter `{filter}` left {what}"),
            false => format!("the commit has {what}, and git knows no filter `{filter}` here"),
        };
        let help = match (is_pointer, ran) {
            (true, true) => format!(
                "unset GIT_LFS_SKIP_SMUDGE and run `git lfs install --force` without `--skip-smudge`; {}",
                self.fetch()
            ),
            (true, false) => format!("install git-lfs and run `git lfs install`; {}", self.fetch()),
            (false, _) => "`git-crypt unlock` makes it readable".to_owned(),
        };
        Err(FileFault { message, help }.into())
    }
}

/// What the settings of git say of conversions.
struct Settings {
    /// The filters that turn what is stored into something else.
    smudging: Vec<String>,
    /// Whether text gets CR LF where attributes do not say otherwise.
    crlf: bool,
    /// What is put before the command of a filter.
    place: String,
    /// For `git -c`.
    overrides: Vec<String>,
}

impl Settings {
    fn read(git: &Git, place: Option<&Path>) -> Self {
        let listed = git.output(&["config", "-z", "--get-regexp", r"^(filter\..*|core\.(autocrlf|eol))$"]);
        // The last one counts. A key without a value is true.
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for entry in listed.unwrap_or_default().split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let entry = String::from_utf8_lossy(entry);
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            values.insert(key.to_owned(), value.to_owned());
        }
        let is = |key: &str, no: &[&str]| {
            values.get(key).is_some_and(|value| !no.contains(&value.to_ascii_lowercase().as_str()))
        };
        let crlf = is("core.autocrlf", &["", "false", "no", "off", "0", "input"]) || is("core.eol", &["lf", "native"]);
        let place = place.map(before_filters).unwrap_or_default();
        let (mut smudging, mut overrides) = (Vec::new(), Vec::new());
        for (key, command) in values.iter().filter(|(_, command)| !command.is_empty()) {
            let Some((name, what)) = key.strip_prefix("filter.").and_then(|key| key.rsplit_once('.')) else { continue };
            // Git looks at the one only where the other is not there, not even empty. It expands `%f` in it.
            let place = match what {
                "process" => place.clone(),
                "smudge" if !values.contains_key(&format!("filter.{name}.process")) => expanded(&place),
                _ => continue,
            };
            smudging.push(name.to_owned());
            // `git -c` ends a key at the first `=`.
            if !name.contains('=') {
                overrides.push(format!("filter.{name}.{what}={place}{command}"));
                // Unless it is required, one that fails leaves what is stored in the place of the content.
                overrides.push(format!("filter.{name}.required=true"));
            }
        }
        Self { smudging, crlf, place, overrides }
    }

    /// What git says of a command, as it stands in the settings.
    fn without_place(&self, words: &str) -> String {
        if self.place.is_empty() {
            return words.to_owned();
        }
        words.replace(&self.place, "").replace(&expanded(&self.place), "")
    }

    /// Whether git may write something else than what is stored. It decides itself where this says so.
    fn convert(&self, [filter, text, eol, ident, encoding]: &[String; ATTRIBUTES.len()]) -> bool {
        self.smudging.contains(filter)
            || eol == "crlf"
            || (self.crlf && text != "unset")
            || ident == "set"
            || is_value(encoding)
    }
}

/// A text as git is told of it where it expands `%f`: in commands that smudge a single file.
fn expanded(text: &str) -> String {
    text.replace('%', "%%")
}

/// A checkout runs filters at the top of the work tree, where they find scripts and git its settings.
fn before_filters(place: &Path) -> String {
    let place = place.to_string_lossy().replace('\'', r"'\''");
    format!("cd '{place}' && unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG_PARAMETERS GIT_FLUSH || exit 1\n")
}

/// A `git check-attr` that answers file after file.
struct Attributes {
    child: Child,
    /// Taken when it is to end.
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Attributes {
    fn open(git: &Git) -> io::Result<Self> {
        let mut command: Command = git.command();
        command.args(["check-attr", "--cached", "--stdin", "-z"]).args(ATTRIBUTES).env("GIT_FLUSH", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (ask, answer) = (child.stdin.take(), child.stdout.take());
        let answer = answer.map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, ask, answer })
    }

    /// Answers `<path> NUL <attribute> NUL <value> NUL` for each attribute.
    fn of(&mut self, path: &Path) -> io::Result<[String; ATTRIBUTES.len()]> {
        let ask = self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        ask.write_all(&[path.as_os_str().as_bytes(), b"\0"].concat())?;
        ask.flush()?;
        let mut values = [const { String::new() }; ATTRIBUTES.len()];
        for value in &mut values {
            let mut field = Vec::new();
            for _ in 0..3 {
                field.clear();
                self.answer.read_until(0, &mut field)?;
            }
            if field.pop() != Some(0) {
                return Err(io::Error::other("git does not tell its attributes"));
            }
            *value = String::from_utf8_lossy(&field).into_owned();
        }
        Ok(values)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // It ends once nobody asks any more.
        drop(self.ask.take());
        let _ = self.child.wait();
    }
}
