//! The bundle of every app: chosen, measured, hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::select::{Include, Selection, Selector};
use super::walk::{Found, Scope, walk};
use super::{Bundle, BundleError, BundleFile, BundleSet, ByteSize, memory};
use crate::diagnostic::printable;
use crate::model::{AppName, Digest, Source};
use crate::port::{EntryKind, FileFacts, FileFault, Files};
use crate::resolve::Project;

/// The greatest number of files in a bundle.
pub const MAX_FILES: usize = 100_000;

/// The greatest size of a bundle in bytes, before compression: 1 GiB.
pub const MAX_SIZE: u64 = 1 << 30;

/// The size in bytes above which a bundle is worth a warning: 100 MiB.
pub const WARN_SIZE: u64 = 100 << 20;

/// How many files or directories an error about size names.
const NAMED: usize = 3;

/// Chooses and hashes the files of every app that has a `source`.
///
/// # Errors
/// Every [`BundleError`] but those of archives; more than one as [`BundleError::Several`].
pub fn pack(files: &dyn Files, project: &Project) -> Result<BundleSet, BundleError> {
    let manifests = manifests(files, project);
    let mut by_root: BTreeMap<&Path, Vec<(&AppName, &Source)>> = BTreeMap::new();
    for (name, app) in &project.apps {
        if let Some(source) = &app.source {
            by_root.entry(&source.root).or_default().push((name, source));
        }
    }
    let mut set = BundleSet::default();
    let mut errors = Vec::new();
    for (root, sources) in by_root {
        match pack_root(files, root, &sources, &manifests) {
            Ok(bundles) => set.by_app.extend(bundles),
            Err(found) => errors.extend(found),
        }
    }
    match errors.len() {
        0 => Ok(set),
        1 => Err(errors.remove(0)),
        _ => Err(BundleError::Several(errors)),
    }
}

/// The files that declare the apps, whatever they are called.
fn manifests(files: &dyn Files, project: &Project) -> BTreeSet<PathBuf> {
    let declared = project.apps.values().filter_map(|app| {
        let (_, file) = project.diagnostics.sources.iter().find(|(id, _)| *id == app.declared_at.file)?;
        files.resolve(&app.directory.join(file.path.file_name()?)).ok()
    });
    declared.collect()
}

type Bundles = Vec<(AppName, Arc<Bundle>)>;

