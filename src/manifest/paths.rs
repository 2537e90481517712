//! Paths and globs that manifests name, and what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::{Document, Manifest, Node, Table};
use crate::port::{FileKind, Files};

/// Entries looked at before a glob is taken to find something.
const MAX_ENTRIES: usize = 20_000;

/// Directories deep before a search ends.
const MAX_DEPTH: usize = 32;

/// `a/./b/../c` as `a/c`, by text alone.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    normal.push("..");
                }
            }
            other => normal.push(other),
        }
    }
    normal
}

pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The directories a path or glob leads to. A `*` finds no hidden ones.
pub fn expand(files: &dyn Files, root: &Path, pattern: &str) -> Vec<PathBuf> {
    let literal = normal(&root.join(pattern));
    // What is there under the very name is meant, whatever characters are in it.
    if !is_glob(pattern) || files.kind(&literal).is_some() {
        return vec![literal];
    }
    let Ok(glob) = GlobBuilder::new(pattern.trim_end_matches('/')).literal_separator(true).build() else {
        return Vec::new();
    };
    let matcher = glob.compile_matcher();
    let mut found = Vec::new();
    let depth = if pattern.contains("**") { MAX_DEPTH } else { pattern.split('/').count() };
    walk(files, &root.join(fixed_part(pattern)), depth, &mut |path, kind| {
        let relative = path.strip_prefix(root).unwrap_or(path);
        if kind == FileKind::Directory && matcher.is_match(relative) {
            found.push(path.to_owned());
        }
        true
    });
    found
}

/// The leading directories of a pattern that hold no glob.
fn fixed_part(pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('/').take_while(|part| !is_glob(part)).collect();
    parts.join("/")
}

/// Visits what lies below `directory` until `visit` says no; hidden entries and caches are left out. False when it was
/// stopped, or gave up.
fn walk(files: &dyn Files, directory: &Path, depth: usize, visit: &mut dyn FnMut(&Path, FileKind) -> bool) -> bool {
    let mut seen = 0;
    let mut open = vec![(directory.to_owned(), depth)];
    while let Some((directory, depth)) = open.pop() {
        for path in files.list(&directory).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || matches!(name.as_ref(), "node_modules" | "__pycache__") {
                continue;
            }
            seen += 1;
            let Some(kind) = files.kind(&path) else { continue };
            if seen > MAX_ENTRIES || !visit(&path, kind) {
                return false;
            }
            if kind == FileKind::Directory && depth > 1 {
                open.push((path, depth - 1));
            }
        }
    }
    true
}

/// What is at the literal paths and globs that `source` and `include` name anywhere, and where modules of `python` would
/// be.
pub fn look(files: &dyn Files, manifest: &Manifest) -> BTreeMap<PathBuf, Option<FileKind>> {
    let mut known = BTreeMap::new();
    for (document, tables) in layers(manifest) {
        let (roots, globs) = named(&tables);
        for source in roots.iter().map(|source| normal(&document.directory.join(source))) {
            if !source.starts_with(&manifest.root) {
                continue;
            }
            known.entry(source.clone()).or_insert_with(|| files.kind(&source));
            for glob in &globs {
                known.entry(source.join(glob)).or_insert_with(|| first_match(files, &source, glob));
            }
            let (modules, below) = modules(&tables);
            for directory in below.iter().map(|directory| normal(&source.join(directory))) {
                known.entry(directory.clone()).or_insert_with(|| files.kind(&directory));
                for place in modules.iter().flat_map(|module| module_places(&directory, module)) {
                    known.entry(place.clone()).or_insert_with(|| files.kind(&place));
                }
            }
        }
    }
    known
}

/// For every app the text that declares it, and each table that may have a say in it under some profile.
pub fn layers(manifest: &Manifest) -> Vec<(&Document, Vec<&Table>)> {
    let root = manifest.root_document();
    let mut layers = Vec::new();
    for document in &manifest.documents {
        let documents = if document.file == root.file { vec![root] } else { vec![root, document] };
        let profiles: Vec<&Table> = documents
            .iter()
            .flat_map(|document| &document.table.table("profile").entries)
            .filter_map(|entry| entry.node.as_table())
            .collect();
        let mut shared: Vec<&Table> = documents.iter().map(|document| document.table.table("defaults")).collect();
        shared.extend(profiles.iter().map(|profile| profile.table("defaults")));
        for app in &document.table.table("app").entries {
            let mut all = shared.clone();
            all.extend(app.node.as_table());
            all.extend(profiles.iter().map(|profile| profile.table("app").table(&app.key)));
            layers.push((document, all));
        }
    }
    layers
}

