//! A plan as people read it: apps in dependency order, their reasons, their fields, their files.

use super::code;
use super::field::{field_text, kept_text, shown_fields};
use super::paint::Paint;
use super::words::{count, note, reason, unbroken, wrap};
use crate::diff::ChangedBy;
use crate::model::AppName;
use crate::plan::{AppPlan, ComparedWith, Counts, Note, Plan, Reason, Verb};

/// Columns before the text of a line below an app.
const MARGIN: usize = 6;

/// The whole plan. Empty plans are one line.
pub fn plan_text(plan: &Plan, paint: Paint) -> String {
    let mut text = headline_of_plan(plan, paint);
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

fn headline_of_plan(plan: &Plan, paint: Paint) -> String {
    let Plan { scope, target, .. } = plan;
    let owner = paint.bold(&plan.owner);
    match plan.compared_with {
        ComparedWith::Live => {
            let endpoint = paint.dim(format!("({})", plan.endpoint));
            format!("{} {owner} in {scope} on {target} {endpoint}\n\n", paint.bold("plan of"))
        }
        ComparedWith::Records => {
            let since = paint.dim("(by the records alone)");
            format!("{} {owner} in {scope} since the last apply to {target} {since}\n\n", paint.bold("changes of"))
        }
    }
}

fn app_text(plan: &Plan, app: &AppPlan, width: usize, paint: Paint) -> String {
    let name = paint.bold(format!("{:<width$}", app.name));
    let mut text = format!("{} {name}  {}\n", symbol(app, paint), headline(app, MARGIN + width, paint));
    let mut line = |by: ChangedBy, content: String| {
        let mark = if by.is_drift() { paint.bad("!") } else { " ".to_owned() };
        text.push_str(&format!("    {mark} {content}\n"));
    };
    if matches!(app.verb, Verb::Create | Verb::Update | Verb::Refused) {
        let fields = shown_fields(app);
        let key_width = fields.iter().map(|field| field.key.chars().count()).max().unwrap_or(0).min(32);
        for field in &fields {
            line(field.changed_by, field_text(plan, app, field, key_width, paint));
        }
        let mut by = app.fields.iter().find(|field| field.is_code()).map_or(ChangedBy::Us, |field| field.changed_by);
        for told in code::lines(app, shown_at(plan, app), paint) {
            let outside = if by.is_drift() { paint.bad("  changed outside") } else { String::new() };
            line(std::mem::replace(&mut by, ChangedBy::Us), format!("{told}{outside}"));
        }
    }
    for field in &app.kept {
        line(ChangedBy::Us, kept_text(plan, field, paint));
    }
    for remark in &app.notes {
        let painted = |told: String| if app.verb == Verb::Refused { paint.bad(told) } else { paint.dim(told) };
        // What is broken is set in by two more columns.
        let lines: Vec<String> = wrap(&note(remark), paint.columns - MARGIN - 2, 0).into_iter().map(painted).collect();
        line(ChangedBy::Us, lines.join(&format!("\n{:1$}", "", MARGIN + 2)));
    }
    text
}

/// The first app with the same change of code: its lines are shown there.
pub(super) fn shown_at<'a>(plan: &'a Plan, app: &AppPlan) -> Option<&'a AppName> {
    let code = app.code.as_ref()?;
    let same =
        |other: &&AppPlan| other.code.as_ref().is_some_and(|other| (other.old, other.new) == (code.old, code.new));
    plan.apps.iter().find(same).map(|first| &first.name).filter(|name| **name != app.name)
}

fn symbol(app: &AppPlan, paint: Paint) -> String {
    let symbol = format!("  {}", symbol_of(app));
    match app.verb {
        Verb::Create | Verb::Activate => paint.good(symbol),
        Verb::Update if app.drifted => paint.bad(symbol),
        Verb::Update | Verb::Deactivate | Verb::Orphan => paint.change(symbol),
        Verb::Delete | Verb::Refused => paint.bad(symbol),
        Verb::Unchanged => paint.dim(symbol),
    }
}

/// One character for what happens to an app.
pub(super) fn symbol_of(app: &AppPlan) -> &'static str {
    match app.verb {
        Verb::Create => "+",
        Verb::Update if app.drifted => "!",
        Verb::Update => "~",
        Verb::Activate => "↑",
        Verb::Deactivate => "↓",
        Verb::Delete => "-",
        Verb::Unchanged => "=",
        Verb::Orphan => "?",
        Verb::Refused => "x",
    }
}

/// What happens to an app.
pub(super) fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Activate => "activate",
        Verb::Deactivate => "deactivate",
        Verb::Delete => "delete",
        Verb::Unchanged => "unchanged",
        Verb::Orphan => "no longer declared",
        Verb::Refused => "refused",
    }
}