/// Apps of one root share a walk and a hashing.
fn pack_root(
    files: &dyn Files,
    root: &Path,
    sources: &[(&AppName, &Source)],
    manifests: &BTreeSet<PathBuf>,
) -> Result<Bundles, Vec<BundleError>> {
    let real = match (files.look(root), files.resolve(root)) {
        (Ok(EntryKind::Directory), Ok(real)) => real,
        (Err(error), _) | (_, Err(error)) if FileFault::help(&error).is_some() => {
            return Err(vec![BundleError::read(root, error)]);
        }
        _ => {
            let fault = |(app, _): &(&AppName, &Source)| BundleError::Root { app: (*app).clone(), path: root.into() };
            return Err(sources.iter().map(fault).collect());
        }
    };
    // Equal sources are selected once.
    let mut selectors: Vec<(&Source, Vec<&AppName>, Selector)> = Vec::new();
    for (app, source) in sources {
        match selectors.iter_mut().find(|(known, ..)| known == source) {
            Some((_, apps, _)) => apps.push(app),
            None => selectors.push((source, vec![app], Selector::new(files, app, &real, source))),
        }
    }
    let (found, directories) = find(files, &real, &selectors, manifests).map_err(|error| vec![error])?;
    let mut chosen: Vec<(Vec<&AppName>, Selection)> = Vec::new();
    let mut errors = Vec::new();
    for (_, apps, selector) in selectors {
        let selected = selector.select(apps[0], &found, &directories).and_then(|mut selection| {
            let measured = count(apps[0], &real, &selection)
                .and_then(|()| settle(files, &real, &mut selection))
                .and_then(|()| measure(apps[0], &selection));
            measured.map(|()| selection).map_err(|error| vec![error])
        });
        match selected {
            Ok(selection) => chosen.push((apps, selection)),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let digests = hash(files, &real, &chosen)?;
    let mut bundles = Bundles::new();
    for (apps, selection) in chosen {
        let files_of = selection.taken.iter().map(|(path, facts)| BundleFile {
            path: path.clone(),
            executable: facts.executable,
            size: facts.size,
            digest: digests[path],
        });
        let bundle = Arc::new(Bundle::new(real.clone(), files_of.collect(), selection.left_out));
        memory::remember(files, &bundle);
        bundles.extend(apps.into_iter().map(|app| (app.clone(), bundle.clone())));
    }
    Ok(bundles)
}

/// Walks the root for patterns, and each directory that is included by name for itself.
fn find(
    files: &dyn Files,
    root: &Path,
    selectors: &[(&Source, Vec<&AppName>, Selector)],
    manifests: &BTreeSet<PathBuf>,
) -> Result<(Found, BTreeMap<String, Found>), BundleError> {
    let everything = BTreeSet::from([String::new()]);
    let mut wanted = BTreeSet::new();
    let mut directories = BTreeMap::new();
    for include in selectors.iter().flat_map(|(.., selector)| &selector.include) {
        match include {
            Include::Everything => drop(wanted.insert(String::new())),
            Include::Glob { prefix, .. } => drop(wanted.insert(prefix.clone())),
            Include::Directory(start) if !directories.contains_key(start) => {
                let found = walk(files, &Scope { root, start, wanted: &everything, manifests })?;
                directories.insert(start.clone(), found);
            }
            Include::Directory(_) | Include::File(..) => {}
        }
    }
    let found = match wanted.is_empty() {
        true => Found::default(),
        false => walk(files, &Scope { root, start: "", wanted: &wanted, manifests })?,
    };
    Ok((found, directories))
}

/// Refuses what is empty or too many, before anything is read.
fn count(app: &AppName, root: &Path, selection: &Selection) -> Result<(), BundleError> {
    let taken = &selection.taken;
    if taken.is_empty() {
        return Err(BundleError::Empty { app: app.clone(), root: root.to_owned() });
    }
    if taken.len() > MAX_FILES {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for path in taken.keys() {
            *counts.entry(path.split_once('/').map_or(".", |(top, _)| top)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        return Err(BundleError::TooMany {
            app: app.clone(),
            largest: list(counts.iter().map(|(top, n)| format!("{} ({n})", printable(top)))),
        });
    }
    Ok(())
}

/// Learns how large the files really are.
fn settle(files: &dyn Files, root: &Path, selection: &mut Selection) -> Result<(), BundleError> {
    let asked: Vec<(PathBuf, FileFacts)> =
        selection.taken.iter().map(|(path, facts)| (root.join(path), *facts)).collect();
    let exact = files.exact(&asked).map_err(|(path, error)| BundleError::read(path, error))?;
    selection.taken.values_mut().zip(exact).for_each(|(facts, exact)| *facts = exact);
    Ok(())
}

/// Refuses what is too much.
fn measure(app: &AppName, selection: &Selection) -> Result<(), BundleError> {
    let taken = &selection.taken;
    let size = taken.values().map(|facts| facts.size).sum();
    if size > MAX_SIZE {
        let mut largest: Vec<_> = taken.iter().collect();
        largest.sort_by_key(|(_, facts)| std::cmp::Reverse(facts.size));
        let largest =
            list(largest.iter().map(|(path, facts)| format!("{} ({})", printable(path), ByteSize(facts.size))));
        return Err(BundleError::TooLarge { app: app.clone(), size: ByteSize(size), largest });
    }
    Ok(())
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.take(NAMED).collect::<Vec<_>>().join(", ")
}

/// Hashes every file once, whoever takes it.
fn hash(
    files: &dyn Files,
    root: &Path,
    chosen: &[(Vec<&AppName>, Selection)],
) -> Result<BTreeMap<String, Digest>, Vec<BundleError>> {
    let union: BTreeMap<&String, FileFacts> =
        chosen.iter().flat_map(|(_, selection)| selection.taken.iter().map(|(path, facts)| (path, *facts))).collect();
    let asked: Vec<(PathBuf, FileFacts)> = union.iter().map(|(path, facts)| (root.join(path), *facts)).collect();
    let mut digests = BTreeMap::new();
    let mut errors = Vec::new();
    for ((path, (full, _)), result) in union.keys().zip(&asked).zip(files.digests(root, &asked)) {
        match result {
            Ok(digest) => drop(digests.insert((*path).clone(), digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                errors.push(BundleError::Changed { path: full.clone() });
            }
            Err(error) => errors.push(BundleError::read(full, error)),
        }
    }
    if errors.is_empty() { Ok(digests) } else { Err(errors) }
}
