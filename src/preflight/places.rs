//! The project and the domain exist. The embedded control plane makes them as they are asked for.

use flyte_schema::flyteidl2::project::{Project as Found, ProjectState};

use super::{Subject, unseen};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::resolve::Origin;

pub async fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let project = subject.project;
    if project.target.is_local() {
        return Vec::new();
    }
    let scope = &project.scope;
    match subject.control_plane.project(scope).await {
        Ok(None) => {
            let message = format!("there is no project `{}` on {}", scope.project, subject.plan.endpoint);
            let help = "`flyte create project` of the Flyte SDK makes one; or name another";
            vec![at(subject, codes::MISSING_PROJECT, message, "project").help(help)]
        }
        Ok(Some(found)) => domain(subject, &found).into_iter().collect(),
        Err(error) => unseen("whether the project exists", &error).into_iter().collect(),
    }
}

fn domain(subject: &Subject<'_>, found: &Found) -> Option<Diagnostic> {
    let scope = &subject.project.scope;
    if matches!(
        found.state.as_known(),
        Some(ProjectState::PROJECT_STATE_ARCHIVED | ProjectState::PROJECT_STATE_SYSTEM_ARCHIVED)
    ) {
        let message = format!("the project `{}` is archived", scope.project);
        let help = "have it restored, or name another one";
        return Some(Diagnostic {
            severity: crate::diagnostic::Severity::Warning,
            ..at(subject, codes::MISSING_PROJECT, message, "project").help(help)
        });
    }
    // A server may tell none.
    if found.domains.is_empty() || found.domains.iter().any(|domain| domain.id == scope.domain) {
        return None;
    }
    let there: Vec<String> = found.domains.iter().map(|domain| format!("`{}`", domain.id)).collect();
    let message = format!("the project `{}` has no domain `{}`", scope.project, scope.domain);
    Some(at(subject, codes::MISSING_DOMAIN, message, "domain").help(format!("it has {}", there.join(", "))))
}

/// A finding about a setting of the manifest, at the text that set it. A flag has no text.
fn at(subject: &Subject<'_>, code: Code, message: String, key: &str) -> Diagnostic {
    let finding = Diagnostic::error(code, message);
    let setting = subject.project.settings.iter().find(|setting| setting.key == key);
    match setting.map(|setting| &setting.origin) {
        Some(Origin::Text { span, .. }) => finding.label(*span, format!("this {key}")),
        _ => finding,
    }
}
