//! Packing over the twin in memory; over the real file system where links and modes matter.
#![expect(clippy::disallowed_methods, reason = "real trees are made for the tests")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use md5::{Digest as _, Md5};

use super::*;
use crate::host::{Cache, RealFiles};
use crate::model::{App, AppName};
use crate::port::Files;
use crate::port::memory::MemoryFiles;
use crate::resolve::sample::{app_from, project};

fn tree(paths: &[&str]) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    for path in paths {
        let (path, content) = path.split_once('=').unwrap_or((path, "content"));
        files.insert(Path::new("/w").join(path), content.replace("\\n", "\n"));
    }
    files
}

fn pack_one(files: &dyn Files, app: App) -> Result<std::sync::Arc<Bundle>, BundleError> {
    let name = app.name.clone();
    pack(files, &project([app])).map(|mut set| set.by_app.remove(&name).unwrap())
}

fn packed(files: &dyn Files, bundle: &Bundle) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive(files, bundle).unwrap().content.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn paths(bundle: &Bundle) -> Vec<&str> {
    bundle.files.iter().map(|file| file.path.as_str()).collect()
}

/// What is packed of files below `/w`.
fn check(found: &[&str], include: &[&str], exclude: &[&str], expected: &[&str]) {
    let bundle = pack_one(&tree(found), app_from("a", "/w", include, exclude)).unwrap();
    assert_eq!(paths(&bundle), expected, "of {found:?} include {include:?} exclude {exclude:?}");
}

/// Why nothing is.
fn check_error(found: &[&str], include: &[&str], expected: &str) {
    let error = pack_one(&tree(found), app_from("a", "/w", include, &[])).unwrap_err();
    assert_eq!(error.to_string(), expected, "of {found:?} include {include:?}");
}

#[test]
fn ignore_files_and_built_in_rules() {
    let everything = &[
        "app.py",
        "flyte.toml",
        ".git/HEAD",
        ".venv/x",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "pkg/__pycache__/m.pyc",
        "pkg/mod.py",
        "node_modules/a/b.js",
        "x.egg-info/PKG",
        ".flyte/releases/1",
        "sub/flyte.toml",
        ".hidden",
    ];
    check(everything, &[], &[], &[".hidden", "app.py", "pkg/mod.py"]);
    let ignored = &[".gitignore=*.log\\ndist/\\n/top", "a.log", "b/c.log", "dist/x.js", "top", "b/top"];
    check(ignored, &[], &[], &["b/top"]);
    // The nearest file of a name decides; .flyteignore before .gitignore and before the built-in rules, but for .git.
    check(&[".gitignore=*.log", "a.log", "b/.gitignore=!keep.log", "b/keep.log", "b/c.log"], &[], &[], &["b/keep.log"]);
    let taken_back = &[
        ".gitignore=*.js",
        ".flyteignore=!*.js\\n*.md\\n!node_modules\\n!.git",
        "a.js",
        "a.md",
        "node_modules/b.js",
        ".git/c.js",
    ];
    check(taken_back, &[], &[], &["a.js", "node_modules/b.js"]);
}

#[test]
fn ignore_files_reach_down_from_the_top_of_the_repository_and_no_further() {
    let repository = &[
        ".gitignore=*.txt",
        "repo/.git/HEAD",
        "repo/.gitignore=*.log",
        "repo/a/.gitignore=/secret",
        "repo/a/b/x.log",
        "repo/a/b/x.txt",
        "repo/a/b/secret",
    ];
    let files = tree(repository);
    let bundle = pack_one(&files, app_from("a", "/w/repo/a/b", &[], &[])).unwrap();
    assert_eq!(paths(&bundle), ["secret", "x.txt"]);
    // Without a repository nothing above the root counts.
    let files = tree(&[".gitignore=*.txt", "a/x.txt"]);
    assert_eq!(paths(&pack_one(&files, app_from("a", "/w/a", &[], &[])).unwrap()), ["x.txt"]);
}

#[test]
fn include_and_exclude() {
    let found = &["a.py", "b.txt", "data/x.csv", "data/deep/y.csv", "data-2/z.csv", "src/m.py", "src/t/test.py"];
    check(found, &["*.py"], &[], &["a.py"]);
    check(found, &["**/*.py"], &["src/t"], &["a.py", "src/m.py"]);
    check(found, &["data"], &[], &["data/deep/y.csv", "data/x.csv"]);
    check(found, &["./data/", "a.py"], &["**/deep/**"], &["a.py", "data/x.csv"]);
    check(found, &["data/*"], &[], &["data/deep/y.csv", "data/x.csv"]);
    check(found, &["data*/*.csv"], &[], &["data-2/z.csv", "data/x.csv"]);
    check(found, &["{a.py,b.txt}"], &[], &["a.py", "b.txt"]);
    check(found, &["."], &["*.txt", "data*", "src"], &["a.py"]);
    // A name with wildcards in it means itself where it exists.
    check(&["pages/[id].js", "pages/i.js"], &["pages/[id].js"], &[], &["pages/[id].js"]);
}

