//! The choices for the whole manifest: owner, target, organisation, project, domain.

use super::vars::{Filling, Variables};
use super::way::{self, Way};
use super::{Layer, Origin, ReleaseStore, Selection, Target, releases};
use crate::config::{self, Part, Parts};
use crate::diagnostic::{Diagnostic, FileId, Span, codes, did_you_mean};
use crate::manifest::{Manifest, Node, Table};
use crate::model::{Scope, target};

/// One choice, and what made it.
#[derive(Debug, Clone)]
pub struct Choice {
    pub value: Option<String>,
    pub origin: Origin,
    /// Something is written, but not usable; a mistake was reported.
    pub mistaken: bool,
}

#[derive(Debug, Clone)]
pub struct Chosen {
    pub name: Choice,
    pub org: Choice,
    pub project: Choice,
    pub domain: Choice,
    pub target_name: Choice,
    pub target: Target,
    pub releases: ReleaseStore,
    /// As written, with where.
    pub release_settings: Vec<(&'static str, Choice)>,
    /// How the target is reached, part by part; empty for the embedded control plane.
    pub parts: Parts<Origin>,
    /// What was read otherwise than the SDK reads it.
    pub notes: Vec<String>,
    /// What is wrong with the SDK's configuration, where it was needed. Only those who deploy need it to be right.
    pub unconfigured: Vec<Diagnostic>,
}

impl Choice {
    fn nothing() -> Self {
        Self { value: None, origin: Origin::Default, mistaken: false }
    }

    fn of(value: impl Into<String>, origin: Origin) -> Self {
        Self { value: Some(value.into()), origin, mistaken: false }
    }

    /// Nothing is written about it.
    fn is_open(&self) -> bool {
        self.value.is_none() && !self.mistaken
    }
}

impl Chosen {
    /// `None` where project or domain is missing.
    pub fn scope(&self) -> Option<Scope> {
        Some(Scope {
            org: self.org.value.clone().unwrap_or_default(),
            project: self.project.value.clone()?,
            domain: self.domain.value.clone()?,
        })
    }
}

pub fn choose(
    manifest: &Manifest,
    selection: &Selection,
    variables: &Variables,
    filling: &mut Filling,
    findings: &mut Vec<Diagnostic>,
) -> Chosen {
    let root = &manifest.root_document().table;
    let empty = Table::default();
    let profile = selection.profile.as_deref().map_or(&empty, |name| root.table("profile").table(name));
    let mut pick = |key: &str, flag: Option<&String>, option: &'static str| -> Choice {
        if let Some(value) = flag {
            return Choice::of(value, Origin::Flag(option));
        }
        let profile_layer = || Layer::Profile(selection.profile.clone().unwrap_or_default());
        let written = profile
            .get(key)
            .map(|node| (node, profile_layer()))
            .or_else(|| root.get(key).map(|node| (node, Layer::Root)));
        let Some((node, layer)) = written else { return Choice::nothing() };
        let mut node = node.clone();
        variables.fill_node(&mut node, filling);
        let value = node.as_text().map(str::to_owned);
        Choice { mistaken: value.is_none(), value, origin: Origin::Text { span: node.span, layer } }
    };
    let name = pick("name", None, "");
    let org = pick("org", selection.org.as_ref(), "--org");
    let mut project = pick("project", selection.project.as_ref(), "--project");
    let mut domain = pick("domain", selection.domain.as_ref(), "--domain");
    let written_target = pick("target", selection.target.as_ref(), "--target");

    let (releases, release_settings) = releases::store(manifest, variables, filling);
    let (target_name, by_default) = target_name(selection, manifest, written_target, findings);
    let mut chooser = Chooser { manifest, selection, variables, filling, findings, unconfigured: Vec::new() };
    let (target, way) = chooser.target(&target_name);
    let mut unconfigured = chooser.unconfigured;

