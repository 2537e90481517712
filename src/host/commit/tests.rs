//! Over real repositories.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

#[test]
fn the_tree_of_a_commit_is_read_while_another_lies_there() {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path();
    let run = |arguments: &[&str]| git::git(top, arguments).unwrap();
    run(&["init", "-q"]);
    fs::create_dir_all(top.join("app/data")).unwrap();
    fs::write(top.join("app/flyte.toml"), "one").unwrap();
    fs::write(top.join("app/run.sh"), "#!").unwrap();
    fs::set_permissions(top.join("app/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(top.join("app/data/binary"), b"a\n\0\xffb\n").unwrap();
    symlink("data", top.join("app/link")).unwrap();
    symlink("/etc/hostname", top.join("app/out")).unwrap();
    run(&["add", "-A"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    run(&[&who[..], &["commit", "-q", "-m", "first"]].concat());
    fs::remove_dir_all(top.join("app/data")).unwrap();
    fs::write(top.join("app/flyte.toml"), "two").unwrap();
    fs::write(top.join("app/new"), "").unwrap();

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
