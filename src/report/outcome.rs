//! What happened, as people read it.

use std::time::Duration;

use serde::Serialize;

use super::paint::Paint;
use super::table::Table;
use super::words::{count, duration, unbroken, wrap};
use crate::apply::{ApplyError, GateResult, Outcome, Recording, SkipReason, Stale, StepOutcome, Write, is_as_marked};
use crate::diagnostic::printable;
use crate::model::{AppName, LiveApp, Revision, State};
use crate::plan::{AppPlan, ApprovedPlan, Plan, Verb};
use crate::port::LogLine;

/// One result per app, dependencies included.
#[derive(Debug, Clone)]
pub struct Report {
    pub plan: Plan,
    pub outcome: Outcome,
    pub apps: Vec<AppResult>,
    /// What was replaced and could not be rolled back to, and why.
    pub no_way_back: Vec<String>,
}

/// What became of one app.
#[derive(Debug, Clone, Serialize)]
pub struct AppResult {
    pub name: AppName,
    pub status: Status,
    /// Why it is not where it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why what was written is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_recorded: Option<String>,
    /// What that is.
    #[serde(skip)]
    pub lost: Lost,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub revision: Revision,
    /// `None` where the app is gone or was never seen.
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The last lines it wrote, where its gate failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// What is missing on record after a write that did not get there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// A release. The next apply that finds it as declared adds it.
    #[default]
    Release,
    /// These are never added later: what runs does not tell that they happened.
    Rollback,
    Activation,
    Deactivation,
    Deletion,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Created,
    Updated,
    Activated,
    Deactivated,
    Deleted,
    /// Unchanged, and put on record.
    Recorded,
    Unchanged,
    /// Written, and its gate did not pass.
    NotReady,
    /// Written or not: nobody knows.
    Unknown,
    Failed,
    Skipped,
    Interrupted,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Recorded => "recorded",
            Self::Unchanged => "unchanged",
            Self::NotReady => "not ready",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }

    pub fn is_success(self) -> bool {
        self <= Self::Unchanged
    }
}

impl AppResult {
    /// Whether it is another than before, for certain.
    pub fn was_written(&self) -> bool {
        matches!(self.status, Status::Created | Status::Updated | Status::NotReady)
    }
}

impl Report {
    pub fn new(approved: &ApprovedPlan, outcome: Outcome) -> Self {
        let plan = approved.plan().clone();
        let apps = plan.apps.iter().filter(|app| app.verb != Verb::Orphan).map(|app| result(app, &outcome)).collect();
        Self { plan, outcome, apps, no_way_back: Vec::new() }
    }
}

fn result(app: &AppPlan, outcome: &Outcome) -> AppResult {
    // The step that decides is the first that went wrong, else the last.
    let steps: Vec<&StepOutcome> = outcome.steps.iter().filter(|step| step.app == app.name).collect();
    let mut failed_uploads = outcome.steps.iter().filter(|step| step.action == "upload" && !step.is_success());
    let decisive = steps.iter().find(|step| !step.is_success() && step.action != "upload").or(steps.last()).copied();
    let live = decisive.into_iter().chain(steps.iter().rev().copied()).find_map(|step| step.live.as_ref());
    let (mut status, mut reason) = decisive.map_or((Status::Unchanged, None), verdict);
    let written = steps.iter().find(|step| matches!((step.action, &step.write), ("create" | "update", Write::Done)));
    // What a write left that was not completed says how it is to be, not how it is.
    let mut is_known = !steps.iter().any(|step| matches!(step.write, Write::Partial { .. }));
    if let (Some(written), Some("deactivate")) = (written, decisive.map(|step| step.action)) {
        // Written in one step, and stopped in a second one.
        if status.is_success() {
            status = gate(written).0;
        } else if status != Status::NotReady {
            status = Status::NotReady;
            let why = match decisive.map(|step| &step.write) {
                Some(Write::Failed { error } | Write::Partial { error }) => format!(": {}", after_write(error)),
                _ => reason.take().map_or_else(String::new, |why| format!(": {why}")),
            };
            reason = Some(format!("written, and not stopped yet{why}; apply again"));
            is_known = false;
        }
    }
    if status == Status::Skipped
        && let Some(upload) = failed_uploads.find(|upload| blames(reason.as_deref(), upload))
    {
        reason = verdict(upload).1.map(|why| format!("its code was not uploaded: {why}"));
    }
    let missing = &not_recorded(&steps);
    let missing = missing.as_ref();
    let others = decisive.is_some_and(is_of_others);
    let gone = status == Status::Deleted || decisive.is_some_and(was_deleted);
    let live = live.filter(|_| !gone);
    // What was planned on is there no more.
    let before = app.live.as_ref().filter(|_| !others);
    AppResult {
        name: app.name.clone(),
        status,
        reason,
        not_recorded: missing.map(|(_, why)| why.clone()),
        lost: missing.map_or(Lost::Release, |(step, _)| lost(step, app)),
        version: live
            .and_then(|live| Some((live, live.marks()?)))
            .filter(|(live, marks)| !others || is_as_marked(live, marks))
            .map(|(_, marks)| marks.version)
            .or_else(|| before.filter(|_| !gone).and_then(|live| live.version.clone())),
        revision: live.map(LiveApp::revision).or(before.map(|live| live.revision)).unwrap_or_default(),
        state: live.map(LiveApp::state).or(before.map(|live| live.state)).filter(|_| !gone && is_known),
        url: live
            .and_then(LiveApp::url)
            .map(str::to_owned)
            .or(before.and_then(|live| live.url.clone()))
            .filter(|_| !gone),
        logs: decisive.map(|step| step.logs.clone()).unwrap_or_default(),
    }
}

