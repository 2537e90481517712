//! Where people read the source of a work tree: its remote, and the commit that it is a clean copy of.

use std::path::Path;
use std::process::{Command, Stdio};

/// `https://github.com/acme/shop/tree/<commit>`. `None` where there is no such place: outside a work tree, without a
/// commit or a remote, and where something is changed or new that the commit does not have.
pub fn source_link(directory: &Path) -> Option<String> {
    let commit = git(directory, &["rev-parse", "--verify", "HEAD"])?;
    let remotes = git(directory, &["remote"])?;
    let mut names: Vec<&str> = remotes.lines().collect();
    names.sort_unstable();
    let remote = names.iter().find(|name| **name == "origin").or_else(|| names.first())?;
    let address = git(directory, &["remote", "get-url", "--push", remote])?;
    git(directory, &["status", "--porcelain"])?.is_empty().then(|| format!("{}/tree/{commit}", browsable(&address)))
}

/// What git says. It may not write: not even its index.
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).env("GIT_OPTIONAL_LOCKS", "0");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
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
        assert_eq!(source_link(path), None);
        let run = |arguments: &[&str]| git(path, arguments).expect("git does it");
        run(&["init", "-q"]);
        assert_eq!(source_link(path), None, "no commit");
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        run(&[&who[..], &["commit", "-q", "--allow-empty", "-m", "first"]].concat());
        assert_eq!(source_link(path), None, "no remote");
        run(&["remote", "add", "origin", "git@example.com:acme/shop.git"]);
        let commit = run(&["rev-parse", "HEAD"]);
        assert_eq!(source_link(path), Some(format!("https://example.com/acme/shop/tree/{commit}")));
        std::fs::write(path.join("new"), "").expect("a file");
        assert_eq!(source_link(path), None, "not clean");
    }
}
