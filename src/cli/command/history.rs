//! `flyte history`: what was applied, activated, deleted and rolled back, by whom and when.

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::model::AppName;
use crate::pipeline::{self, Happened, Places};
use crate::report::{Table, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this app
    #[arg(value_name = "APP")]
    app: Option<String>,

    /// How many events are shown, the newest ones
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,

    /// What happened on every control plane, not only on the target's
    #[arg(long)]
    all_targets: bool,
}

/// # Errors
/// The manifest has mistakes, the store of releases does not answer, there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(&[])?;
    let ports = context.ports()?;
    let places = if args.all_targets { Places::All } else { Places::Selected };
    let app = args.app.as_deref();
    let history = context.wait(async { Ok(pipeline::history(&ports, &request, app, args.limit, places).await?) })?;
    let mut titles = vec!["WHEN", "APP", "VERSION", "COMMIT", "WHO", "WHAT"];
    titles.extend(args.all_targets.then_some("WHERE"));
    let mut table = Table::new(&titles);
    for happened in &history.events {
        let mut row = vec![
            when(happened),
            happened.app.to_string(),
            mark(happened),
            commit(happened),
            by(happened),
            happened.entry.kind.to_string(),
        ];
        row.extend(args.all_targets.then(|| place(happened)));
        table.row(row);
    }
    let mut text = match (history.events.is_empty(), history.elsewhere) {
        (false, _) => table.render(),
        (true, 0) => format!("nothing is on record in {}\n", history.place),
        (true, _) => format!("nothing of this target is on record in {}\n", history.place),
    };
    if history.more > 0 {
        let more = count(history.more, "older event");
        text.push_str(&format!("\n{more} not shown; `--limit N` shows more\n"));
    }
    if history.elsewhere > 0 {
        let elsewhere = count(history.elsewhere, "event");
        text.push_str(&format!("\n{elsewhere} of other targets not shown; `--all-targets` shows everything\n"));
    }
    let answer = Answer::text(text).with("store", &history.place).with("more", history.more);
    let answer = answer.with("elsewhere", history.elsewhere);
    let events: Vec<Value> = history.events.iter().map(document).collect();
    Ok(answer.with("events", events).diagnostics(history.diagnostics))
}

pub(super) fn when(happened: &Happened) -> String {
    happened.entry.at.strftime("%F %T UTC").to_string()
}

pub(super) fn mark(happened: &Happened) -> String {
    happened.entry.mark().unwrap_or("-").to_owned()
}

pub(super) fn commit(happened: &Happened) -> String {
    let commit = happened.event.as_ref().and_then(|event| event.commit.as_ref());
    commit.map_or_else(|| "-".to_owned(), ToString::to_string)
}

pub(super) fn by(happened: &Happened) -> String {
    happened.event.as_ref().map_or_else(|| "-".to_owned(), |event| event.by.clone())
}

/// The target with its address; the embedded control plane has another one each time.
fn place(happened: &Happened) -> String {
    match &happened.event {
        Some(event) if happened.place.is_embedded() => event.target.clone(),
        Some(event) => format!("{} ({})", event.target, event.endpoint),
        None => happened.place.to_string(),
    }
}

/// What the log and, where it can be read, the event say.
pub(super) fn document(happened: &Happened) -> Value {
    let Happened { app, entry, event, .. } = happened;
    let app: &AppName = app;
    json!({
        "at": entry.at,
        "app": app,
        "event": entry.kind,
        "version": entry.mark(),
        "digest": event.as_ref().and_then(|event| Some(event.version.as_ref()?.digest)),
        "label": entry.label,
        "commit": event.as_ref().and_then(|event| event.commit.clone()),
        "by": event.as_ref().map(|event| event.by.clone()),
        "target": event.as_ref().map(|event| json!({ "name": event.target, "endpoint": event.endpoint })),
        "release": entry.release,
    })
}