/// Whether somebody else wrote the app since the plan was made, or since our write.
fn is_of_others(step: &StepOutcome) -> bool {
    matches!(step.write, Write::Failed { error: ApplyError::Stale(_) } | Write::Partial { error: ApplyError::Stale(_) })
        || matches!(step.gate, GateResult::Overtaken { .. })
}

fn was_deleted(step: &StepOutcome) -> bool {
    match &step.write {
        Write::Failed { error } | Write::Partial { error } => matches!(error, ApplyError::Stale(Stale::Vanished)),
        _ => matches!(&step.gate, GateResult::Overtaken { state } if state == "deleted"),
    }
}

/// The first step that is not on record, and why.
fn not_recorded<'a>(steps: &[&'a StepOutcome]) -> Option<(&'a StepOutcome, String)> {
    steps.iter().find_map(|step| match &step.recording {
        Recording::Failed { error, help: Some(help) } => Some((*step, format!("{error} ({help})"))),
        Recording::Failed { error, help: None } => Some((*step, error.clone())),
        Recording::None | Recording::Done => None,
    })
}

fn lost(step: &StepOutcome, app: &AppPlan) -> Lost {
    match step.action {
        "activate" => Lost::Activation,
        "deactivate" => Lost::Deactivation,
        "delete" => Lost::Deletion,
        _ if app.restores => Lost::Rollback,
        _ => Lost::Release,
    }
}

fn blames(reason: Option<&str>, upload: &StepOutcome) -> bool {
    reason.is_some_and(|reason| reason.contains(&format!("`{}`", upload.app)))
}

fn verdict(step: &StepOutcome) -> (Status, Option<String>) {
    match &step.write {
        Write::Failed { error } => (Status::Failed, Some(failure(error))),
        Write::Partial { error } => {
            (Status::NotReady, Some(format!("written, but {}; apply again", after_write(error))))
        }
        Write::Unknown { error } => {
            (Status::Unknown, Some(format!("whether it was written is unknown ({error}); plan again to see")))
        }
        Write::Skipped(SkipReason::Interrupted) => (Status::Interrupted, None),
        Write::Skipped(reason) => (Status::Skipped, Some(reason.to_string())),
        Write::Done => gate(step),
    }
}

fn failure(error: &ApplyError) -> String {
    match error {
        ApplyError::Stale(stale) => format!("{stale}; nothing was written, plan again"),
        other => other.to_string(),
    }
}

/// What kept a write from becoming a whole one.
fn after_write(error: &ApplyError) -> String {
    match error {
        ApplyError::Stale(Stale::Changed { .. }) => "somebody else changed it right afterwards".to_owned(),
        ApplyError::Stale(_) => "somebody else deleted it right afterwards".to_owned(),
        ApplyError::Rpc { rpc } => format!("what had to follow failed ({rpc})"),
        other => other.to_string(),
    }
}

fn gate(step: &StepOutcome) -> (Status, Option<String>) {
    let done = match step.action {
        "create" => Status::Created,
        "update" => Status::Updated,
        "activate" => Status::Activated,
        "deactivate" => Status::Deactivated,
        "delete" => Status::Deleted,
        "record" if step.recording == Recording::Done => Status::Recorded,
        _ => Status::Unchanged,
    };
    match &step.gate {
        GateResult::NotReached | GateResult::Passed { .. } => (done, None),
        GateResult::TimedOut { last } => (Status::NotReady, Some(format!("gave up waiting; last seen: {last}"))),
        GateResult::Failed { last } => (Status::NotReady, Some(last.to_string())),
        GateResult::Overtaken { state } => {
            (Status::NotReady, Some(format!("{state} meanwhile, by somebody else; plan again")))
        }
        GateResult::Unreachable { error } => {
            (Status::NotReady, Some(format!("the control plane no longer answers ({error}); apply again")))
        }
        GateResult::Interrupted { last } => (Status::NotReady, Some(format!("not waited for; last seen: {last}"))),
    }
}

