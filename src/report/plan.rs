//! A plan as people read it: apps in dependency order, their reasons, their fields, their files.

use serde_json::Value;

use super::paint::Paint;
use super::words::{bytes, count, note, reason};
use crate::bundle::{FileChange, FileChangeKind};
use crate::diff::FieldChange;
use crate::plan::{AppPlan, Counts, Plan, Verb};

/// How many changed files are named before the rest is counted.
const FILES_SHOWN: usize = 20;

/// The whole plan. Empty plans are one line.
pub fn plan_text(plan: &Plan, paint: Paint) -> String {
    let mut text = format!(
        "{} {} in {} on {} {}\n\n",
        paint.bold("plan of"),
        paint.bold(&plan.owner),
        plan.scope,
        plan.target,
        paint.dim(format!("({})", plan.endpoint)),
    );
    let name_width = plan.apps.iter().map(|app| app.name.as_str().len()).max().unwrap_or(0);
    for app in &plan.apps {
        text.push_str(&app_text(plan, app, name_width, paint));
    }
    if !plan.apps.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(plan, paint));
    text.push('\n');
    text
}

fn app_text(plan: &Plan, app: &AppPlan, width: usize, paint: Paint) -> String {
    let mut text =
        format!("{} {}  {}\n", symbol(app, paint), paint.bold(format!("{:<width$}", app.name)), headline(app, paint));
    let mut line = |content: String| {
        text.push_str("      ");
        text.push_str(&content);
        text.push('\n');
    };
    if matches!(app.verb, Verb::Create | Verb::Update | Verb::Refused) {
        let by_file = app.code.is_some() || app.bundle.is_some();
        let fields: Vec<&FieldChange> =
            app.fields.iter().filter(|field| !(field.is_boilerplate() || by_file && field.is_code())).collect();
        let key_width = fields.iter().map(|field| field.key.chars().count()).max().unwrap_or(0).min(32);
        for field in fields {
            line(field_text(plan, app, field, key_width, paint));
        }
        code(app, paint).into_iter().for_each(&mut line);
    }
    for remark in &app.notes {
        let told = note(remark);
        line(if app.verb == Verb::Refused { paint.bad(told) } else { paint.dim(told) });
    }
    text
}

fn symbol(app: &AppPlan, paint: Paint) -> String {
    match app.verb {
        Verb::Create => paint.good("  +"),
        Verb::Update if app.drifted => paint.bad("  !"),
        Verb::Update => paint.change("  ~"),
        Verb::Activate => paint.good("  ↑"),
        Verb::Deactivate => paint.change("  ↓"),
        Verb::Delete => paint.bad("  -"),
        Verb::Unchanged => paint.dim("  ="),
        Verb::Orphan => paint.change("  ?"),
        Verb::Refused => paint.bad("  x"),
    }
}

fn headline(app: &AppPlan, paint: Paint) -> String {
    let verb = match app.verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Activate => "activate",
        Verb::Deactivate => "deactivate",
        Verb::Delete => "delete",
        Verb::Unchanged => "unchanged",
        Verb::Orphan => "no longer declared",
        Verb::Refused => "refused",
    };
    let old = app.live.as_ref().and_then(|live| live.version.clone());
    let new = app.version.as_ref().map(|version| version.mark());
    let versions = match (old, new, app.verb) {
        (Some(old), Some(new), Verb::Update) if old != new => format!(" {old} → {new}"),
        (Some(old), None, _) => format!(" {old}"),
        (None, Some(new), _) | (Some(_), Some(new), _) => format!(" {new}"),
        (None, None, _) => String::new(),
    };
    let reasons: Vec<String> = app.reasons.iter().map(reason).collect();
    let why = if reasons.is_empty() || app.verb == Verb::Orphan {
        String::new()
    } else {
        format!(": {}", reasons.join(", "))
    };
    format!("{verb}{}{why}", paint.dim(versions))
}

