//! Over real repositories, against what git itself checks out.

mod submodules;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::scratch::Scratch;
use super::*;
use crate::port::{EntryKind, FileFault, FileKind};

/// A directory for a test, in which git knows no settings but those of its repositories.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// An empty repository.
    fn repository(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        run(&path, &["init", "-q"]);
        path
    }

    /// One that the commit of `from` is checked out in anew, with its submodules.
    fn checkout(&self, from: &Path, settings: &[&str]) -> PathBuf {
        let to = self.path("checkout");
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
        let clone = ["clone", "-q", "--recurse-submodules", from.to_str().unwrap(), to.to_str().unwrap()];
        run(&self.path(""), &[&settings[..], &["-c", "protocol.file.allow=always"], &clone].concat());
        to
    }
}

fn run(directory: &Path, arguments: &[&str]) -> String {
    git::git(directory, arguments).unwrap_or_else(|| panic!("git {arguments:?} fails in {}", directory.display()))
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn commit(repository: &Path) -> String {
    run(repository, &["add", "-A"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    run(repository, &[&who[..], &["commit", "-q", "-m", "some"]].concat());
    run(repository, &["rev-parse", "HEAD"])
}

fn open(top: &Path) -> CommitFiles {
    CommitFiles::open(top, "HEAD", RealFiles::default()).unwrap()
}

/// Everything below a directory by its path, as [`Files`] tell it: sizes included, which must be right.
fn content(files: &dyn Files, top: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in files.entries(&directory).unwrap() {
            let path = entry.path.strip_prefix(top).unwrap().to_owned();
            match entry.kind {
                _ if path.file_name().unwrap() == ".git" => {}
                EntryKind::Directory => directories.push(entry.path),
                EntryKind::File(facts) => {
                    let asked = [(entry.path.clone(), facts)];
                    let exact = files.exact(&asked).map_err(|(_, error)| error).unwrap()[0];
                    let read = files.read(&entry.path).unwrap();
                    assert_eq!(exact.size, read.len() as u64, "{}", path.display());
                    let mut streamed = Vec::new();
                    files.open(&entry.path).unwrap().read_to_end(&mut streamed).unwrap();
                    assert!(streamed == read, "{}", path.display());
                    assert_eq!(files.digests(top, &asked)[0].as_ref().unwrap(), &Digest::of(&read));
                    found.insert(path, read);
                }
                kind => panic!("{}: {kind:?}", path.display()),
            }
        }
    }
    found
}

/// The files of the commit are those of a checkout of it, to the byte.
fn check(desk: &Desk, repository: &Path, settings: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap();
        run(repository, &["config", key, value]);
    }
    let checkout = desk.checkout(repository, settings);
    let expected = content(&RealFiles::default(), &checkout);
    let found = content(&open(repository), repository);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, read) in &found {
        let expected = &expected[path];
        assert!(read == expected, "{}: {:?}", path.display(), String::from_utf8_lossy(read));
    }
    found
}

fn told(error: &io::Error) -> (String, String) {
    (error.to_string(), FileFault::help(error).expect("a help").to_owned())
}

#[test]
fn the_tree_of_a_commit_is_read_while_another_lies_there() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    write(&top.join("app/flyte.toml"), "one");
    write(&top.join("app/run.sh"), "#!");
    fs::set_permissions(top.join("app/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&top.join("app/data/binary"), b"a\n\0\xffb\n");
    symlink("data", top.join("app/link")).unwrap();
    symlink("/etc/hostname", top.join("app/out")).unwrap();
    commit(top);
    fs::remove_dir_all(top.join("app/data")).unwrap();
    write(&top.join("app/flyte.toml"), "two");
    write(&top.join("app/new"), "");

    let app = top.join("app");
    let files = CommitFiles::open(&app.join("flyte.toml"), "HEAD", RealFiles::default()).unwrap();
    assert_eq!(files.read_text(&app.join("flyte.toml")).unwrap(), "one");
    assert_eq!(files.read(&app.join("data/binary")).unwrap(), b"a\n\0\xffb\n");
    assert_eq!(files.read(&app.join("link/binary")).unwrap(), b"a\n\0\xffb\n");
    assert_eq!(files.resolve(&app.join("link/../link/binary")).unwrap(), app.join("data/binary"));
    assert_eq!(files.kind(&app.join("data")), Some(FileKind::Directory));
    assert_eq!(files.kind(&app.join("new")), None);
    assert_eq!(files.kind(&app.join("out")), None, "a link that leads out");
    assert_eq!(files.kind(&top.join(".git")), Some(FileKind::Directory));
    let entries = files.entries(&app).unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["data", "flyte.toml", "link", "out", "run.sh"]);
    let executable = |at: usize| matches!(entries[at].kind, EntryKind::File(facts) if facts.executable);
    assert!(executable(4) && !executable(1));
    assert_eq!(entries[2].kind, EntryKind::Link);
    assert!(files.commit(&app).unwrap().clean);
    let unknown = CommitFiles::open(&app, "no-such", RealFiles::default()).err().unwrap();
    assert_eq!(unknown.to_string(), "git knows no commit `no-such`");
}

