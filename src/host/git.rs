//! What git knows of a work tree: the commit that it is a copy of, clean or not, and where people read that.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::Commit;

/// Everything but what this program puts beside the sources itself.
const SOURCES: [&str; 2] = [":/", ":(top,exclude,glob)**/.flyte/releases/**"];

/// `None` outside a work tree, and without a commit.
pub fn commit(directory: &Path) -> Option<Commit> {
    let id = git(directory, &["rev-parse", "--verify", "HEAD"])?;
    let changes = git(directory, &[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(Commit { id, clean: changes.is_empty() })
}

/// `https://github.com/acme/shop/tree/<commit>`. `None` where there is no such place: without a remote, and where
/// something is changed or new that the commit does not have.
pub fn source_link(directory: &Path, commit: &Commit) -> Option<String> {
    if !commit.clean {
        return None;
    }
    let remotes = git(directory, &["remote"])?;
    let mut names: Vec<&str> = remotes.lines().collect();
    names.sort_unstable();
    let remote = names.iter().find(|name| **name == "origin").or_else(|| names.first())?;
    let address = git(directory, &["remote", "get-url", "--push", remote])?;
    Some(format!("{}/tree/{}", browsable(&address), commit.id))
}

/// Where the repository is whose work tree has its top at `directory`. `None` where there is no such work tree, or one
/// that git does not trust.
pub fn directory_of(directory: &Path) -> Option<PathBuf> {
    // Without it git finds the repository around.
    if !directory.join(".git").exists() {
        return None;
    }
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(["rev-parse", "--absolute-git-dir"]);
    // A hook of git that started us speaks of another one.
    let output = command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| line(&output.stdout)).flatten()
}

/// Where the repository is that a directory of a work tree belongs to.
pub fn repository(directory: &Path) -> Option<PathBuf> {
    line(&output(directory, &["rev-parse", "--absolute-git-dir"])?)
}

/// A path as git writes it.
pub fn line(output: &[u8]) -> Option<PathBuf> {
    Some(Path::new(OsStr::from_bytes(output.strip_suffix(b"\n")?)).to_owned())
}

/// What git says. It may not write: not even its index.
pub fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    output(directory, arguments).map(|output| String::from_utf8_lossy(&output).trim().to_owned())
}

/// The same to the letter.
pub fn output(directory: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).env("GIT_OPTIONAL_LOCKS", "0");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// The address without what only git needs, and without anybody's credentials.
fn browsable(address: &str) -> String {
    let address = address.strip_suffix(".git").unwrap_or(address);
    if let Some((host, path)) = address.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
        return format!("https://{host}/{path}");
    }
    let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| scheme.starts_with("http")) else {
        return address.to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_browsable() {
        let check = |address: &str, expected: &str| assert_eq!(browsable(address), expected);
        check("git@github.com:acme/shop.git", "https://github.com/acme/shop");
        check("https://github.com/acme/shop.git", "https://github.com/acme/shop");
        check("https://me:token@github.com/acme/shop", "https://github.com/acme/shop");
        check("ssh://git@host/acme/shop", "ssh://git@host/acme/shop");
        check("/srv/git/shop.git", "/srv/git/shop");
    }

    #[test]
    fn only_a_clean_tree_has_a_link() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let link = || source_link(path, &commit(path)?);
        assert_eq!(commit(path), None);
        let run = |arguments: &[&str]| git(path, arguments).expect("git does it");
        run(&["init", "-q"]);
        assert_eq!(commit(path), None, "no commit");
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        run(&[&who[..], &["commit", "-q", "--allow-empty", "-m", "first"]].concat());
        assert_eq!(link(), None, "no remote");
        run(&["remote", "add", "origin", "git@example.com:acme/shop.git"]);
        let id = run(&["rev-parse", "HEAD"]);
        assert_eq!(link(), Some(format!("https://example.com/acme/shop/tree/{id}")));
        // What is on record is no source.
        std::fs::create_dir_all(path.join(".flyte/releases")).expect("a directory");
        std::fs::write(path.join(".flyte/releases/new"), "").expect("a file");
        assert_eq!(commit(path), Some(Commit { id: id.clone(), clean: true }));
        std::fs::write(path.join("new"), "").expect("a file");
        assert_eq!(commit(path), Some(Commit { id, clean: false }));
        assert_eq!(link(), None, "not clean");
    }
}
