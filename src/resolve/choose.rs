//! The choices for the whole manifest: owner, organisation, project, domain, target.

use super::vars::{Filling, Variables};
use super::{Layer, Origin, Selection, Target, way};
use crate::diagnostic::{Diagnostic, Span, codes, did_you_mean};
use crate::manifest::check::{Phase, check_table};
use crate::manifest::{Manifest, Node, Table};
use crate::model::Scope;
use crate::schema::{Schema, TableType};

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
            return Choice { value: Some(value.clone()), origin: Origin::Flag(option), mistaken: false };
        }
        let profile_layer = || Layer::Profile(selection.profile.clone().unwrap_or_default());
        let written = profile
            .get(key)
            .map(|node| (node, profile_layer()))
            .or_else(|| root.get(key).map(|node| (node, Layer::Root)));
        let Some((node, layer)) = written else {
            return Choice { value: None, origin: Origin::Default, mistaken: false };
        };
        let mut node = node.clone();
        variables.fill_node(&mut node, filling);
        let value = node.as_text().map(str::to_owned);
        Choice { mistaken: value.is_none(), value, origin: Origin::Text { span: node.span, layer } }
    };
    let name = pick("name", None, "");
    let org = pick("org", selection.org.as_ref(), "--org");
    let project = pick("project", selection.project.as_ref(), "--project");
    let domain = pick("domain", selection.domain.as_ref(), "--domain");
    let mut target_name = pick("target", selection.target.as_ref(), "--target");
    if target_name.value.is_none() {
        target_name = default_target(root.table("target"), findings);
    }
    let target = target(manifest, &target_name, variables, filling, selection, findings);
    Chosen { name, org, project, domain, target_name, target }
}

/// The table marked `default = true`, or `local`.
fn default_target(targets: &Table, findings: &mut Vec<Diagnostic>) -> Choice {
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
    match marks.first() {
        Some((name, mark)) => Choice {
            value: Some((*name).to_owned()),
            origin: Origin::Text { span: mark.span, layer: Layer::Root },
            mistaken: false,
        },
        None => Choice { value: Some(Target::LOCAL.to_owned()), origin: Origin::Default, mistaken: false },
    }
}

fn target(
    manifest: &Manifest,
    choice: &Choice,
    variables: &Variables,
    filling: &mut Filling,
    selection: &Selection,
    findings: &mut Vec<Diagnostic>,
) -> Target {
    let name = choice.value.clone().unwrap_or_else(|| Target::LOCAL.to_owned());
    let targets = manifest.root_document().table.table("target");
    let unknown = Target { name: name.clone(), connection: None };
    let Some(entry) = targets.entry(&name) else {
        if name != Target::LOCAL && !manifest.incomplete {
            findings.push(unknown_target(&name, choice, targets));
        }
        return unknown;
    };
    let Some(table) = entry.node.as_table() else { return unknown };
    let mut table = table.clone();
    variables.fill(&mut table, filling);
    findings.extend(check_table(&mut table, kind(), &format!("target.{name}"), Phase::Filled));
    let parts = way::of_table(&table, &manifest.root, &selection.environment);
    // What is lacking was told by the rules.
    Target { name, connection: parts.connection().unwrap_or_default() }
}

fn kind() -> &'static TableType {
    Schema::load().table("target").expect("the schema defines it")
}

fn unknown_target(name: &str, choice: &Choice, targets: &Table) -> Diagnostic {
    let names = || targets.entries.iter().map(|entry| entry.key.as_str()).chain([Target::LOCAL]);
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

/// What must be known before anything is deployed.
pub fn missing_scope(manifest: &Manifest, chosen: &Chosen) -> Vec<Diagnostic> {
    if manifest.incomplete {
        return Vec::new();
    }
    let file = manifest.root_document().file;
    [("project", &chosen.project, "flytesnacks"), ("domain", &chosen.domain, "development")]
        .into_iter()
        .filter(|(_, choice, _)| choice.value.is_none() && !choice.mistaken)
        .map(|(key, _, example)| {
            Diagnostic::error(codes::MISSING_KEY, format!("no {key} is chosen"))
                .label(Span::new(file, 0..0), format!("`{key}` is missing"))
                .help(format!("add `{key} = \"{example}\"` at the top, or say `--{key} NAME`"))
        })
        .collect()
}