    let needs_scope = project.is_open() || domain.is_open();
    for (choice, key) in [(&mut project, "task.project"), (&mut domain, "task.domain")] {
        if choice.is_open()
            && let Some(found) = configured(manifest, selection, way.file.as_deref(), key)
        {
            *choice = found;
        }
    }
    let config = &selection.config;
    if by_default || way.is_sdk || needs_scope || config.is_asked_for {
        let file = file_of_config(manifest);
        unconfigured.splice(0..0, config.findings.iter().map(|finding| finding.diagnostic(file)));
    }
    let org = organisation(org, &way.parts, &target);
    let mut notes = way.notes;
    if by_default && !way.is_sdk {
        notes.clone_from(&config.notes);
    }
    if way.is_sdk {
        notes.extend(way::notes_on_org(&way.parts, &org));
    }
    let parts = way.parts;
    Chosen { name, org, project, domain, target_name, target, releases, release_settings, parts, notes, unconfigured }
}

/// The text of the SDK's configuration comes after those of the manifest.
pub fn file_of_config(manifest: &Manifest) -> FileId {
    FileId(u32::try_from(manifest.sources.iter().count()).unwrap_or(u32::MAX))
}

/// The name of the target, and whether nobody chose it: then the SDK's configuration decides.
fn target_name(
    selection: &Selection,
    manifest: &Manifest,
    written: Choice,
    findings: &mut Vec<Diagnostic>,
) -> (Choice, bool) {
    if let Some(endpoint) = &selection.endpoint {
        return (Choice::of(way::name_of(endpoint), Origin::Flag("--endpoint")), false);
    }
    if written.value.is_some() {
        return (written, false);
    }
    if let Some(marked) = default_target(manifest.root_document().table.table("target"), findings) {
        return (marked, false);
    }
    let choice = match &selection.config.parts.endpoint {
        Some(endpoint) => Choice::of(Target::CONFIG, way::origin(&endpoint.origin, file_of_config(manifest))),
        None => Choice::of(Target::LOCAL, Origin::Default),
    };
    (choice, true)
}

/// The table marked `default = true`.
fn default_target(targets: &Table, findings: &mut Vec<Diagnostic>) -> Option<Choice> {
    let marks: Vec<(&str, &Node)> = targets
        .entries
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), entry.node.as_table()?.get("default")?)))
        .filter(|(_, mark)| mark.as_boolean() == Some(true))
        .collect();
    if let [(_, first), (_, second), ..] = marks.as_slice() {
        findings.push(
            Diagnostic::error(codes::INVALID_VALUE, "two targets are the default")
                .label(second.span, "the second")
                .label(first.span, "the first")
                .help("remove `default = true` from one of them"),
        );
    }
    let (name, mark) = marks.first()?;
    Some(Choice::of(*name, Origin::Text { span: mark.span, layer: Layer::Root }))
}

struct Chooser<'a> {
    manifest: &'a Manifest,
    selection: &'a Selection,
    variables: &'a Variables,
    filling: &'a mut Filling,
    findings: &'a mut Vec<Diagnostic>,
    unconfigured: Vec<Diagnostic>,
}

impl Chooser<'_> {
    fn target(&mut self, choice: &Choice) -> (Target, Way) {
        let name = choice.value.clone().unwrap_or_else(|| Target::LOCAL.to_owned());
        let way = if self.selection.endpoint.is_some() || name == Target::CONFIG {
            way::of_sdk(self.selection, file_of_config(self.manifest))
        } else if name == Target::LOCAL {
            if self.selection.insecure {
                self.findings.push(
                    Diagnostic::error(codes::INVALID_VALUE, "--insecure is about a control plane at an address")
                        .help("remove it, or choose one with --endpoint or --target"),
                );
            }
            return (Target::local(), Way::default());
        } else {
            match self.table(&name, choice) {
                Some(way) => way,
                None => return (Target { name, connection: None }, Way::default()),
            }
        };
        self.findings.extend(way.findings.iter().cloned());
        let connection = match way.parts.connection() {
            Ok(Some(connection)) => Some(connection),
            Ok(None) if way.is_sdk => {
                self.unconfigured.extend(self.no_endpoint(choice));
                None
            }
            // The rules told of it.
            Ok(None) => None,
            Err(lacking) => {
                self.unconfigured.extend(way::incomplete(&way.parts, lacking));
                None
            }
        };
        (Target { name, connection }, way)
    }

    /// `None` where there is no such table, or only a mistake.
    fn table(&mut self, name: &str, choice: &Choice) -> Option<Way> {
        let targets = self.manifest.root_document().table.table("target");
        let Some(entry) = targets.entry(name) else {
            if !self.manifest.incomplete {
                self.findings.push(unknown_target(name, choice, targets));
            }
            return None;
        };
        let mut table = entry.node.as_table()?.clone();
        self.variables.fill(&mut table, self.filling);
        self.findings.extend(way::check(&mut table, name));
        Some(way::of_table(self.manifest, &table, self.selection))
    }

    fn no_endpoint(&self, choice: &Choice) -> Option<Diagnostic> {
        // What hides the endpoint is told in its place.
        let is_broken = self.selection.config.findings.iter().any(|finding| finding.is_fatal());
        if is_broken {
            return None;
        }
        // Once a file is found, no other is looked at.
        let (found, place) = match &self.selection.config.file {
            Some(file) => {
                let shown = file.shown.display();
                (format!("{shown} has no `admin.endpoint`"), format!("as `admin.endpoint` in {shown}"))
            }
            None => {
                ("there is no configuration file of the Flyte SDK".to_owned(), "in ~/.flyte/config.yaml".to_owned())
            }
        };
        let finding = Diagnostic::error(codes::NO_ENDPOINT, format!("{found}, so nothing says where `config` is"))
            .help(format!(
                "name it {place}, with --endpoint URL or in FLYTE_ADMIN_ENDPOINT; `flyte config show` tells where was \
                 looked"
            ));
        Some(match choice.origin {
            Origin::Text { span, .. } => finding.label(span, "the SDK's configuration"),
            _ => finding,
        })
    }
}