/// Directories and globs that some tables name, those with variables left out.
fn named<'a>(tables: &[&'a Table]) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let (mut roots, mut globs) = (BTreeSet::from(["."]), BTreeSet::new());
    let literal = |node: &'a Node| node.as_text().filter(|text| !text.contains("${"));
    for table in tables {
        let source = table.get("source");
        roots.extend(source.and_then(literal));
        roots.extend(table.table("source").get("root").and_then(literal));
        for list in [table.table("source").get("include"), table.get("include")].into_iter().flatten() {
            globs.extend(list.elements().iter().filter_map(literal));
        }
    }
    (roots, globs)
}

/// Modules that some tables serve objects of, also without an ending that is no part of the name, and the directories
/// in which Python looks for them.
fn modules<'a>(tables: &[&'a Table]) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let (mut modules, mut below) = (BTreeSet::new(), BTreeSet::from(["."]));
    for table in tables {
        let module = table.text("python").and_then(|text| text.split_once(':')).map(|(module, _)| module);
        modules.extend(module);
        modules.extend(module.and_then(|module| module.strip_suffix(".py")));
        let paths = table.table("env").text("_F_SYS_PATH").into_iter().flat_map(|paths| paths.split(':'));
        below.extend(paths.filter(|path| !path.is_empty() && !path.starts_with('/')));
    }
    (modules, below)
}

/// Where Python finds a module below a directory: a file, a package, or a directory without `__init__.py`.
pub fn module_places(directory: &Path, module: &str) -> [PathBuf; 2] {
    let path = directory.join(module.replace('.', "/"));
    [path.with_added_extension("py"), path]
}

/// What a path or the first find of a glob is. A pattern without `/` finds files in every directory.
fn first_match(files: &dyn Files, root: &Path, pattern: &str) -> Option<FileKind> {
    let literal = files.kind(&normal(&root.join(pattern)));
    if !is_glob(pattern) || literal.is_some() {
        return literal;
    }
    let matcher = GlobBuilder::new(pattern).literal_separator(true).build().ok()?.compile_matcher();
    let mut found = None;
    let ended = walk(files, &root.join(fixed_part(pattern)), MAX_DEPTH, &mut |path, kind| {
        let relative = path.strip_prefix(root).unwrap_or(path);
        let by_name = !pattern.contains('/') && path.file_name().is_some_and(|name| matcher.is_match(name));
        if matcher.is_match(relative) || by_name {
            found = Some(kind);
        }
        found.is_none()
    });
    found.or_else(|| (!ended).then_some(FileKind::File))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::memory::MemoryFiles;

    #[test]
    fn globs_find_directories_and_files() {
        let mut files = MemoryFiles::default();
        for path in ["/w/apps/a/flyte.toml", "/w/apps/b/x.py", "/w/apps/.c/flyte.toml", "/w/deep/x/y/flyte.toml"] {
            files.insert(path, "");
        }
        let check = |pattern: &str, expected: &[&str]| {
            let mut found = expand(&files, Path::new("/w"), pattern);
            found.sort();
            assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{pattern}");
        };
        check("apps/*", &["/w/apps/a", "/w/apps/b"]);
        check("apps/a", &["/w/apps/a"]);
        check("deep/**", &["/w/deep/x", "/w/deep/x/y"]);
        check("*", &["/w/apps", "/w/deep"]);
        let root = Path::new("/w");
        assert_eq!(first_match(&files, root, "apps/*/x.py"), Some(FileKind::File));
        assert_eq!(first_match(&files, root, "*.py"), Some(FileKind::File));
        assert_eq!(first_match(&files, root, "apps"), Some(FileKind::Directory));
        assert_eq!(first_match(&files, root, "*.rs"), None);
    }

    #[test]
    fn paths_are_made_normal() {
        let check = |path: &str, expected: &str| assert_eq!(normal(Path::new(path)), Path::new(expected), "{path}");
        check("/a/./b/../c/", "/a/c");
        check("/a/../../b", "/../b");
        check(".", "");
    }
}
