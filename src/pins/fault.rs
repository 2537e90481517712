//! What is said where a value cannot be pinned.

use super::literal::Unfit;
use super::{Lookup, Wanted};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::Scope;
use crate::model::parameter::{ParameterKind, Pin, RunChoice, TaskVersion};
use crate::port::{RpcCode, RpcError, Run};

/// Where the thing is named, in the order of preference.
const NAMES: [&str; 5] = ["run_output.run_name", "run_output.task_name", "artifact.name", "run_output", "artifact"];
/// Where it is said what it is.
const TYPES: [&str; 4] = ["run_output.type", "artifact.type", "run_output", "artifact"];
/// Where the part of it is chosen.
const PARTS: [&str; 3] = ["run_output.getter", "run_output", "artifact"];

/// Nothing of this name is there.
pub fn missing(lookup: &Lookup) -> Diagnostic {
    let (message, help) = match lookup {
        Lookup::Run(RunChoice::Run(name)) => {
            (format!("there is no run `{name}`"), "check its name, or take `task_name` for the newest run of a task")
        }
        Lookup::Run(RunChoice::Task { name, version }) => {
            let which = match version {
                TaskVersion::Any => format!("the task `{name}`"),
                TaskVersion::Exact(version) => format!("version `{version}` of the task `{name}`"),
                TaskVersion::Latest => format!("the newest version of the task `{name}`"),
            };
            (format!("no run of {which} has succeeded"), "run the task first, and check its name")
        }
        Lookup::Artifact(artifact) => {
            let version = artifact.version.as_ref().map(|version| format!(" in version `{version}`"));
            let message = format!("there is no artifact `{}`{}", artifact.name, version.unwrap_or_default());
            (message, "check its name and version; `project` and `domain` name another place")
        }
    };
    Diagnostic::error(codes::UNRESOLVED_PARAMETER, message).help(help)
}

/// The run is there, and its outputs are not.
pub fn not_succeeded(run: &Run) -> Diagnostic {
    let phase = run.phase.to_string().trim_start_matches("ACTION_PHASE_").to_lowercase().replace('_', " ");
    let message = format!("the run `{}` has not succeeded: it is {phase}", run.name);
    Diagnostic::error(codes::UNRESOLVED_PARAMETER, message).help("plan again once it has, or name a run that succeeded")
}

/// The server does not tell.
pub fn refused(lookup: &Lookup, target: &str, error: &RpcError) -> Diagnostic {
    let (one, many) = match lookup {
        Lookup::Run(RunChoice::Run(name)) => (format!("run `{name}`"), "runs"),
        Lookup::Run(RunChoice::Task { name, .. }) => (format!("newest run of the task `{name}`"), "runs"),
        Lookup::Artifact(artifact) => (format!("artifact `{}`", artifact.name), "artifacts"),
    };
    let code = codes::UNRESOLVED_PARAMETER;
    if error.code == RpcCode::Unimplemented {
        return Diagnostic::error(
            code,
            format!("the {one} cannot be looked up: the target `{target}` keeps no {many}"),
        )
        .help("give a `file`, `directory` or `value` for this target, or choose another with `--target`");
    }
    let help = match error.code {
        RpcCode::PermissionDenied => "ask whoever runs the control plane for access to this project and domain",
        _ => "the control plane refused the question; `-vv` shows its calls",
    };
    Diagnostic::error(code, format!("the {one} cannot be looked up: {error}")).help(help)
}

/// Puts a finding where the thing is named.
pub fn at(finding: Diagnostic, wanted: &[Wanted<'_>], scope: &Scope) -> Diagnostic {
    let text = |first: bool| if first { format!("looked up in {scope}") } else { "and here".to_owned() };
    let places = wanted.iter().enumerate();
    places.fold(finding, |finding, (at, wanted)| finding.label(wanted.span(&NAMES), text(at == 0)))
}

/// It is there, and cannot be a parameter.
pub fn unfit(wanted: &Wanted<'_>, origin: &Pin, unfit: &Unfit) -> Diagnostic {
    Diagnostic::error(codes::UNFIT_PARAMETER, format!("{} does not fit the parameter: {unfit}", what(origin)))
        .label(wanted.span(&PARTS), "the value of the parameter")
        .help(match origin {
            Pin::Run { .. } => "choose another output with `getter`: `[1]` is the second one",
            Pin::Artifact(_) => "name an artifact that holds a file or a directory",
        })
}

/// It is something else than declared.
pub fn mismatch(wanted: &Wanted<'_>, origin: &Pin, declared: ParameterKind, kind: ParameterKind) -> Diagnostic {
    let message = format!("{} is a {}, and a {} is declared", what(origin), kind.as_str(), declared.as_str());
    Diagnostic::error(codes::UNFIT_PARAMETER, message)
        .label(wanted.span(&TYPES), "declared here")
        .help(format!("write `type = \"{}\"`", kind.as_str()))
}

fn what(origin: &Pin) -> String {
    match origin {
        Pin::Run { .. } => format!("the output of {origin}"),
        Pin::Artifact(_) => format!("the {origin}"),
    }
}
