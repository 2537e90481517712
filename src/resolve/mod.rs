//! Folds profile, workspace, flags and an environment snapshot into a [`Project`]: one meaning, nothing inherited.

mod app;
mod choose;
mod draft;
mod environment;
mod graph;
mod merge;
mod parameters;
mod place;
mod project;
mod reach;
mod releases;
mod resources;
#[cfg(test)]
pub mod sample;
mod settings;
mod vars;
mod way;

use std::collections::{BTreeMap, BTreeSet};

pub use environment::environment;
pub use graph::{Cycle, Graph};
pub use place::{Place, place};
pub use project::{Layer, Origin, Project, ReleaseStore, Selection, Setting, Target};

use crate::config;
use crate::diagnostic::{Diagnostic, Diagnostics, Invalid, Severity, SourceMap, Span, codes, did_you_mean};
use crate::manifest::{Manifest, rules};
use crate::model::{AppName, Scope};
use draft::Draft;

/// What the manifest means under `selection`.
///
/// # Errors
/// Every mistake of every text under this selection.
pub fn resolve(manifest: &Manifest, selection: &Selection) -> Result<Project, Invalid> {
    let mut draft = Draft::new(manifest, selection);
    let graph = draft.graph();
    let selected = selected(&draft, &graph, selection);
    let mut findings = manifest.findings.clone();
    findings.append(&mut draft.findings);
    findings.extend(rules::check(&draft.view));
    findings.extend(choose::missing_scope(manifest, &draft.chosen));
    findings.extend(draft.chosen.unconfigured.iter().cloned());
    match &selected {
        Ok(names) => findings.extend(
            draft
                .unset
                .iter()
                .filter(|(app, _)| app.as_ref().is_none_or(|app| names.iter().any(|name| name.as_str() == app)))
                .map(|(_, finding)| finding.clone()),
        ),
        Err(unknown) => findings.extend(unknown.iter().cloned()),
    }
    let diagnostics = Diagnostics::new(sources(manifest, selection), once_each(findings));
    let (Some(scope), Ok(names), false) = (draft.chosen.scope(), selected, diagnostics.has_errors()) else {
        return Err(Invalid(diagnostics));
    };
    Ok(project(manifest, selection, &draft, scope, &graph.restrict(&names), diagnostics))
}

/// The texts of the manifest, then that of the SDK's configuration.
fn sources(manifest: &Manifest, selection: &Selection) -> SourceMap {
    let mut sources = manifest.sources.clone();
    if let Some(file) = &selection.config.file {
        let id = sources.add(file.shown.clone(), file.text.clone());
        let covered = config::beside(&file.text, &selection.config.findings);
        sources.cover(covered.into_iter().map(|range| Span::new(id, range)));
    }
    sources
}

fn project(
    manifest: &Manifest,
    selection: &Selection,
    draft: &Draft<'_>,
    scope: Scope,
    graph: &Graph,
    diagnostics: Diagnostics,
) -> Project {
    let selected: BTreeSet<&AppName> = graph.order().iter().collect();
    let all = draft.view.apps.iter().filter_map(|view| Some((AppName::new(view.name.as_str()).ok()?, view)));
    let mut declared = Vec::new();
    let mut apps = BTreeMap::new();
    for (name, view) in all {
        if selected.contains(&name) {
            apps.insert(name.clone(), app::app(manifest, &name, view));
        }
        declared.push(name);
    }
    declared.sort();
    Project {
        owner: draft.chosen.name.value.clone().unwrap_or_default(),
        scope,
        target: draft.chosen.target.clone(),
        releases: draft.chosen.releases.clone(),
        root: manifest.root.clone(),
        apps,
        declared,
        graph: graph.clone(),
        diagnostics,
        settings: settings::settings(manifest, selection, draft),
    }
}