#[test]
fn large_files_and_odd_names() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    write(&top.join("large"), (0..600_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    write(&top.join(".gitattributes"), "*.x filter=x\n");
    for name in ["with blank.x", " ", "new\nline.x", "tab\t\"quote\".x", "-n.x", "deep/ü/[x].x", "a\nb c blob 3"] {
        write(&top.join(name), format!("content of {name}\n"));
    }
    commit(top);
    let found = check(&desk, top, &["filter.x.smudge=sed s/content/CONTENT/"]);
    assert_eq!(found[Path::new("new\nline.x")], b"CONTENT of new\nline.x\n");
}

#[test]
fn filters_and_conversions_are_those_of_a_checkout() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    let attributes = "*.x filter=x\n*.both filter=x eol=crlf ident\n*.id ident\n*.bat eol=crlf\n*.utf16 text \
                      working-tree-encoding=UTF-16LE-BOM\n*.none filter=unknown\nplain.x !filter\n*.bin binary\n";
    write(&top.join(".gitattributes"), attributes);
    write(&top.join("deep/.gitattributes"), "*.y filter=x\n*.x -filter\n");
    for name in ["a.x", "plain.x", "a.both", "a.id", "a.bat", "a.none", "a.bin", "a.txt", "deep/a.x", "deep/a.y"] {
        write(&top.join(name), "one\n$Id$\ntwo\n");
    }
    let wide: Vec<u8> = [0xfeff].into_iter().chain("wide\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    write(&top.join("a.utf16"), wide);
    commit(top);
    // What lies there now says nothing of the commit.
    write(&top.join(".gitattributes"), "* -filter\n");
    write(&top.join("deep/.gitattributes"), "* filter=x\n");
    let found = check(&desk, top, &["filter.x.smudge=sed s,one,%f:1,", "filter.x.clean=cat"]);
    assert_eq!(found[Path::new("deep/a.y")], b"deep/a.y:1\n$Id$\ntwo\n");
    assert_eq!(found[Path::new("a.bat")], b"one\r\n$Id$\r\ntwo\r\n");
}

#[test]
fn settings_of_line_ends_count() {
    for setting in ["core.autocrlf=true", "core.eol=crlf"] {
        let desk = Desk::new();
        let top = &desk.repository("shop");
        write(&top.join(".gitattributes"), "*.auto text=auto\n*.no -text\n");
        for name in ["a.auto", "a.no", "a.txt"] {
            write(&top.join(name), "one\ntwo\n");
        }
        commit(top);
        let found = check(&desk, top, &[setting]);
        assert_eq!(found[Path::new("a.auto")], b"one\r\ntwo\r\n", "{setting}");
    }
}

#[test]
fn a_filter_runs_where_a_checkout_runs_it() {
    let desk = Desk::new();
    let top = &desk.repository("it's 100% a shop");
    write(&top.join(".gitattributes"), "*.x filter=x\n");
    write(&top.join("a.x"), "secret\n");
    write(&top.join("reveal.sh"), "sed s/secret/revealed/; git rev-parse --show-toplevel; env | grep -c ^GIT_DIR\n");
    commit(top);
    run(top, &["config", "filter.x.smudge", "sh ./reveal.sh || echo 'nothing left'"]);
    let files = open(top);
    let expected = format!("revealed\n{}\n0\nnothing left\n", top.display());
    assert_eq!(files.read_text(&top.join("a.x")).unwrap(), expected);
}

#[test]
fn a_filter_that_fails_is_an_error_whether_required_or_not() {
    for required in ["true", "false"] {
        let desk = Desk::new();
        let top = &desk.repository("shop");
        write(&top.join(".gitattributes"), "*.x filter=x\n");
        write(&top.join("a.x"), "stored\n");
        write(&top.join("b\n.x"), "stored\n");
        write(&top.join("c.txt"), "stored\n");
        commit(top);
        run(top, &["config", "filter.x.required", required]);
        run(top, &["config", "filter.x.smudge", "grep --silent no-such"]);
        let files = open(top);
        assert_eq!(files.read(&top.join("c.txt")).unwrap(), b"stored\n");
        let (error, help) = told(&files.read(&top.join("a.x")).unwrap_err());
        assert!(error.starts_with("its filter `x` failed: "), "{error}");
        assert!(error.contains("external filter 'grep --silent no-such' failed"), "{error}");
        assert!(help.contains("git config --get-regexp '^filter\\.x\\.'"), "{help}");
        // Of many, the one that it is about is named.
        run(top, &["config", "filter.x.smudge", "cat; test %f = a.x"]);
        let files = open(top);
        let asked = ["a.x", "b\n.x", "c.txt"].map(|name| (top.join(name), facts(&files, &top.join(name))));
        assert_eq!(files.exact(&asked).unwrap_err().0, top.join("b\n.x"));
    }
}

fn facts(files: &dyn Files, path: &Path) -> FileFacts {
    match files.look(path).unwrap() {
        EntryKind::File(facts) => facts,
        kind => panic!("{kind:?}"),
    }
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:\
                       4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[test]
fn no_pointer_and_no_ciphertext_is_taken_for_content() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    write(&top.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n*.key filter=git-crypt\n");
    write(&top.join("a.bin"), POINTER);
    write(&top.join("whole.bin"), "committed by a machine without git-lfs");
    write(&top.join("pointer.txt"), POINTER);
    write(&top.join("a.key"), b"\0GITCRYPT\0abc");
    commit(top);
    // Whatever this machine has for git-lfs.
    for key in ["filter.lfs.smudge", "filter.lfs.process"] {
        run(top, &["config", key, ""]);
    }
    let files = open(top);
    let (error, help) = told(&files.read(&top.join("a.bin")).unwrap_err());
    assert_eq!(error, "the commit has a pointer of git-lfs in its place, and git knows no filter `lfs` here");
    assert!(help.contains("`git lfs install`"), "{help}");
    let (error, help) = told(&files.open(&top.join("a.key")).err().unwrap());
    assert_eq!(error, "the commit has it encrypted by git-crypt, and git knows no filter `git-crypt` here");
    assert!(help.contains("`git-crypt unlock`"), "{help}");
    assert_eq!(files.read_text(&top.join("pointer.txt")).unwrap(), POINTER, "no filter is asked for");
    assert_eq!(files.read(&top.join("whole.bin")).unwrap(), b"committed by a machine without git-lfs");

    // As with GIT_LFS_SKIP_SMUDGE.
    run(top, &["config", "filter.lfs.process", "cat"]);
    let (error, help) = told(&open(top).read(&top.join("a.bin")).unwrap_err());
    assert!(error.starts_with("its filter `lfs` failed: "), "{error}");
    assert!(help.contains("`git lfs fetch origin "), "{help}");
    run(top, &["config", "--unset", "filter.lfs.process"]);
    run(top, &["config", "filter.lfs.smudge", "cat"]);
    let (error, help) = told(&open(top).read(&top.join("a.bin")).unwrap_err());
    assert_eq!(error, "its filter `lfs` left a pointer of git-lfs in its place");
    assert!(help.contains("GIT_LFS_SKIP_SMUDGE"), "{help}");
}

#[test]
fn files_are_made_for_those_alone_that_are_asked_for() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    write(&top.join(".gitattributes"), "*.x filter=x\n");
    write(&top.join("a.x"), "stored\n");
    write(&top.join("b.x"), "stored\n");
    commit(top);
    let log = desk.path("log");
    run(top, &["config", "filter.x.smudge", &format!("echo %f >> {}; cat; cat {}", log.display(), log.display())]);
    let files = open(top);
    assert_eq!(files.entries(top).unwrap().len(), 3);
    assert!(!log.exists());
    let asked = [(top.join("b.x"), facts(&files, &top.join("b.x")))];
    let exact = files.exact(&asked).map_err(|(_, error)| error).unwrap();
    assert_eq!(files.read_text(&top.join("b.x")).unwrap(), "stored\nb.x\n");
    assert_eq!(exact[0].size, 11);
    assert_eq!(fs::read_to_string(&log).unwrap(), "b.x\n", "once");
}

#[test]
fn nothing_is_left_behind() {
    let desk = Desk::new();
    let top = &desk.repository("shop");
    write(&top.join(".gitattributes"), "*.bat eol=crlf\n");
    write(&top.join("a.bat"), "one\n");
    commit(top);
    let hook = format!("#!/bin/sh\ntouch {}\n", top.join("hooked").display());
    write(&top.join(".git/hooks/post-index-change"), hook);
    fs::set_permissions(top.join(".git/hooks/post-index-change"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = (content(&RealFiles::default(), top), run(top, &["status", "--porcelain"]));
    let cache = crate::host::Cache::at(desk.path("cache"));
    // Of a process that died: nobody holds it any more. Of one that lives: left alone.
    write(&desk.path("cache/.commit.1.0/index"), "");
    let held = Scratch::create(Some(&cache)).unwrap();
    let files = CommitFiles::open(top, "HEAD", RealFiles::new(Some(cache))).unwrap();
    assert_eq!(files.read(&top.join("a.bat")).unwrap(), b"one\r\n");
    let left = || fs::read_dir(desk.path("cache")).unwrap().count();
    assert_eq!(left(), 2);
    assert!(held.path().is_dir());
    drop((files, held));
    assert_eq!(left(), 0);
    assert_eq!((content(&RealFiles::default(), top), run(top, &["status", "--porcelain"])), before);
}
