//! Cases of the built program, on an embedded control plane of their own.
//!
//! A case is a directory with
//! - `cmd`: a line each that is run by `sh` in a copy of the tree, with `flyte` on PATH; lines with `#` are comments;
//! - `in/`: the tree, or `in.txt`: the directory of the repository to copy; neither: an empty one;
//! - `stdout.txt`, `stderr.txt`: what the lines print, and how they exit where that is not 0; states on the way are left
//!   out of it;
//! - `rpcs.txt`: what was asked of the control plane, without the looks at single apps;
//! - `out/`: the files that were made or changed. A file that is not there was not: nothing else was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cases::{Differs, compare};
use super::redact::Redactor;

type Result<T> = datatest_stable::Result<T>;

/// A line that runs longer is ended, and the case fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Requests that are not told.
const LOOKS: [&str; 2] = ["AppService/Get ", "AppService/Watch "];
/// Requests that change nothing: how often one of them is repeated says nothing.
const READS: [&str; 7] = ["Get", "List", "Watch", "Tail", "Select", "UserInfo", "CreateDownloadLink"];
/// Commands that only read, and those beside which a line may write.
const READING: [&str; 2] = ["plan", "status"];
const WRITING: [&str; 7] = ["apply", "deploy", "activate", "deactivate", "delete", "rollback", "rm"];
/// States on the way of an app that may pass unseen.
const PROGRESS: [&str; 6] = ["deploying", "pending", "initializing", "scaling up", "scaling down", "deleting"];

/// Runs a case and compares what it does with what lies beside it.
pub fn check(cmd: &Path) -> Result<()> {
    let directory = cmd.parent().ok_or("a case is in a directory")?;
    let desk = Desk::new(&source(directory)?)?;
    let before = files(&desk.tree)?;
    let mut redactor = Redactor::default();
    redactor.know(desk.tree.to_str().unwrap(), "[tree]");
    redactor.know(desk.root.to_str().unwrap(), "[desk]");
    let (mut stdout, mut stderr, mut rpcs) = (String::new(), String::new(), String::new());
    for line in fs::read_to_string(cmd)?.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let on_record = desk.records()?;
        let ran = desk.run(line)?;
        if only_reads(line) && desk.records()? != on_record {
            return Err(format!("`{line}` changed what is on record").into());
        }
        section(&mut stdout, line, &redactor.redact(&ran.stdout));
        if ran.exit != 0 {
            stdout.push_str(&format!("[exit {}]\n", ran.exit));
        }
        let said = without_progress(&ran.stderr);
        if !said.is_empty() {
            section(&mut stderr, line, &redactor.redact(&said));
        }
        let asked = requests(&ran.rpcs, &redactor);
        if !asked.is_empty() {
            section(&mut rpcs, line, &asked);
        }
    }
    let mut after = files(&desk.tree)?;
    // What is on record tells times and hosts.
    after.retain(|name, _| !name.contains(".flyte/releases/"));
    drop(desk);

    let mut expected: BTreeSet<String> = files(&directory.join("out"))?.into_keys().collect();
    let mut differences = Vec::new();
    for (name, text) in [("stdout.txt", &stdout), ("stderr.txt", &stderr), ("rpcs.txt", &rpcs)] {
        differences.extend(told(&directory.join(name), text)?);
    }
    for (name, content) in after.iter().filter(|(name, content)| before.get(*name) != Some(content)) {
        expected.remove(name);
        let text = redactor.redact(&String::from_utf8_lossy(content));
        differences.extend(told(&directory.join("out").join(name), &text)?);
    }
    for name in expected {
        differences.extend(told(&directory.join("out").join(name), "")?);
    }
    differences.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("{name} is gone")));
    if differences.is_empty() { Ok(()) } else { Err(Box::new(Differs(differences.join("\n")))) }
}

/// Appends what a line of the case did.
fn section(text: &mut String, line: &str, told: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("$ {line}\n{told}"));
    if !text.ends_with('\n') {
        text.push_str("[no newline]\n");
    }
}

/// Compares, or rewrites; an empty file is none.
fn told(path: &Path, text: &str) -> Result<Option<String>> {
    if std::env::var_os("UPDATE_CASES").is_some() {
        if text.is_empty() {
            let _ = fs::remove_file(path);
            return Ok(None);
        }
        fs::create_dir_all(path.parent().unwrap())?;
    }
    Ok(compare(path, text).err().map(|differs| differs.to_string()))
}

/// Whether a line runs nothing but commands that read.
fn only_reads(line: &str) -> bool {
    let words: BTreeSet<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '.').collect();
    READING.iter().any(|command| words.contains(command)) && !WRITING.iter().any(|command| words.contains(command))
}

