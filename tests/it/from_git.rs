//! `flyte rollback APP --from-git REV` deploys what a checkout of that commit has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::support::cli::{Desk, Ran, files};

/// The bytes of each file by its path.
type Content = BTreeMap<String, Vec<u8>>;

const MANIFEST: &str = r#"
name = "shop"
project = "flytesnacks"
domain = "development"

[defaults]
args = ["python3", "-S", "serve.py"]
activation = "auto"

[app.model]
source = { root = ".", include = ["serve.py", "data", "library"] }

[app.web]
source = { root = ".", include = ["*.py"], exclude = ["data"] }
"#;

/// What a filter such as git-lfs does: contents lie elsewhere, in `store`.
const FILTERS: &str = "git config filter.store.clean 'tee $STORE | md5sum' && \
                       git config filter.store.smudge 'cat > /dev/null; cat $STORE' && \
                       git config filter.store.required true";

fn run(desk: &Desk, line: &str) -> Ran {
    desk.run(&format!("export STORE={}/store; {line}", desk.root.display())).unwrap()
}

#[track_caller]
fn succeed(desk: &Desk, line: &str) -> Ran {
    let ran = run(desk, line);
    assert_eq!(ran.exit, 0, "`{line}`: {}{}", ran.stdout, ran.stderr);
    ran
}

const COMMIT: &str =
    "git add -A && git -c user.name=a -c user.email=a@example.com -c commit.gpgsign=false commit -q -m x";

/// A tree with a filter, ends of lines and a submodule, at its second commit; `good` is the first.
fn shop() -> Desk {
    let desk = Desk::new(&None).unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = desk.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("library/.gitattributes", b"*.txt eol=crlf ident\n");
    write("library/names.txt", b"$Id$\none\n");
    succeed(&desk, &format!("cd ../library && git init -q && {COMMIT}"));
    let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/trees/shop/serve.py");
    write("tree/serve.py", &fs::read(serve).unwrap());
    write("tree/flyte.toml", MANIFEST.as_bytes());
    write("tree/.gitattributes", b"*.bin filter=store -text\n*.bat eol=crlf\n");
    write("tree/data/model.bin", &(0..500_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    write("tree/data/run it.bat", b"one\ntwo\n");
    let add = "git -c protocol.file.allow=always submodule --quiet add \"$PWD/../library\" library";
    succeed(&desk, &format!("git init -q && {FILTERS} && {add} && {COMMIT} && git tag good"));
    // Everything is otherwise by now, what says how files are converted too.
    write("tree/.gitattributes", b"* -filter -text\n");
    write("tree/data/model.bin", b"newer\n");
    write("tree/library/names.txt", b"newer\n");
    succeed(&desk, &format!("(cd library && {COMMIT}) && echo '# newer' >> serve.py && {COMMIT}"));
    desk
}

fn bundles(desk: &Desk) -> BTreeSet<String> {
    files(&desk.state).unwrap().into_keys().filter(|name| name.ends_with(".tar.gz")).collect()
}

fn unpacked(path: &Path) -> Content {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let mut content = Content::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        content.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
    }
    content
}

#[test]
fn what_is_deployed_is_what_a_checkout_of_the_commit_has() {
    let desk = shop();
    succeed(&desk, "flyte apply --yes -q");
    let before = bundles(&desk);
    succeed(&desk, "flyte rollback model --from-git good --yes");
    let new: Vec<String> = bundles(&desk).difference(&before).cloned().collect();
    assert_eq!(new.len(), 1, "{new:?}");
    let deployed = unpacked(&desk.state.join(&new[0]));

    let settings = "-c protocol.file.allow=always -c advice.detachedHead=false";
    succeed(&desk, &format!("git {settings} clone -q -n . ../checkout"));
    succeed(&desk, &format!("cd ../checkout && {FILTERS} && git checkout -q good"));
    succeed(&desk, &format!("cd ../checkout && git {settings} submodule --quiet update --init"));
    let mut checkout = files(&desk.root.join("checkout")).unwrap();
    checkout.retain(|name, _| name == "serve.py" || name.starts_with("data/") || name.starts_with("library/"));
    checkout.retain(|name, _| name != "library/.git");
    assert_eq!(deployed.keys().collect::<Vec<_>>(), checkout.keys().collect::<Vec<_>>());
    for (name, content) in &checkout {
        assert!(deployed[name] == *content, "{name}");
    }
    assert_eq!(deployed["data/model.bin"].len(), 2_000_000);
    assert_eq!(deployed["data/run it.bat"], b"one\r\ntwo\r\n");
    assert!(deployed["library/names.txt"].starts_with(b"$Id: "));
}

#[test]
fn what_cannot_be_had_is_told_and_nothing_is_deployed() {
    let desk = shop();
    succeed(&desk, "flyte apply --yes -q");
    let refused = |expected: &[&str]| {
        let ran = run(&desk, "flyte rollback model --from-git good --yes");
        assert_eq!((ran.exit, ran.rpcs.as_str()), (1, ""), "{}{}", ran.stdout, ran.stderr);
        let told = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        expected.iter().for_each(|part| assert!(told.contains(part), "{told}"));
    };
    succeed(&desk, "mv ../store ../store-gone");
    refused(&[
        "tree/data/model.bin cause: its filter `store` failed: cat: ",
        "/store: No such file",
        "help: install what",
    ]);
    succeed(&desk, "mv ../store-gone ../store && rm -rf .git/modules library");
    refused(&[
        "tree/library cause: the submodule `library` is not on this machine",
        "submodule update --init library`",
    ]);
    // What is not packed is not needed.
    let ran = succeed(&desk, "mv ../store ../store-gone && flyte rollback web --from-git good --yes");
    assert!(ran.stdout.contains("serve.py"), "{}", ran.stdout);
}
