//! Reads the texts of a workspace and checks each on its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::check::{Phase, check_table};
use super::parse::parse;
use super::{
    Document, FILE_NAME, LoadError, MAX_APPS, MAX_BYTES, Manifest, Table, configs, covered, paths, pod, rules,
    workspace,
};
use crate::diagnostic::{Diagnostic, SourceMap, Span, codes};
use crate::port::{FileKind, Files};
use crate::schema::Schema;

/// Reads the manifest at `path`, absolute: a `flyte.toml`, or the directory of one. Members of its workspace are read
/// too.
///
/// # Errors
/// When the root text cannot be read. Mistakes in the texts are no error here: they are in [`Manifest::findings`].
pub fn load(files: &dyn Files, path: &Path) -> Result<Manifest, LoadError> {
    let path = match files.kind(path) {
        Some(FileKind::Directory) => path.join(FILE_NAME),
        _ => path.to_owned(),
    };
    if files.kind(&path).is_none() {
        return Err(LoadError::NotFound(path.parent().unwrap_or(&path).to_owned()));
    }
    let root = path.parent().map(paths::normal).unwrap_or_default();
    let mut loader =
        Loader { files, root: root.clone(), sources: SourceMap::default(), findings: Vec::new(), incomplete: false };
    let text = files.read_text(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    let mut documents = vec![loader.document(&path, text)];
    for directory in loader.members(&documents[0]) {
        documents.extend(loader.member(&directory));
    }
    loader.finish(documents)
}

struct Loader<'a> {
    files: &'a dyn Files,
    root: PathBuf,
    sources: SourceMap,
    findings: Vec<Diagnostic>,
    incomplete: bool,
}

impl Loader<'_> {
    fn document(&mut self, path: &Path, text: String) -> Document {
        let shown = path.strip_prefix(&self.root).unwrap_or(path).to_owned();
        let directory = path.parent().map(paths::normal).unwrap_or_default();
        if text.len() > MAX_BYTES {
            let message = format!("{} has {} bytes", shown.display(), text.len());
            let file = self.sources.add(shown, "");
            self.findings.push(
                Diagnostic::error(codes::TOO_LARGE, message)
                    .help(format!("a manifest has at most {MAX_BYTES} bytes: divide it with `[workspace] members`")),
            );
            self.incomplete = true;
            return Document { file, directory, table: Table::default() };
        }
        // A byte order mark is not part of the text, but spans count from what was read.
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), |rest| format!("   {rest}"));
        let file = self.sources.add(shown, text.as_str());
        let mut parsed = parse(file, &text);
        self.incomplete |= parsed.incomplete;
        self.sources.cover(covered::secrets(file, &text));
        self.findings.append(&mut parsed.findings);
        self.findings.extend(check_table(&mut parsed.table, &Schema::load().root, "", Phase::Written));
        Document { file, directory, table: parsed.table }
    }

    /// The directories of the members of a workspace, sorted.
    fn members(&mut self, root: &Document) -> Vec<PathBuf> {
        let (directories, mut findings) = workspace::members(self.files, &root.directory, &root.table);
        self.findings.append(&mut findings);
        directories
    }

    fn member(&mut self, directory: &Path) -> Option<Document> {
        let path = directory.join(FILE_NAME);
        match self.files.read_text(&path) {
            Ok(text) => Some(self.document(&path, text)),
            Err(error) => {
                let shown = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
                self.findings.push(
                    Diagnostic::error(codes::UNREADABLE, format!("cannot read {shown}: {error}"))
                        .help("a manifest is a text file in UTF-8 that this user may read"),
                );
                self.incomplete = true;
                None
            }
        }
    }

    fn finish(mut self, mut documents: Vec<Document>) -> Result<Manifest, LoadError> {
        let apps: usize = documents.iter().map(|document| document.table.table("app").entries.len()).sum();
        if apps > MAX_APPS {
            self.findings.push(
                Diagnostic::error(codes::TOO_LARGE, format!("{apps} apps are declared"))
                    .help(format!("a workspace has at most {MAX_APPS} apps: divide it")),
            );
            documents.iter_mut().for_each(|document| document.table = Table::default());
            self.incomplete = true;
        }
        let root = &documents[0];
        if root.table.get("name").is_none() && !self.incomplete {
            self.findings.push(
                Diagnostic::error(codes::MISSING_KEY, "the manifest has no `name`")
                    .label(Span::new(root.file, 0..0), "`name` is required")
                    .help("add it at the top, as in `name = \"shop\"`: it marks the apps declared here as yours"),
            );
        }
        let mut manifest = Manifest {
            root: self.root,
            sources: self.sources,
            documents,
            findings: self.findings,
            incomplete: self.incomplete,
            files: BTreeMap::new(),
            configs: BTreeMap::new(),
            pods: BTreeMap::new(),
        };
        let across = rules::across_texts(&mut manifest);
        manifest.findings.extend(across);
        manifest.files = paths::look(self.files, &manifest);
        configs::read(self.files, &mut manifest);
        manifest.pods = pod::read(self.files, &mut manifest);
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::diagnostic::{Style, render};
    use crate::port::memory::MemoryFiles;
    use crate::resolve::check_all;

    const TEXT: &str = "name = \"shop\"\nproject = \"p\"\n[vars]\ntag = { env = \"É\", default = 'x' }\n[app.web]\nargs = [\"a\",\n \"b\"]\nimage = \"w:${vars.tag}\"\ndescription = \"\"\"größer\\\n\"\"\"\nenv = { A = \"→\", B = { endpoint = \"api\" } }\nlinks = [{ path = \"/a\" }]\n[profile.p]\napp.web.port = 0x1F\n[target.x]\nendpoint = \"dns:///x\"\n";
    const PARTS: [&str; 16] =
        ["\"", "'", "[", "]", "{", "}", "=", ".", ",", "\n", "\\", "é", "#", "${", "\u{0}", "[[app]]\n"];

    /// Whatever is cut out or put in, there is an answer, and it can be shown.
    #[test]
    fn no_text_is_too_broken() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..2_000 {
            let mut text: Vec<char> = TEXT.chars().collect();
            for _ in 0..=random(4) {
                let at = random(text.len());
                match random(3) {
                    0 => drop(text.drain(at..(at + random(12)).min(text.len()))),
                    _ => drop(text.splice(at..at, PARTS[random(PARTS.len())].chars())),
                }
            }
            let text: String = text.into_iter().collect();
            let mut files = MemoryFiles::default();
            files.insert("/shop/flyte.toml", text);
            let manifest = load(&files, Path::new("/shop/flyte.toml")).unwrap();
            let diagnostics = check_all(&manifest, &BTreeMap::new());
            render(&diagnostics, Style::PLAIN);
            crate::diagnostic::to_json(&diagnostics);
        }
    }
}