/// Every mistake of every text, without a profile and under each. An environment variable that is missing is a
/// warning, since a check often runs where it is not set. A missing project or domain is not told: both may be given
/// as flags.
pub fn check_all(manifest: &Manifest, environment: &BTreeMap<String, String>) -> Diagnostics {
    let mut findings = manifest.findings.clone();
    let profiles = manifest.profiles().into_iter().map(|name| Some(name.to_owned()));
    let mut seen: BTreeSet<Identity> = findings.iter().map(identity).collect();
    for profile in std::iter::once(None).chain(profiles) {
        let selection =
            Selection { profile: profile.clone(), environment: environment.clone(), ..Selection::default() };
        let mut draft = Draft::new(manifest, &selection);
        draft.graph();
        let mut found = std::mem::take(&mut draft.findings);
        found.extend(rules::check(&draft.view));
        found.extend(draft.unset.into_iter().map(|(_, finding)| Diagnostic { severity: Severity::Warning, ..finding }));
        for finding in found {
            if seen.insert(identity(&finding)) {
                findings.push(match &profile {
                    Some(name) => under_profile(manifest, name, finding),
                    None => finding,
                });
            }
        }
    }
    Diagnostics::new(manifest.sources.clone(), findings)
}

/// What makes two findings the same: their code, and what the labels say about which places.
type Identity = (&'static str, Vec<(Span, String)>, String);

fn identity(finding: &Diagnostic) -> Identity {
    let labels: Vec<_> = finding.labels.iter().map(|label| (label.span, label.text.clone())).collect();
    // A value of the defaults is wrong once, however many apps inherit it and are named in the message.
    let message = if labels.is_empty() { finding.message.clone() } else { String::new() };
    (finding.code.0, labels, message)
}

fn once_each(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    findings.into_iter().filter(|finding| seen.insert(identity(finding))).collect()
}

/// Adds the profile to a finding that does not point into it.
fn under_profile(manifest: &Manifest, name: &str, finding: Diagnostic) -> Diagnostic {
    let entries = manifest.documents.iter().filter_map(|document| document.table.table("profile").entry(name));
    let mut inside = BTreeSet::new();
    let mut first = None;
    for entry in entries {
        first = first.or(Some(entry.key_span));
        if let Some(table) = entry.node.as_table() {
            merge::each_node(table, &mut |span| {
                inside.insert(span);
            });
        }
    }
    let points_into_it = finding.labels.iter().any(|label| inside.contains(&label.span));
    match first {
        Some(span) if !points_into_it => finding.label(span, "under this profile"),
        _ => finding,
    }
}

/// The apps asked for and all they depend on.
fn selected(draft: &Draft<'_>, graph: &Graph, selection: &Selection) -> Result<BTreeSet<AppName>, Vec<Diagnostic>> {
    if selection.apps.is_empty() {
        return Ok(graph.order().iter().cloned().collect());
    }
    let mut names = Vec::new();
    let mut unknown = Vec::new();
    for text in &selection.apps {
        match AppName::new(text.as_str()) {
            Ok(name) if draft.view.names.contains(text) => names.push(name),
            _ => {
                let all = || draft.view.names.iter().map(String::as_str);
                let help = match did_you_mean(text, all()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if draft.view.names.is_empty() => "the manifest declares no apps".to_owned(),
                    None => {
                        let some: Vec<String> = all().take(20).map(|name| format!("`{name}`")).collect();
                        format!("declared are {}", some.join(", "))
                    }
                };
                unknown.push(Diagnostic::error(codes::UNKNOWN_APP, format!("there is no app `{text}`")).help(help));
            }
        }
    }
    if unknown.is_empty() { Ok(graph.closure(names)) } else { Err(unknown) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::manifest;
    use crate::model::{Activation, EnvValue, Metric, SecretTarget};
    use crate::port::memory::MemoryFiles;

    fn manifest(text: &str) -> Manifest {
        let mut files = MemoryFiles::default();
        files.insert("/shop/flyte.toml", format!("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n{text}"));
        files.insert("/shop/src/a.py", "");
        manifest::load(&files, Path::new("/shop")).unwrap()
    }

    fn resolved(text: &str) -> Project {
        resolve(&manifest(text), &Selection::default()).unwrap_or_else(|invalid| {
            panic!("{}", crate::diagnostic::render(&invalid.0, crate::diagnostic::Style::PLAIN))
        })
    }

    #[test]
    fn an_app_is_what_its_table_says() {
        let project = resolved(
            "[app.web]\nargs = \"python 'my app.py'\"\nport = { number = 81, name = \"h2c\" }\nsource = \"src\"\n\
             include = [\"a.py\"]\nsecrets = [{ key = \"db-pass\", group = \"pg\" }]\nactivation = \"auto\"\n\
             scaling = { replicas = 2, metric = { request_rate = 9 } }\nready.within = \"90s\"\n\
             env.API = { endpoint = \"api\" }\ndepends_on = { app = \"api\", wait = false }\n[app.api]\nargs = \"x\"\n",
        );
        let web = &project.apps[&AppName::new("web").unwrap()];
        assert_eq!(web.args, ["python", "my app.py"]);
        assert_eq!((web.port.number, web.port.name.as_deref()), (81, Some("h2c")));
        let source = web.source.as_ref().unwrap();
        assert_eq!(
            (source.root.as_path(), &source.include[..]),
            (Path::new("/shop/src"), &["**".to_owned(), "a.py".to_owned()][..])
        );
        let target = &web.secrets.as_ref().unwrap()[0].target;
        assert_eq!((target, web.activation), (&SecretTarget::Variable("PG_DB_PASS".to_owned()), Activation::Auto));
        assert_eq!((web.scaling.min, web.scaling.max, web.scaling.metric), (2, 2, Some(Metric::RequestRate(9))));
        assert_eq!(web.ready.within, Duration::from_secs(90));
        assert!(matches!(&web.env[0].1, EnvValue::Endpoint { app, public: false } if app.as_str() == "api"));
        // The endpoint waits, so the dependency does.
        assert_eq!((web.depends_on.len(), web.depends_on[0].wait), (1, true));
        let text = |key: &str| project.diagnostics.sources.text(web.spans[key]);
        assert_eq!(
            (text("scaling.replicas.max"), text("port.number"), text("secrets.PG_DB_PASS")),
            ("2", "81", "{ key = \"db-pass\", group = \"pg\" }")
        );
        let api = &project.apps[&AppName::new("api").unwrap()];
        assert_eq!((api.port.number, api.scaling.min, api.scaling.max, api.requires_auth), (8080, 0, 1, true));
        assert_eq!(project.graph.order().iter().map(AppName::as_str).collect::<Vec<_>>(), ["api", "web"]);
    }

    #[test]
    fn ten_thousand_apps() {
        let apps: String = (0..10_000)
            .map(|n| format!("[app.a{n}]\nargs = \"x\"\ndepends_on = [\"a{}\"]\n", (n + 1).min(9_999 - n % 2)))
            .collect();
        let apps = apps.replace("depends_on = [\"a9999\"]\n", "").replace("depends_on = [\"a9998\"]\n", "");
        assert_eq!(resolved(&apps).apps.len(), 10_000);
        let more = format!("{apps}[app.one-more]\nargs = \"x\"\n");
        let findings = check_all(&manifest(&more), &BTreeMap::new());
        assert_eq!(findings.list.iter().map(|finding| finding.code).collect::<Vec<_>>(), [codes::TOO_LARGE]);
    }

    #[test]
    fn findings_as_json_say_where() {
        let findings = check_all(&manifest("[app.web]\nargs = \"x\"\nprot = 1\n"), &BTreeMap::new());
        let json = crate::diagnostic::to_json(&findings);
        assert_eq!(json[0]["code"], "flyte::manifest::unknown_key");
        assert_eq!(json[0]["severity"], "error");
        assert_eq!(json[0]["help"], "did you mean `port`?");
        let label = &json[0]["labels"][0];
        assert_eq!((&label["file"], &label["line"], &label["column"]), (&"flyte.toml".into(), &6.into(), &1.into()));
        assert_eq!((&label["end_line"], &label["end_column"]), (&6.into(), &5.into()));
    }
}