#[test]
fn what_is_named_exactly_wins_over_ignore_rules() {
    let found = &[
        ".gitignore=target/\\ndist/",
        "target/release/app",
        "target/release/app.d",
        "dist/a.js",
        "dist/b.map",
        "dist/.gitignore=*.map",
    ];
    check(found, &["target/release/app"], &[], &["target/release/app"]);
    check(found, &["dist"], &[], &["dist/a.js"]);
    check(&["flyte.toml", "a"], &["flyte.toml"], &[], &["flyte.toml"]);
    check_error(found, &["dist/*.js"], "`dist/*.js`, included by `a`, matches no file that is not ignored");
}

#[test]
fn what_may_hold_credentials_is_left_out_and_said() {
    let found = &["app.py", ".env", "conf/.env.local", "conf/tls.PEM", "id_rsa", "environment.py"];
    let bundle = pack_one(&tree(found), app_from("a", "/w", &[], &[])).unwrap();
    assert_eq!(paths(&bundle), ["app.py", "environment.py"]);
    let left_out: Vec<_> = bundle.left_out.iter().map(|left| (left.path.as_str(), &left.reason)).collect();
    let secret = &Reason::Secret;
    assert_eq!(left_out, [(".env", secret), ("conf/.env.local", secret), ("conf/tls.PEM", secret), ("id_rsa", secret)]);
    check(found, &["**", "conf/tls.PEM"], &[], &["app.py", "conf/tls.PEM", "environment.py"]);
}

#[test]
fn every_mistake_is_told() {
    check_error(&["a"], &["nope.py"], "`nope.py`, included by `a`, matches no file");
    check_error(&["a"], &["*.py"], "`*.py`, included by `a`, matches no file");
    check_error(&["a"], &["../b"], "`../b` of `a` is not usable: it leads out of `source.root`");
    check_error(&["a"], &["/etc"], "`/etc` of `a` is not usable: it must be relative to `source.root`");
    check_error(&["flyte.toml"], &[], "the source of `a` has no files to pack: /w");
    let files = tree(&["x/f"]);
    let apps = [
        app_from("a", "/w/x", &["one", "two*"], &[]),
        app_from("b", "/w/missing", &[], &[]),
        app_from("c", "/w/x", &[], &[]),
    ];
    let Err(BundleError::Several(errors)) = pack(&files, &project(apps)) else { panic!("one error or none") };
    let places: Vec<_> = errors.iter().map(|error| error.place().map(|(app, key)| (app.as_str(), key))).collect();
    assert_eq!(places, [Some(("b", "source.root")), Some(("a", "source.include")), Some(("a", "source.include"))]);
}

#[test]
fn apps_of_one_root_share_what_they_can() {
    let files = tree(&["f", "g"]);
    let set = pack(
        &files,
        &project([
            app_from("a", "/w", &[], &[]),
            app_from("b", "/w", &[], &[]),
            app_from("c", "/w", &["*"], &[]),
            app_from("d", "/w", &["f"], &[]),
        ]),
    )
    .unwrap();
    let get = |name: &str| set.get(&name.parse::<AppName>().unwrap()).unwrap();
    assert!(std::sync::Arc::ptr_eq(get("a"), get("b")));
    assert_eq!(get("a").digest, get("c").digest);
    assert_eq!(paths(get("d")), ["f"]);
}

fn write(root: &Path, path: &str, content: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_same_tree_gives_the_same_digest_and_bytes_anywhere() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path(), "run.sh", "#!/bin/sh", 0o755);
    write(one.path(), "pkg/a.py", "a", 0o644);
    write(one.path(), "pkg/b.py", "b", 0o600);
    write(two.path(), "pkg/b.py", "b", 0o664);
    write(two.path(), "pkg/a.py", "a", 0o666);
    write(two.path(), "run.sh", "#!/bin/sh", 0o700);
    fs::create_dir(two.path().join("empty")).unwrap();
    let files = RealFiles::default();
    let pack = |root: &Path| pack_one(&files, app_from("a", root, &[], &[])).unwrap();
    let (first, second) = (pack(one.path()), pack(two.path()));
    assert_eq!(first.digest, second.digest);
    let bytes = packed(&files, &first);
    assert!(bytes == packed(&files, &second));
    assert_eq!(list_archive(&bytes[..]).unwrap(), first.files);
    let parcel = archive(&files, &first).unwrap();
    assert_eq!((parcel.length, parcel.md5), (bytes.len() as u64, Md5::digest(&bytes).into()));

    write(two.path(), "run.sh", "#!/bin/sh", 0o644);
    assert_ne!(pack(two.path()).digest, first.digest);
    for content in ["A", "longer", ""] {
        write(one.path(), "pkg/a.py", content, 0o644);
        assert!(matches!(archive(&files, &first), Err(BundleError::Changed { .. })), "{content}");
    }
}

