//! What a commit has, by path.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub type Tree = BTreeMap<PathBuf, BTreeMap<OsString, Node>>;

#[derive(Debug, Clone)]
pub enum Node {
    Directory,
    Blob {
        object: String,
        size: u64,
        kind: Kind,
    },
    /// A repository of its own, whose files the commit does not have.
    Submodule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Executable,
    Link,
}

/// Reads `<mode> <type> <object> <size>\t<path>\0…`.
pub fn tree(listed: &[u8]) -> Option<Tree> {
    let mut tree: Tree = BTreeMap::from([(PathBuf::new(), BTreeMap::new())]);
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let path = Path::new(OsStr::from_bytes(&line[tab + 1..]));
        let mut words = std::str::from_utf8(&line[..tab]).ok()?.split_ascii_whitespace();
        let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let blob = |kind| Some(Node::Blob { object: object.to_owned(), size: size.parse().ok()?, kind });
        let node = match mode {
            "100755" => blob(Kind::Executable)?,
            "120000" => blob(Kind::Link)?,
            "160000" => Node::Submodule,
            _ => blob(Kind::Plain)?,
        };
        tree.entry(path.parent()?.to_owned()).or_default().insert(path.file_name()?.to_owned(), node);
        for directory in path.ancestors().skip(1).take_while(|directory| directory.parent().is_some()) {
            let parent = tree.entry(directory.parent()?.to_owned()).or_default();
            parent.entry(directory.file_name()?.to_owned()).or_insert(Node::Directory);
        }
    }
    Some(tree)
}
