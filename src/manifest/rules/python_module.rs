//! The module of a Python object is among the files that are packed, and is named as Python names it.

use std::path::PathBuf;

use super::super::Node;
use super::super::paths::{module_places, normal};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::port::FileKind;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().filter_map(|app| of_app(view, app)).collect()
}

fn of_app(view: &View<'_>, app: &AppView) -> Option<Diagnostic> {
    let node = app.table.get("python")?;
    // Beside a `command` it is somebody else's finding.
    let has_code = ["source", "include", "code_bundle", "command"].iter().any(|key| app.table.get(key).is_some());
    misnamed(view, app, node).or_else(|| (!has_code).then(|| without_code(node)))
}

/// Source: the published SDK: `fserve` looks at the object only where it has code to unpack.
fn without_code(node: &Node) -> Diagnostic {
    Diagnostic::warning(codes::NOTHING_TO_RUN, "`python` does nothing without code that is sent along")
        .label(node.span, "not loaded from the image")
        .help("add `source = \".\"`; for code in the image, run it with `args`")
}

fn misnamed(view: &View<'_>, app: &AppView, node: &Node) -> Option<Diagnostic> {
    let (module, attribute) = node.as_text()?.split_once(':')?;
    let files = &view.manifest.files;
    let packed = packed(app);
    let in_text = [normal(&app.directory)];
    let directories = packed.as_deref().unwrap_or(&in_text);
    // Nothing is said of what was not looked for, nor where the directory is missing.
    let mut places = directories.iter().flat_map(|directory| module_places(directory, module));
    if directories.iter().all(|directory| files.get(directory) == Some(&None))
        || !places.all(|place| files.get(&place) == Some(&None))
    {
        return None;
    }
    if let Some(package) = module.strip_suffix(".py") {
        let file = format!("{}.py", package.replace('.', "/"));
        let is_file = |directory: &PathBuf| matches!(files.get(&directory.join(&file)), Some(Some(FileKind::File)));
        let finding = if directories.iter().any(is_file) {
            Some(Diagnostic::error(codes::INVALID_VALUE, format!("`{module}` names the file `{file}`, not its module")))
        } else if packed.is_none() {
            // Who knows what is in the image: a package may have a module `py`.
            let message = format!("`{module}` is the module `py` of the package `{package}`");
            Some(Diagnostic::warning(codes::INVALID_VALUE, message))
        } else {
            None
        };
        if let Some(finding) = finding {
            let finding = finding.label(node.span, "a module has no ending as a file has");
            return Some(finding.help(format!("write `{package}:{attribute}`")));
        }
    }
    packed.as_ref()?;
    // A warning: the image may have it.
    let finding = Diagnostic::warning(codes::MISSING_FILE, format!("no module `{module}` in the source"))
        .label(node.span, "neither a file nor a package of this name");
    let (path, root) = (module.replace('.', "/"), &directories[0]);
    let shown = root.strip_prefix(&view.manifest.root).ok().filter(|inside| !inside.as_os_str().is_empty());
    let place = shown.map_or_else(|| "beside the manifest".to_owned(), |inside| format!("in `{}`", inside.display()));
    Some(finding.help(format!(
        "looked for are `{path}.py` and `{path}/__init__.py` {place}; name another module, or another directory as `source`, unless the image has it"
    )))
}

/// The directories of what is packed in which Python looks for modules, the first the source itself. `None`: the code is
/// in the image, or goes where nobody knows.
fn packed(app: &AppView) -> Option<Vec<PathBuf>> {
    let source = app.table.get("source");
    if source.is_none() && app.table.get("include").is_none() {
        return None;
    }
    let table = source.and_then(Node::as_table);
    if table.and_then(|table| table.text("dest")).is_some_and(|dest| normal(dest.as_ref()) != PathBuf::new()) {
        return None;
    }
    let root = source.and_then(|source| source.as_text().or_else(|| table?.text("root"))).unwrap_or(".");
    let root = normal(&app.directory.join(root));
    let more = app.table.table("env").text("_F_SYS_PATH").unwrap_or_default();
    let more: Vec<&str> = more.split(':').filter(|path| !path.is_empty()).collect();
    if more.iter().any(|path| path.starts_with('/')) {
        return None;
    }
    let mut directories = vec![root.clone()];
    directories.extend(more.into_iter().map(|path| normal(&root.join(path))));
    Some(directories)
}