#[test]
fn links_are_followed_inside_and_refused_outside() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("root");
    write(base.path(), "outside/secret.txt", "s", 0o644);
    write(&root, "real/a.py", "a", 0o644);
    write(&root, "real/.env", "KEY=1", 0o644);
    symlink("a.py", root.join("real/link.py")).unwrap();
    symlink("real", root.join("linked")).unwrap();
    symlink("../outside", root.join("out")).unwrap();
    symlink("../outside/secret.txt", root.join("out.txt")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("..", root.join("real/up")).unwrap();
    symlink("real/.env", root.join("harmless")).unwrap();
    let files = RealFiles::default();
    let bundle = pack_one(&files, app_from("a", &root, &[], &[])).unwrap();
    assert_eq!(paths(&bundle), ["linked/a.py", "linked/link.py", "real/a.py", "real/link.py"]);
    let outside = fs::canonicalize(base.path()).unwrap().join("outside");
    let left_out: Vec<_> = bundle.left_out.iter().map(|left| (left.path.as_str(), left.reason.clone())).collect();
    assert_eq!(
        left_out,
        [
            ("dangling", Reason::Dangling),
            ("harmless", Reason::Secret),
            ("linked/.env", Reason::Secret),
            ("linked/up", Reason::Loop),
            ("out", Reason::Outside(outside.clone())),
            ("out.txt", Reason::Outside(outside.join("secret.txt"))),
            ("real/.env", Reason::Secret),
            ("real/up", Reason::Loop),
        ]
    );
    assert_eq!(list_archive(&packed(&files, &bundle)[..]).unwrap(), bundle.files);
    for pattern in ["out.txt", "out", "out/secret.txt"] {
        let error = pack_one(&files, app_from("a", &root, &[pattern], &[])).unwrap_err();
        assert!(matches!(error, BundleError::Outside { .. }), "{pattern}: {error}");
    }
}

#[test]
fn sockets_and_names_that_are_no_text_are_left_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a", "a", 0o644);
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "").unwrap();
    let bundle = pack_one(&RealFiles::default(), app_from("a", root.path(), &[], &[])).unwrap();
    assert_eq!(paths(&bundle), ["a"]);
    let reasons: Vec<_> = bundle.left_out.iter().map(|left| &left.reason).collect();
    assert_eq!(reasons, [&Reason::Name, &Reason::Special]);
}

#[test]
fn long_and_strange_names_survive_the_archive() {
    let long = format!("{}/{}.txt", "d".repeat(120), "f".repeat(180));
    let files = tree(&[&long, "with space", "ünï.txt", "-rf", "new\\nline"]);
    let bundle = pack_one(&files, app_from("a", "/w", &[], &[])).unwrap();
    assert_eq!(bundle.files.len(), 5);
    assert_eq!(list_archive(&packed(&files, &bundle)[..]).unwrap(), bundle.files);
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    assert!(matches!(list_archive(&b"not gzip"[..]), Err(DamagedArchive::Unreadable(_))));
    let garbage = gzip::gzip(&[1; 4096]).unwrap();
    assert!(matches!(list_archive(&garbage[..]), Err(DamagedArchive::Unreadable(_))));
    assert_eq!(list_archive(&gzip::gzip(&[0; 1024]).unwrap()[..]).unwrap(), []);
}

#[test]
fn file_lists_are_remembered() {
    let cache = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a", "1", 0o755);
    let files = RealFiles::new(Some(Cache::at(cache.path())));
    let old = pack_one(&files, app_from("a", root.path(), &[], &[])).unwrap();
    write(root.path(), "a", "22", 0o755);
    let new = pack_one(&files, app_from("a", root.path(), &[], &[])).unwrap();
    let changes = compare(&recall(&files, old.digest).unwrap(), &new.files);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].path.as_str(), changes[0].kind), ("a", FileChangeKind::Changed));
    assert_eq!(recall(&RealFiles::default(), old.digest), None);
}