/// The table of apps, the log lines of those that failed, and a line of counts.
pub fn outcome_text(report: &Report, paint: Paint) -> String {
    let mut table = Table::new(&["APP", "RESULT", "VERSION", "REV", "STATE", "URL"]);
    for app in &report.apps {
        table.row(vec![
            app.name.to_string(),
            app.status.as_str().to_owned(),
            app.version.clone().unwrap_or_else(|| "-".into()),
            app.revision.to_string(),
            app.state.map_or("-".into(), |state| state.to_string()),
            app.url.clone().unwrap_or_default(),
        ]);
    }
    let mut text = table.render();
    for app in report.apps.iter().filter(|app| !app.status.is_success()) {
        let Some(reason) = &app.reason else { continue };
        let used = app.status.as_str().len() + app.name.as_str().len() + " : ".len();
        text.push_str(&format!(
            "\n{} {} {}\n",
            paint.bad(app.status.as_str()),
            paint.bold(format!("{}:", app.name)),
            set_in(&printable(reason), used, paint.columns)
        ));
        for line in &app.logs {
            text.push_str(&format!("  {} {}\n", paint.dim("|"), line.text));
        }
    }
    text.push_str(&warnings(report, paint));
    text.push_str(&format!("\n{}\n", counts(report, paint)));
    text
}

/// What is not on record, the same reason once, and what cannot be rolled back to.
fn warnings(report: &Report, paint: Paint) -> String {
    let mut by_reason: std::collections::BTreeMap<(&str, Lost), Vec<&str>> = std::collections::BTreeMap::new();
    for app in &report.apps {
        if let Some(reason) = &app.not_recorded {
            by_reason.entry((reason, app.lost)).or_default().push(app.name.as_str());
        }
    }
    let mut text = String::new();
    for ((reason, lost), apps) in by_reason {
        let names = apps.iter().map(|app| format!("`{app}`")).collect::<Vec<_>>().join(", ");
        let (is, it) = if apps.len() == 1 { ("is", "it") } else { ("are", "them") };
        let (what, then) = match lost {
            Lost::Release => (format!("{names} {is}"), format!("the next apply that finds {it} unchanged adds {it}")),
            Lost::Rollback => (format!("the rollback of {names} is"), "`flyte history` lacks it".to_owned()),
            Lost::Activation => (format!("the activation of {names} is"), "`flyte history` lacks it".to_owned()),
            Lost::Deactivation => (format!("the deactivation of {names} is"), "`flyte history` lacks it".to_owned()),
            Lost::Deletion => {
                (format!("the deletion of {names} is"), format!("by the records {it} {is} still deployed"))
            }
        };
        let told = format!("{what} not on record: {reason}; {then}");
        text.push_str(&format!("\n{} {}\n", paint.change("warning:"), set_in(&told, "warning: ".len(), paint.columns)));
    }
    for warning in &report.no_way_back {
        text.push_str(&format!(
            "\n{} {}\n",
            paint.change("warning:"),
            set_in(warning, "warning: ".len(), paint.columns)
        ));
    }
    text
}

/// How many apps came to which end.
pub(super) fn sentence(report: &Report) -> String {
    let mut by_status: std::collections::BTreeMap<Status, usize> = std::collections::BTreeMap::new();
    for app in &report.apps {
        *by_status.entry(app.status).or_default() += 1;
    }
    by_status.iter().map(|(status, n)| format!("{n} {}", status.as_str())).collect::<Vec<_>>().join(", ")
}

fn counts(report: &Report, paint: Paint) -> String {
    let waited = report.outcome.steps.iter().filter_map(|step| match step.gate {
        GateResult::Passed { waited } => Some(waited),
        _ => None,
    });
    let longest = waited
        .max()
        .filter(|longest| *longest >= Duration::from_millis(100))
        .map_or(String::new(), |longest| format!(" The longest wait was {}.", unbroken(&duration(longest))));
    let told = format!("{}.{longest}", sentence(report));
    let (head, painted) = if report.outcome.is_success() {
        ("Applied:".to_owned(), paint.good("Applied:"))
    } else {
        let head = format!("Not everything was applied ({}):", count(report.outcome.written(), "write"));
        let painted = paint.bad(&head);
        (head, painted)
    };
    format!("{painted} {}", set_in(&told, head.len() + 1, paint.columns))
}

/// A text behind so many columns; what does not fit there goes below, set in by two.
fn set_in(text: &str, used: usize, columns: usize) -> String {
    let used = |at: usize| if at == 0 { used.saturating_sub(2) } else { 0 };
    let lines = text.lines().enumerate().flat_map(|(at, line)| wrap(line, columns - 2, used(at)));
    lines.collect::<Vec<_>>().join("\n  ")
}
