//! Apps that are deployed elsewhere and whose endpoints are asked for are there: the starter of an app looks a public
//! one up before it starts it, and without the app any address leads nowhere.
//!
//! The apps of the scope are listed for every plan, so nothing more is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use crate::diagnostic::{Diagnostic, Span, codes, did_you_mean};
use crate::model::AppName;

pub fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut missing: BTreeMap<&AppName, BTreeSet<Span>> = BTreeMap::new();
    // What is brought back from the records is given what it was given then: a rollback looks at that itself.
    let declared = subject.written.iter().filter(|(desired, _)| !desired.restores);
    let apps = declared.filter_map(|(desired, _)| subject.project.apps.get(&desired.id.name));
    for external in apps.flat_map(|app| &app.external) {
        if !subject.live.apps.contains_key(&external.app) {
            missing.entry(&external.app).or_default().insert(external.span);
        }
    }
    missing.iter().map(|(app, places)| finding(subject, app, places)).collect()
}

fn finding(subject: &Subject<'_>, app: &AppName, places: &BTreeSet<Span>) -> Diagnostic {
    let there = subject.live.apps.keys().filter(|name| !subject.project.declared.contains(name));
    let help = match did_you_mean(app.as_str(), there.map(AppName::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("deploy `{app}` first, from where it is declared"),
    };
    let message = format!("there is no app `{app}` in {}", subject.project.scope);
    let finding = Diagnostic::error(codes::MISSING_APP, message).help(help);
    places.iter().fold(finding, |finding, place| finding.label(*place, "its URL is asked for here"))
}
