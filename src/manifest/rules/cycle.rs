//! Apps do not depend on each other in a circle: none of them could be first.

use super::{AppView, View};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::model::AppName;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.cycles.iter().map(|path| told(path, &view.apps)).collect()
}

fn told(path: &[AppName], apps: &[AppView]) -> Diagnostic {
    let names: Vec<&str> = path.iter().chain(path.first()).map(AppName::as_str).collect();
    let message = match path {
        [only] => format!("`{only}` depends on itself"),
        _ => format!("{} apps depend on each other in a circle: {}", path.len(), names.join(" -> ")),
    };
    let mut finding = Diagnostic::error(codes::CYCLE, message);
    for pair in names.windows(2) {
        let Some((span, label)) = apps.iter().find(|app| app.name == pair[0]).and_then(|app| edge(app, pair[1])) else {
            continue;
        };
        finding = finding.label(span, label);
    }
    finding.help(match (path, url(path, apps)) {
        ([_], _) => "remove the dependency".to_owned(),
        (_, None) => "remove one of these dependencies: none of the apps can be deployed first".to_owned(),
        (_, Some(app)) => format!(
            "remove one of these dependencies: none of the apps can be deployed first; where a URL alone is wanted, write \
             `{{ endpoint = \"{app}\", depends = false }}`"
        ),
    })
}

/// The first app of a circle that is needed for its URL alone.
fn url<'a>(path: &'a [AppName], apps: &[AppView]) -> Option<&'a AppName> {
    let pairs = path.iter().zip(path.iter().cycle().skip(1));
    let is_url = |(name, other): &(&AppName, &AppName)| {
        let app = apps.iter().find(|app| app.name == name.as_str());
        app.is_some_and(|app| {
            app.needs().iter().filter(|need| need.app == other.as_str()).all(|need| need.variable.is_some())
        })
    };
    pairs.into_iter().find(is_url).map(|(_, other)| other)
}

/// Where an app says that it needs another.
fn edge(app: &AppView, other: &str) -> Option<(Span, String)> {
    let needs = app.needs();
    let need = needs.iter().find(|need| need.app == other)?;
    let how = need.variable.map_or_else(String::new, |variable| format!(", for its URL in `{variable}`"));
    Some((need.span, format!("`{}` depends on `{other}`{how}", app.name)))
}