/// How often the program looks at an app is a matter of time, and so is how often it reads anything else. A write counts
/// each time.
fn requests(rpcs: &str, redactor: &Redactor) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in rpcs.lines().filter(|line| !LOOKS.iter().any(|look| line.starts_with(look))) {
        let method = line.split([' ', '/']).nth(1).unwrap_or_default();
        let is_read = READS.iter().any(|read| method.starts_with(read));
        let line = redactor.redact_request(line);
        if !is_read || !lines.contains(&line) {
            lines.push(line);
        }
    }
    // Both halves of a discovery are asked for at once.
    let is_discovery = |line: &String| line.starts_with("AuthMetadataService/");
    for together in lines.chunk_by_mut(|one, next| is_discovery(one) && is_discovery(next)) {
        together.sort();
    }
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

/// What happens between a write and its end, as far as it is seen.
fn without_progress(stderr: &str) -> String {
    let is_progress = |line: &&str| {
        let status = line.split(": ").nth(1).unwrap_or_default();
        PROGRESS.contains(&status.trim())
    };
    stderr.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect()
}

fn source(directory: &Path) -> Result<Option<PathBuf>> {
    let own = directory.join("in");
    if own.is_dir() {
        return Ok(Some(own));
    }
    match fs::read_to_string(directory.join("in.txt")) {
        Ok(name) => Ok(Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(name.trim()))),
        Err(_) => Ok(None),
    }
}

/// A tree to work in, with a state directory and a home of its own. Nothing it starts outlives it.
pub struct Desk {
    _directory: tempfile::TempDir,
    /// Holds everything below.
    pub root: PathBuf,
    pub tree: PathBuf,
    pub state: PathBuf,
}

/// What a line did.
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
    /// The requests that the control plane noted meanwhile.
    pub rpcs: String,
}

impl Desk {
    /// With a copy of a directory.
    pub fn new(source: &Option<PathBuf>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let root = directory.path().canonicalize()?;
        let desk = Self { tree: root.join("tree"), state: root.join("state"), root, _directory: directory };
        fs::create_dir(&desk.tree)?;
        if let Some(source) = source {
            for (name, content) in files(source)? {
                let target = desk.tree.join(&name);
                fs::create_dir_all(target.parent().unwrap())?;
                fs::write(&target, content)?;
                fs::set_permissions(&target, fs::metadata(source.join(&name))?.permissions())?;
            }
        }
        Ok(desk)
    }

    fn shell(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_flyte"));
        // Another `flyte` of this machine is not to be found.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let others = std::env::split_paths(&path).filter(|directory| !directory.join("flyte").exists());
        let path = std::env::join_paths(program.parent().map(Path::to_owned).into_iter().chain(others)).unwrap();
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(&self.tree).stdin(Stdio::null()).env_clear();
        command
            .env("PATH", path)
            .env("HOME", &self.root)
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("FLYTE_ACTOR", "ada@desk")
            .env("FLYTE_STATE_DIR", &self.state)
            .env("FLYTE_CACHE_DIR", self.root.join("cache"))
            .env("FLYTE_LOCAL_RPC_LOG", self.root.join("rpcs"));
        command
    }

    /// Runs a line until it ends.
    pub fn run(&self, line: &str) -> Result<Ran> {
        let (out, err) = (self.root.join("stdout"), self.root.join("stderr"));
        let noted = self.rpcs().len();
        // Files: a control plane that is started does not keep them waiting, as it would with pipes.
        let mut child = self.shell(line).stdout(File::create(&out)?).stderr(File::create(&err)?).spawn()?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(format!("`{line}` did not end within {PATIENCE:?}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Ran {
            exit: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&fs::read(out)?).into_owned(),
            stderr: String::from_utf8_lossy(&fs::read(err)?).into_owned(),
            rpcs: self.rpcs()[noted..].to_owned(),
        })
    }

    /// What is on record in the tree, by the names of the objects.
    fn records(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut found = files(&self.tree)?;
        found.retain(|name, _| name.contains(".flyte/releases/"));
        Ok(found)
    }

    fn rpcs(&self) -> String {
        fs::read_to_string(self.root.join("rpcs")).unwrap_or_default()
    }

    /// Whether a control plane was started and did not end.
    pub fn is_running(&self) -> bool {
        self.state.join("server.json").exists()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let stopped = self.run("flyte local stop").is_ok_and(|ran| ran.exit == 0);
        let file = fs::read_to_string(self.state.join("server.json")).ok().filter(|_| !stopped);
        let pid = file.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok()?["pid"].as_u64());
        if let Some(pid) = pid {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
}

/// Every file below a directory, by its path in it. None where there is no directory.
pub fn files(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop().filter(|next| next.is_dir()) {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(directory)?.to_str().ok_or("a name is UTF-8")?.to_owned();
                found.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(found)
}
