//! `flyte status`: what is declared, what runs, how they differ, and where each app answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::diagnostic::printable;
use crate::diff::{ChangedBy, FieldChange};
use crate::model::{LiveApp, State};
use crate::pipeline::{self, AppStatus, Request};
use crate::plan::Verb;
use crate::port::Ports;
use crate::report::{self, Paint, Table};

/// How often a watched status is read.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these apps
    #[arg(value_name = "APP")]
    apps: Vec<String>,

    /// Print again whenever something changes, until Ctrl-C; with --json one document per line
    #[arg(short, long)]
    watch: bool,

    /// Print what is known of the control plane: what it records, compares and honours, and what that means
    #[arg(long, conflicts_with_all = ["watch", "apps"])]
    server: bool,
}

/// # Errors
/// As `flyte plan`; there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(&[])?;
    let ports = context.ports()?;
    context.wait(async {
        if args.server {
            server(context, &ports, &request).await
        } else if args.watch {
            watch(context, &ports, &request, args).await
        } else {
            once(context, &ports, &request, args).await
        }
    })
}

async fn once(context: &Context, ports: &Ports, request: &Request, args: &Args) -> Result<Answer> {
    let (plan, apps) = pipeline::status(ports, request, &args.apps).await?;
    let head = format!("{} in {} on {} ({})\n\n", plan.owner, plan.scope, plan.target, plan.endpoint);
    let answer = Answer::text(head + &text(&apps, context.paint()));
    let answer = answer.with("manifest", &plan.owner).with("scope", &plan.scope);
    let answer = answer.with("target", json!({ "name": plan.target, "endpoint": plan.endpoint }));
    Ok(answer.with("apps", apps.iter().map(document).collect::<Vec<_>>()).diagnostics(plan.diagnostics))
}

/// Everything in it comes from answers that were asked for something else, this time and before.
async fn server(context: &Context, ports: &Ports, request: &Request) -> Result<Answer> {
    let server = pipeline::server(ports, request).await?;
    let head = format!("{} ({})\n\n", server.target, server.endpoint);
    let text = head + &report::server_text(&server.guarantees, context.paint());
    let answer = Answer::text(text).with("target", json!({ "name": server.target, "endpoint": server.endpoint }));
    Ok(answer.document(report::server_json(&server.guarantees)))
}

/// Prints until interrupted, or until an error ends it.
async fn watch(context: &Context, ports: &Ports, request: &Request, args: &Args) -> Result<Answer> {
    let terminal = &context.terminal;
    let mut shown = None;
    loop {
        let answer = once(context, ports, request, args).await?;
        if shown.as_ref() != Some(&answer.text) {
            let told = if terminal.json {
                format!("{}\n", answer.as_document("status"))
            } else if terminal.is_screen() {
                answer.text.clone()
            } else {
                format!("{}\n", answer.text)
            };
            terminal.clear()?;
            if !terminal.result_is_read(&told)? {
                return Ok(Answer::nothing_more());
            }
            shown = Some(answer.text);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn text(apps: &[AppStatus], paint: Paint) -> String {
    if apps.is_empty() {
        return "no apps\n".into();
    }
    let mut table = Table::new(&["APP", "VERSION", "REV", "STATE", "DECLARED", "URL"]);
    for app in apps {
        let live = app.live.as_ref();
        table.row(vec![
            app.name.to_string(),
            live.and_then(LiveApp::marks).map_or("-".into(), |marks| marks.version),
            live.map_or("-".into(), |live| live.revision().to_string()),
            live.map_or("-".into(), |live| live.state().to_string()),
            declared(app).to_owned(),
            live.and_then(LiveApp::url).unwrap_or_default().to_owned(),
        ]);
    }
    let mut text = table.render();
    for app in apps.iter().filter(|app| app.plan.drifted && app.live.is_some()) {
        let keys: Vec<&str> = drift(app).map(|field| field.key.as_str()).collect();
        let told = if keys.is_empty() { reasons(app) } else { format!("changed outside: {}", keys.join(", ")) };
        text.push_str(&format!("\n{} {told}\n", paint.bad(format!("{}:", app.name))));
    }
    for app in apps {
        let Some(live) = app.live.as_ref().filter(|live| live.state() == State::Failed) else { continue };
        let Some(condition) = live.condition() else { continue };
        text.push_str(&format!("\n{} {}\n", paint.bad(format!("{}:", app.name)), printable(&condition.message)));
    }
    text
}

/// The fields that are not as we last wrote them.
fn drift(app: &AppStatus) -> impl Iterator<Item = &FieldChange> {
    app.plan.fields.iter().filter(|field| app.plan.drifted && field.changed_by != ChangedBy::Us)
}

fn reasons(app: &AppStatus) -> String {
    app.plan.reasons.iter().map(report::reason).collect::<Vec<_>>().join(", ")
}

/// How what runs stands to what is declared.
fn declared(app: &AppStatus) -> &'static str {
    match app.plan.verb {
        Verb::Create if app.plan.drifted => "gone",
        _ if app.plan.drifted => "drifted",
        Verb::Create => "not deployed",
        Verb::Update => "changed",
        Verb::Activate => "to be started",
        Verb::Deactivate => "to be stopped",
        Verb::Delete | Verb::Orphan => "no longer",
        Verb::Refused => "not ours",
        Verb::Unchanged => "as it runs",
    }
}

fn change(field: &FieldChange) -> Value {
    json!({
        "key": field.key,
        "path": field.path,
        "live": field.old,
        "declared": field.new,
        "changed_by": field.changed_by,
    })
}

fn document(app: &AppStatus) -> Value {
    let live = app.live.as_ref();
    json!({
        "name": app.name,
        "state": live.map(LiveApp::state),
        "url": live.and_then(LiveApp::url),
        "version": live.and_then(LiveApp::marks).map(|marks| marks.version),
        "revision": live.map(LiveApp::revision),
        "declared_version": app.plan.version.as_ref().map(crate::model::Version::mark),
        "action": app.plan.verb,
        "drifted": app.plan.drifted,
        "drift": drift(app).map(change).collect::<Vec<_>>(),
        "reasons": app.plan.reasons,
        "message": live.and_then(LiveApp::condition).map(|condition| condition.message.as_str()),
    })
}
