//! Plan and outcome as documents for programs. Each carries the number of its form.

use serde_json::{Value, json};

use super::outcome::Report;
use crate::apply::StepOutcome;
use crate::diagnostic;
use crate::diff::{ChangedFile, CodeChange, Content, FieldChange};
use crate::plan::{AppPlan, FORMAT, Gate, Plan, Step};

/// The plan as one document.
pub fn plan_json(plan: &Plan) -> Value {
    json!({
        "format": FORMAT,
        "manifest": plan.owner,
        "scope": plan.scope,
        "target": { "name": plan.target, "endpoint": Some(&plan.endpoint).filter(|endpoint| !endpoint.is_empty()) },
        "compared_with": plan.compared_with,
        "empty": plan.is_empty(),
        "unrecorded": plan.unrecorded(),
        "commit": plan.commit,
        "counts": plan.counts(),
        "apps": plan.apps.iter().map(|app| app_json(plan, app)).collect::<Vec<_>>(),
        "steps": plan.steps.iter().map(step_json).collect::<Vec<_>>(),
        "diagnostics": diagnostic::to_json(&plan.diagnostics),
    })
}

fn app_json(plan: &Plan, app: &AppPlan) -> Value {
    let field = |field: &FieldChange| field_json(plan, field);
    json!({
        "name": app.name,
        "action": app.verb,
        "reasons": app.reasons,
        "drifted": app.drifted,
        "version": app.version,
        "live": app.live,
        "fields": app.fields.iter().map(field).collect::<Vec<_>>(),
        "kept": app.kept.iter().map(|kept| kept_json(plan, kept)).collect::<Vec<_>>(),
        "code": app.code.as_ref().map(code_json),
        "notes": app.notes,
    })
}

/// `old` runs, `new` is declared.
fn field_json(plan: &Plan, field: &FieldChange) -> Value {
    let mut value = json!({
        "key": field.key,
        "path": field.path,
        "old": field.old,
        "new": field.new,
        "changed_by": field.changed_by,
        "released": field.released,
    });
    if let Some(span) = field.span {
        value["at"] = plan.diagnostics.sources.locate(span).into();
    }
    if let Some(pin) = &field.pin {
        value["pinned_to"] = json!(pin);
    }
    value
}

/// What is left to others.
fn kept_json(plan: &Plan, field: &FieldChange) -> Value {
    let mut value = json!({ "key": field.key, "path": field.path, "live": field.old, "declared": field.new });
    if let Some(span) = field.span {
        value["at"] = plan.diagnostics.sources.locate(span).into();
    }
    value
}

fn code_json(code: &CodeChange) -> Value {
    let file = |changed: &ChangedFile| {
        let (added, removed) = match changed.content {
            Content::Counted { added, removed } => (Some(added), Some(removed)),
            _ => (None, None),
        };
        let content = match changed.content {
            Content::Counted { .. } => "text",
            Content::Binary => "binary",
            Content::TooLarge => "too_large",
            Content::Unknown => "unknown",
        };
        let mut value = json!({
            "path": changed.file.path,
            "kind": changed.file.kind,
            "old_size": changed.file.old_size,
            "new_size": changed.file.new_size,
            "executable": changed.file.executable,
            "content": content,
            "lines_added": added,
            "lines_removed": removed,
        });
        if let Some(patch) = &changed.patch {
            value["diff"] = json!({ "lines": patch.lines, "left_out": patch.left_out });
        }
        value
    };
    json!({ "old": code.old, "new": code.new, "files": code.files.iter().map(file).collect::<Vec<_>>() })
}

fn step_json(step: &Step) -> Value {
    let gate = match step.gate {
        Gate::Open => json!({ "for": "nothing" }),
        Gate::Ready { within } => json!({ "for": "ready", "within_seconds": within.as_secs() }),
        Gate::Stopped { within } => json!({ "for": "stopped", "within_seconds": within.as_secs() }),
        Gate::Gone { within } => json!({ "for": "gone", "within_seconds": within.as_secs() }),
    };
    json!({
        "id": step.id,
        "app": step.app,
        "action": step.action.verb(),
        "after": step.after.iter().map(|after| json!({ "step": after.step, "gate": after.gate })).collect::<Vec<_>>(),
        "gate": gate,
    })
}

/// Plan and outcome as one document.
pub fn outcome_json(report: &Report) -> Value {
    let step = |outcome: &StepOutcome| {
        json!({
            "id": outcome.step,
            "app": outcome.app,
            "action": outcome.action,
            "outcome": outcome.write,
            "gate": outcome.gate,
            "record": outcome.recording,
        })
    };
    json!({
        "format": FORMAT,
        "success": report.outcome.is_success(),
        "written": report.outcome.written(),
        "apps": report.apps,
        "no_way_back": report.no_way_back,
        "steps": report.outcome.steps.iter().map(step).collect::<Vec<_>>(),
        "plan": plan_json(&report.plan),
    })
}
