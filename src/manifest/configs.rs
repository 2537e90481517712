//! The SDK's configuration files that targets name: read with the manifest, so that what is wrong is told with the rest.

use super::{Manifest, normal};
use crate::config::{Directories, beside, read_file};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::port::Files;

/// Reads each, and notes what is wrong with them. Relative paths in a file begin at the manifest.
pub fn read(files: &dyn Files, manifest: &mut Manifest) {
    let targets = &manifest.root_document().table.table("target").entries;
    let named = targets.iter().filter_map(|entry| entry.node.as_table()?.get("config"));
    let named: Vec<(String, Span)> = named.filter_map(|node| Some((node.as_text()?.to_owned(), node.span))).collect();
    for (path, span) in named {
        if path.contains("${") || path.starts_with('~') {
            let (message, label) = if path.starts_with('~') {
                ("the path of a configuration lies in somebody's home", "another user has another home")
            } else {
                ("the path of a configuration comes out of a variable", "not known when files are read")
            };
            manifest.findings.push(
                Diagnostic::error(codes::INVALID_VALUE, message)
                    .label(span, label)
                    .help("write the path itself; `--config FILE` with `--target config` takes any file of yours"),
            );
        } else if !manifest.configs.contains_key(&path) {
            let directories = Directories { working: manifest.root.clone(), home: None };
            let config = read_file(files, &normal(&manifest.root.join(&path)), &directories);
            let (shown, text) =
                config.file.as_ref().map(|file| (file.shown.clone(), file.text.clone())).unwrap_or_default();
            let covered = beside(&text, &config.findings);
            let file = manifest.sources.add(shown, text);
            manifest.sources.cover(covered.into_iter().map(|range| Span::new(file, range)));
            let found = config.findings.iter().map(|finding| finding.diagnostic(file).label(span, "named here"));
            manifest.findings.extend(found);
            manifest.configs.insert(path, (file, config));
        }
    }
}