fn unknown_target(name: &str, choice: &Choice, targets: &Table) -> Diagnostic {
    let known = || targets.entries.iter().map(|entry| entry.key.as_str());
    let reserved = [Target::LOCAL, Target::CONFIG].into_iter().filter(|name| targets.get(name).is_none());
    let names = || known().chain(reserved.clone());
    let help = match did_you_mean(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "declare it as `[target.{name}]` with an `endpoint`; known are {}",
            names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    let finding = Diagnostic::error(codes::UNKNOWN_TARGET, format!("there is no target `{name}`")).help(help);
    match choice.origin {
        Origin::Text { span, .. } => finding.label(span, "not declared"),
        _ => finding,
    }
}

/// A project or domain of the SDK's configuration: of the file that the target names, else of the user's own.
fn configured(manifest: &Manifest, selection: &Selection, file: Option<&str>, key: &str) -> Option<Choice> {
    let of = |config: &config::Config, file: FileId| -> Option<Choice> {
        let part: &Part<String, config::Origin> = if key == "task.project" { &config.project } else { &config.domain };
        let part = part.as_ref()?;
        Some(Choice::of(part.value.as_str(), way::origin(&part.origin, file)))
    };
    let named = file.and_then(|path| manifest.configs.get(path));
    named.and_then(|(file, config)| of(config, *file)).or_else(|| of(&selection.config, file_of_config(manifest)))
}

/// A flag or profile, then the target's own table, then the manifest, then the SDK's configuration, then a guess.
fn organisation(written: Choice, parts: &Parts<Origin>, target: &Target) -> Choice {
    let is_of_root = matches!(written.origin, Origin::Text { layer: Layer::Root, .. });
    let own = parts.org.as_ref().map(|org| Choice::of(org.value.as_str(), org.origin.clone()));
    match own {
        Some(own) if is_of_root && matches!(own.origin, Origin::Text { .. }) => return own,
        Some(own) if written.is_open() => return own,
        _ => {}
    }
    let guess = target.connection.as_ref().and_then(|connection| target::guess_org(&connection.endpoint));
    match guess {
        Some(guess) if written.is_open() => Choice::of(guess, Origin::Guessed),
        _ => written,
    }
}

/// What must be known before anything is deployed.
pub fn missing_scope(manifest: &Manifest, chosen: &Chosen) -> Vec<Diagnostic> {
    if manifest.incomplete {
        return Vec::new();
    }
    let file = manifest.root_document().file;
    [("project", &chosen.project, "flytesnacks"), ("domain", &chosen.domain, "development")]
        .into_iter()
        .filter(|(_, choice, _)| choice.is_open())
        .map(|(key, _, example)| {
            Diagnostic::error(codes::MISSING_KEY, format!("no {key} is chosen"))
                .label(Span::new(file, 0..0), format!("`{key}` is missing"))
                .help(format!("add `{key} = \"{example}\"` at the top, or say `--{key} NAME`"))
        })
        .collect()
}