/// The same; by the records alone, what happened to it.
pub(super) fn action_word(app: &AppPlan) -> &'static str {
    match app.verb {
        Verb::Create if app.reasons.contains(&Reason::NotOnRecord) => "new",
        Verb::Update if last_applied(app).is_some() => "changed",
        verb => verb_word(verb),
    }
}

/// `old → new`, or the one there is.
pub(super) fn version_words(app: &AppPlan) -> Option<String> {
    let old = app.live.as_ref().and_then(|live| live.version.clone()).or_else(|| last_applied(app));
    let new = app.version.as_ref().map(|version| version.mark());
    match (old, new, app.verb) {
        (Some(old), Some(new), Verb::Update) if old != new => Some(format!("{old} → {new}")),
        (old, new, _) => new.or(old),
    }
}

/// The first line of an app, behind so many columns.
fn headline(app: &AppPlan, behind: usize, paint: Paint) -> String {
    let what = action_word(app);
    let versions = version_words(app).map_or(String::new(), |versions| format!(" {versions}"));
    let reasons: Vec<String> = match compared_with(app) {
        Some(other) => vec![other],
        None if app.verb == Verb::Orphan => Vec::new(),
        None => app.reasons.iter().map(|told| unbroken(&reason(told))).collect(),
    };
    let used = behind + what.len() + versions.chars().count() + ": ".len();
    let versions = paint.dim(versions);
    if reasons.is_empty() {
        return format!("{what}{versions}");
    }
    let why = wrap(&reasons.join(", "), paint.columns - MARGIN, used - MARGIN).join(&format!("\n{:MARGIN$}", ""));
    format!("{what}{versions}: {why}").replace(": \n", ":\n")
}

/// What the fields are compared with, where that is not what runs.
pub(super) fn compared_with(app: &AppPlan) -> Option<String> {
    app.notes.iter().find_map(|note| match note {
        Note::LabelInUse { label, on_record: true, .. } => Some(format!("compared with {label} on record")),
        _ => None,
    })
}

/// Why something is done, or must not be.
pub(super) fn why(app: &AppPlan) -> Vec<String> {
    match app.verb {
        Verb::Refused => app.notes.iter().map(note).collect(),
        _ => app.reasons.iter().map(reason).collect(),
    }
}

/// The version on record, where that is all that is known.
fn last_applied(app: &AppPlan) -> Option<String> {
    app.notes.iter().find_map(|note| match note {
        Note::LastApplied { version, .. } => Some(version.clone()),
        _ => None,
    })
}

fn summary(plan: &Plan, paint: Paint) -> String {
    let (head, counts) = summary_parts(plan);
    let head = match (plan.apps.is_empty(), plan.only_waits(), plan.is_empty()) {
        (true, ..) => return format!("{head}."),
        (_, true, _) => paint.change(format!("{head}:")),
        (_, _, true) => paint.good(format!("{head}:")),
        _ if head.is_empty() => paint.bold("Plan:"),
        _ => paint.bold(format!("{head}:")),
    };
    let unrecorded = match plan.unrecorded() {
        0 => String::new(),
        1 => " The release of one app is not on record; apply adds it.".to_owned(),
        n => format!(" The releases of {n} apps are not on record; apply adds them."),
    };
    let mistakes = match plan.diagnostics.errors() {
        0 => String::new(),
        n => format!(" {}", paint.bad(format!("It cannot be applied: {}.", count(n, "mistake")))),
    };
    let more = match plan.compared_with {
        ComparedWith::Records => " `flyte plan` compares with what runs.",
        ComparedWith::Live => "",
    };
    format!("{head} {counts}.{unrecorded}{mistakes}{more}")
}

/// The counts in one sentence without its stop.
pub(super) fn sentence(plan: &Plan) -> String {
    match summary_parts(plan) {
        (head, counts) if counts.is_empty() => head.to_lowercase(),
        ("", counts) => counts,
        (head, counts) => format!("{}: {counts}", head.to_lowercase()),
    }
}

fn summary_parts(plan: &Plan) -> (&'static str, String) {
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
    let told = told.map(|(n, what)| match (plan.compared_with, what) {
        (ComparedWith::Records, "to create") => (n, "new"),
        (ComparedWith::Records, "to update") => (n, "changed"),
        _ => (n, what),
    });
    let parts: Vec<String> = told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let head = match (plan.apps.is_empty(), plan.compared_with, plan.only_waits(), plan.is_empty()) {
        (true, ..) => "Nothing is declared, and nothing of this manifest runs",
        (_, ComparedWith::Records, _, true) => "Nothing changed",
        (_, ComparedWith::Records, _, false) => "Changed",
        (_, _, true, _) => "Nothing to do but to wait",
        (_, _, _, true) => "Nothing to do",
        _ => "",
    };
    (head, parts.join(", "))
}