fn field_text(plan: &Plan, app: &AppPlan, field: &FieldChange, width: usize, paint: Paint) -> String {
    let key = format!("{:<width$}", field.key);
    let place = field.span.map(|span| plan.diagnostics.sources.locate(span)).filter(|_| app.verb == Verb::Update);
    let place = place.map_or(String::new(), |place| format!("  {}", paint.dim(place)));
    let change = match (&field.old, &field.new) {
        (None, Some(new)) if app.verb == Verb::Create => value(new),
        (None, Some(new)) => paint.good(format!("+ {}", value(new))),
        (Some(old), None) => paint.bad(format!("- {}", value(old))),
        (Some(Value::Array(old)), Some(Value::Array(new))) => elements(old, new, paint),
        (Some(old), Some(new)) => format!("{} → {}", paint.bad(value(old)), paint.good(value(new))),
        (None, None) => String::new(),
    };
    let pin = field.pin.as_ref().map_or(String::new(), |pin| format!("  {}", paint.dim(format!("({pin})"))));
    format!("{key}  {change}{pin}{place}")
}

/// A list by element: what stays is not repeated.
fn elements(old: &[Value], new: &[Value], paint: Paint) -> String {
    let show = |change: similar::ChangeTag, item: &Value| match change {
        similar::ChangeTag::Equal => None,
        similar::ChangeTag::Delete => Some(paint.bad(format!("- {}", value(item)))),
        similar::ChangeTag::Insert => Some(paint.good(format!("+ {}", value(item)))),
    };
    let (left, right): (Vec<String>, Vec<String>) =
        (old.iter().map(Value::to_string).collect(), new.iter().map(Value::to_string).collect());
    let operations = similar::capture_diff_slices(similar::Algorithm::Myers, &left, &right);
    let mut shown = Vec::new();
    for operation in &operations {
        for item in &old[operation.old_range()] {
            if operation.tag() != similar::DiffTag::Equal {
                shown.extend(show(similar::ChangeTag::Delete, item));
            }
        }
        for item in &new[operation.new_range()] {
            if operation.tag() != similar::DiffTag::Equal {
                shown.extend(show(similar::ChangeTag::Insert, item));
            }
        }
    }
    shown.join(" ")
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with("(sensitive #") => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let member = |(key, item): (&String, &Value)| format!("{key} = {}", self::value(item));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn code(app: &AppPlan, paint: Paint) -> Vec<String> {
    let Some(change) = &app.code else {
        let Some(bundle) = app.bundle.as_ref().filter(|_| app.changes_code()) else { return Vec::new() };
        let size = bundle.files.iter().map(|file| file.size).sum();
        return vec![format!("code  {}, {}", count(bundle.files.len(), "file"), bytes(size))];
    };
    let mut lines = vec![format!("code  {} changed", count(change.files.len(), "file"))];
    lines.extend(change.files.iter().take(FILES_SHOWN).map(|file| format!("  {}", file_text(file, paint))));
    if let Some(more) = change.files.len().checked_sub(FILES_SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more; `flyte bundle {}` lists every file", app.name));
    }
    lines
}

fn file_text(file: &FileChange, paint: Paint) -> String {
    let size = |size: Option<u64>| size.map_or(String::new(), bytes);
    match file.kind {
        FileChangeKind::Added => paint.good(format!("+ {}  {}", file.path, size(file.new_size))),
        FileChangeKind::Removed => paint.bad(format!("- {}", file.path)),
        FileChangeKind::Mode => paint.change(format!("~ {}  executable bit", file.path)),
        FileChangeKind::Changed => {
            paint.change(format!("~ {}  {} → {}", file.path, size(file.old_size), size(file.new_size)))
        }
    }
}

fn summary(plan: &Plan, paint: Paint) -> String {
    let Counts { create, update, activate, deactivate, delete, unchanged, orphan, refused } = plan.counts();
    let told = [
        (create, "to create"),
        (update, "to update"),
        (activate, "to activate"),
        (deactivate, "to deactivate"),
        (delete, "to delete"),
        (refused, "refused"),
        (orphan, "no longer declared"),
        (unchanged, "unchanged"),
    ];
    let parts: Vec<String> = told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if plan.apps.is_empty() {
        return "Nothing is declared, and nothing of this manifest runs.".into();
    }
    let headline = match () {
        () if plan.only_waits() => paint.change("Nothing to do but to wait:"),
        () if plan.is_empty() => paint.good("Nothing to do:"),
        () => paint.bold("Plan:"),
    };
    let unrecorded = match plan.unrecorded() {
        0 => String::new(),
        1 => " The release of one app is not on record; apply adds it.".to_owned(),
        n => format!(" The releases of {n} apps are not on record; apply adds them."),
    };
    format!("{headline} {}.{unrecorded}", parts.join(", "))
}
