//! Repositories inside of others.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn add_submodule(repository: &Path, from: &Path, path: &str) {
    let from = from.to_str().unwrap();
    run(repository, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", from, path]);
}

/// `shop` has `vendor/a lib`, that has `inner`.
fn nested(desk: &Desk) -> PathBuf {
    let (inner, library) = (&desk.repository("inner"), &desk.repository("library"));
    write(&inner.join(".gitattributes"), "*.x filter=x\n");
    write(&inner.join("deep.x"), "one\n");
    commit(inner);
    write(&library.join("lib.py"), "library\n");
    add_submodule(library, inner, "inner");
    commit(library);
    let top = desk.repository("shop");
    write(&top.join("app.py"), "app\n");
    symlink("vendor/a lib/inner/deep.x", top.join("into.x")).unwrap();
    add_submodule(&top, library, "vendor/a lib");
    commit(&top);
    top
}

#[test]
fn submodules_are_as_of_the_commit_that_is_recorded() {
    let desk = Desk::new();
    let top = &nested(&desk);
    let allow = ["-c", "protocol.file.allow=always"];
    run(top, &[&allow[..], &["submodule", "--quiet", "update", "--init", "--recursive"]].concat());
    let place = top.join("vendor/a lib");
    run(&place.join("inner"), &["config", "filter.x.smudge", "sed s/one/two/"]);
    // Others by now.
    write(&place.join("lib.py"), "newer\n");
    commit(&place);
    write(&place.join("inner/deep.x"), "newer\n");
    let read = |files: &CommitFiles| {
        assert_eq!(files.read(&place.join("lib.py")).unwrap(), b"library\n");
        assert_eq!(files.read(&place.join("inner/deep.x")).unwrap(), b"two\n");
        assert_eq!(files.read(&place.join("inner/../inner/deep.x")).unwrap(), b"two\n");
        assert_eq!(files.read(&top.join("into.x")).unwrap(), b"two\n");
        assert_eq!(files.resolve(&top.join("into.x")).unwrap(), place.join("inner/deep.x"));
        let names = files.list(&place).unwrap();
        assert_eq!(names, [".gitmodules", "inner", "lib.py"].map(|name| place.join(name)));
        assert_eq!(files.kind(&place.join(".git")), Some(FileKind::Directory));
        assert_eq!(files.look(&place.join("inner")).unwrap(), EntryKind::Directory);
        assert_eq!(files.commit(&place).unwrap().id, run(top, &["rev-parse", "HEAD:vendor/a lib"]));
        assert_eq!(files.commit(top).unwrap().id, run(top, &["rev-parse", "HEAD"]));
    };
    read(&open(top));
    // From another work tree of the same repository.
    let beside = desk.path("beside");
    run(top, &["worktree", "add", "-q", beside.to_str().unwrap(), "HEAD"]);
    let files = open(&beside);
    assert_eq!(files.read(&beside.join("vendor/a lib/inner/deep.x")).unwrap(), b"two\n");
    // Their repositories stay when they leave the work tree.
    run(top, &["submodule", "--quiet", "deinit", "--force", "--all"]);
    assert!(!place.join("lib.py").exists());
    read(&open(top));
}

#[test]
fn a_whole_tree_with_submodules_is_that_of_a_checkout() {
    let desk = Desk::new();
    let library = &desk.repository("library");
    write(&library.join(".gitattributes"), "*.bat eol=crlf\n");
    write(&library.join("run.bat"), "one\n");
    commit(library);
    let top = &desk.repository("shop");
    write(&top.join("app.py"), "app\n");
    add_submodule(top, library, "library");
    commit(top);
    let found = check(&desk, top, &[]);
    assert_eq!(found[Path::new("library/run.bat")], b"one\r\n");
}

#[test]
fn a_submodule_that_is_not_here_is_an_error_where_it_is_asked_for() {
    let desk = Desk::new();
    let origin = &nested(&desk);
    let top = &desk.path("clone");
    run(&desk.path(""), &["clone", "-q", origin.to_str().unwrap(), top.to_str().unwrap()]);
    let place = top.join("vendor/a lib");
    let files = open(top);
    assert_eq!(files.read(&top.join("app.py")).unwrap(), b"app\n");
    assert_eq!(files.entries(&top.join("vendor")).unwrap()[0].kind, EntryKind::Directory);
    let (error, help) = told(&files.entries(&place).unwrap_err());
    assert_eq!(error, "the submodule `vendor/a lib` is not on this machine");
    assert_eq!(help, format!("`git -C {} submodule update --init 'vendor/a lib'` brings it", top.display()));
    assert_eq!(told(&files.look(&top.join("into.x")).unwrap_err()).0, error);

    // Nested.
    let allow = ["-c", "protocol.file.allow=always"];
    run(top, &[&allow[..], &["submodule", "--quiet", "update", "--init"]].concat());
    let files = open(top);
    assert_eq!(files.read(&place.join("lib.py")).unwrap(), b"library\n");
    let (error, help) = told(&files.read(&place.join("inner/deep.x")).unwrap_err());
    assert_eq!(error, "the submodule `vendor/a lib/inner` is not on this machine");
    assert_eq!(help, format!("`git -C '{}' submodule update --init inner` brings it", place.display()));

    // There, but older.
    let library = desk.path("library");
    write(&library.join("lib.py"), "newer\n");
    let newer = commit(&library);
    run(top, &["update-index", "--cacheinfo", &format!("160000,{newer},vendor/a lib")]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    run(top, &[&who[..], &["commit", "-q", "-m", "newer"]].concat());
    let (error, help) = told(&open(top).entries(&place).unwrap_err());
    assert_eq!(error, format!("the submodule `vendor/a lib` has no commit {newer} on this machine"));
    assert_eq!(help, format!("`git -C '{}' fetch origin {newer}` brings it", place.display()));
}

#[test]
fn the_name_of_a_submodule_leads_nowhere_else() {
    let desk = Desk::new();
    let other = &desk.repository("other");
    write(&other.join("secret"), "secret\n");
    let commit_of_other = commit(other);
    let top = &desk.repository("shop");
    run(top, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit_of_other},lib")]);
    write(&top.join(".gitmodules"), "[submodule \"../../../other/.git\"]\n\tpath = lib\n\turl = x\n");
    run(top, &["add", ".gitmodules"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    run(top, &[&who[..], &["commit", "-q", "-m", "some"]].concat());
    fs::create_dir_all(top.join(".git/modules")).unwrap();
    let (error, _) = told(&open(top).entries(&top.join("lib")).unwrap_err());
    assert_eq!(error, "the submodule `lib` is not on this machine");
    // Nor does an empty directory in its place, which git takes for a part of the tree around it.
    fs::create_dir_all(top.join("lib")).unwrap();
    assert!(open(top).entries(&top.join("lib")).is_err());
}
