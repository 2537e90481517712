//! What an app depends on is declared.

use super::View;
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::model::AppName;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    if view.manifest.incomplete {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for app in &view.apps {
        for need in app.needs().iter().filter(|need| !view.names.contains(need.app)) {
            let message = match need.variable {
                Some(variable) => format!("`{variable}` wants the URL of `{}`, an app that is not declared", need.app),
                None => format!("`{}` depends on `{}`, an app that is not declared", app.name, need.app),
            };
            let help = match did_you_mean(need.app, view.names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if view.names.len() <= 8 => {
                    let names: Vec<String> = view.names.iter().map(|name| format!("`{name}`")).collect();
                    format!("declared are {}", names.join(", "))
                }
                None => format!("declare it as `[app.{}]`, here or in another member of the workspace", need.app),
            };
            let help = match need.variable {
                Some(_) if AppName::new(need.app).is_ok() => format!(
                    "{help}{} an app that is deployed elsewhere is written `{{ endpoint = \"{}\", external = true }}`",
                    if help.ends_with('?') { " Or" } else { ";" },
                    need.app
                ),
                _ => help,
            };
            findings.push(Diagnostic::error(codes::UNKNOWN_APP, message).label(need.span, "no such app").help(help));
        }
    }
    findings
}
