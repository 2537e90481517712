//! Cases in plain files: what a case directory says, what comes out of it, and how expectations are rewritten.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use buffa::Enumeration as _;
use flyte::apply::Options;
use flyte::diagnostic::{Code, Diagnostics, Style, codes, render};
use flyte::model::{AppName, LiveApp, Scope};
use flyte::pipeline::{self, Error, Places, Request};
use flyte::plan::{Consent, Policy};
use flyte::port::{Event, Releases as _, Resolves};
use flyte::report::{Paint, outcome_text, plan_text};
use flyte::server::simulator::{Behaviour, Fault, Simulator};
use flyte::server::state::{Profile, Quirks};
use flyte_schema::flyteidl2::app::App;
use flyte_schema::flyteidl2::artifact::Artifact;
use flyte_schema::flyteidl2::common::ActionPhase;
use flyte_schema::flyteidl2::core::Literal;
use flyte_schema::flyteidl2::project::{Domain, Project};
use flyte_schema::flyteidl2::task::NamedLiteral;
use serde::Deserialize;

use super::edit::Edit;
use super::world::{World, request, run};

type Result<T> = datatest_stable::Result<T>;

/// `case.toml`: what happens, in order. The tree is the case's own directory unless a run names another below it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Switches of the control plane that are not as the profile has them: `fills_timeout = true`.
    #[serde(default)]
    switches: BTreeMap<String, bool>,
    /// `full` or `oss`; both are run, and must tell the same, where none is given.
    profile: Option<String>,
    /// Targets that are control planes of their own; all others are one.
    #[serde(default)]
    apart: Vec<String>,
    #[serde(default)]
    run: Vec<Run>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Run {
    /// `plan`, `offline`, `save` (a plan, into the plan file), `apply` (the default), `apply-saved`, `rollback`,
    /// `history`, `history-all`, `clean`, `activate`, `deactivate` or `delete`.
    command: Option<String>,
    /// A directory below the case's.
    tree: Option<String>,
    adopt: bool,
    prune: bool,
    activate: bool,
    label: Option<String>,
    /// `APP.FIELD`
    keep_drift: Vec<String>,
    /// Before the run, what is on record of these apps is lost.
    lose: Vec<String>,
    /// Before the run, somebody else deletes these apps.
    vanish: Vec<String>,
    target: Option<String>,
    profile: Option<String>,
    app: Vec<String>,
    parallelism: Option<usize>,
    /// Seconds until the first Ctrl-C.
    interrupt_after: Option<f64>,
    faults: Vec<Fault>,
    /// App name to `ready`, `slow` (after a minute), `late` (nothing is seen of it for a while), `never`, `crash_loop`, or
    /// `recovers` (the same, and ready after a minute).
    behaviour: BTreeMap<String, String>,
    logs: BTreeMap<String, Vec<String>>,
    /// What has run on the control plane since.
    runs: Vec<Ran>,
    /// What was published there since.
    artifacts: Vec<Published>,
    /// What somebody else does before the run, or that many seconds after it began.
    edit: Vec<Edit>,
    edit_after: Option<f64>,
    /// `rollback`: of `app`, to this version.
    to: Option<String>,
    with_dependencies: bool,
    /// What the store of releases refuses everything with from now on; empty: nothing any more.
    store_refuses: Option<String>,
    /// What registries answer for images from now on: `there`, `gone`, or `silent` as for all others.
    images: BTreeMap<String, String>,
    /// Before the run, all code that was uploaded is lost.
    lose_code: bool,
    /// The secrets there are from now on, as `project/domain/NAME`, `domain/NAME` or `NAME`. Left out: all there could
    /// be.
    secrets: Option<Vec<String>>,
    /// The projects there are from now on, with their domains. Left out: all there could be.
    projects: Option<BTreeMap<String, Vec<String>>>,
    /// Apps that somebody else has, also under names that we give none: `project/domain/name`.
    elsewhere: Vec<String>,
    /// On another machine: what was seen of the control plane before is not known there.
    fresh: bool,
    /// Seconds that pass before.
    after: f64,
    /// Leave the events and requests out.
    quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ran {
    name: String,
    #[serde(default)]
    task: String,
    #[serde(default)]
    version: String,
    /// Left out: it succeeded.
    phase: Option<String>,
    /// Each as [`Stored`].
    #[serde(default)]
    outputs: Vec<Stored>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    project: String,
    domain: String,
    name: String,
    version: String,
    value: Stored,
}

/// `{ directory = "s3://bucket/model" }` and the like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Text(String),
    Integer(i64),
    File(String),
    Directory(String),
}

/// Runs a case and compares what it tells with `expected.txt` beside it.
pub fn check(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap();
    let case: Case = toml::from_str(&std::fs::read_to_string(path)?)?;
    let told = match &case.profile {
        Some(profile) => tell(directory, &case, profile.parse()?)?,
        None => {
            let full = tell(directory, &case, Profile::Full)?;
            let oss = tell(directory, &case, Profile::Oss)?;
            if full == oss { full } else { format!("==== full\n{full}\n==== oss\n{oss}") }
        }
    };
    compare(&directory.join("expected.txt"), &told)
}

fn tell(directory: &Path, case: &Case, profile: Profile) -> Result<String> {
    run(async {
        let mut text = String::new();
        let mut quirks = profile.quirks();
        for (name, on) in &case.switches {
            *switch(&mut quirks, name).ok_or_else(|| format!("no such switch: {name}"))? = *on;
        }
        let mut world = World::with(quirks.clone());
        let simulator = |target: &String| (target.clone(), Simulator::new(quirks.clone(), world.clock.clone()));
        world.apart = case.apart.iter().map(simulator).collect();
        world.load(directory);
        for (at, step) in case.run.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            if let Some(tree) = &step.tree {
                world.load(&directory.join(tree));
            }
            perform(&world, step, &mut text).await?;
        }
        Ok(text)
    })
}

fn switch<'a>(quirks: &'a mut Quirks, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "answers_echo_request" => &mut quirks.answers_echo_request,
        "create_starts" => &mut quirks.create_starts,
        "fills_substates" => &mut quirks.fills_substates,
        "fills_timeout" => &mut quirks.fills_timeout,
        "keeps_labels" => &mut quirks.keeps_labels,
        "stale_active_after_write" => &mut quirks.stale_active_after_write,
        "stopped_update_discards_spec" => &mut quirks.stopped_update_discards_spec,
        "watch_drops_events" => &mut quirks.watch_drops_events,
        _ => return None,
    })
}

impl Ran {
    fn run(&self) -> Result<flyte::port::Run> {
        let phase = self.phase.as_deref().unwrap_or("SUCCEEDED");
        let phase = ActionPhase::from_proto_name(&format!("ACTION_PHASE_{phase}")).ok_or("no such phase")?;
        let named = |(at, stored): (usize, &Stored)| {
            Ok(NamedLiteral { name: format!("o{at}"), value: stored.literal()?.into(), ..Default::default() })
        };
        let outputs = self.outputs.iter().enumerate().map(named).collect::<Result<_>>()?;
        Ok(flyte::port::Run { name: self.name.clone(), phase: phase.into(), outputs })
    }
}

impl Published {
    fn artifact(&self) -> Result<Artifact> {
        Ok(flyte_schema::from_json(serde_json::json!({
            "artifact_id": {
                "name": { "project": self.project, "domain": self.domain, "name": self.name },
                "version": self.version,
            },
            "spec": { "value": flyte_schema::to_json(&self.value.literal()?)? },
        }))?)
    }
}

impl Stored {
    fn literal(&self) -> Result<Literal> {
        let blob = |uri: &str, dimensionality: &str| {
            let kind = serde_json::json!({ "type": { "dimensionality": dimensionality } });
            serde_json::json!({ "blob": { "uri": uri, "metadata": kind } })
        };
        let scalar = match self {
            Self::Text(text) => serde_json::json!({ "primitive": { "string_value": text } }),
            Self::Integer(number) => serde_json::json!({ "primitive": { "integer": number.to_string() } }),
            Self::File(uri) => blob(uri, "SINGLE"),
            Self::Directory(uri) => blob(uri, "MULTIPART"),
        };
        Ok(flyte_schema::from_json(serde_json::json!({ "scalar": scalar }))?)
    }
}

async fn perform(world: &World, step: &Run, text: &mut String) -> Result<()> {
    let simulator = world.simulator(step.target.as_deref());
    match step.edit_after {
        None => step.edit.iter().try_for_each(|edit| edit.make(simulator))?,
        Some(seconds) => {
            let (simulator, edits) = (simulator.clone(), step.edit.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                edits.iter().try_for_each(|edit| edit.make(&simulator)).unwrap();
            });
        }
    }
    if step.fresh {
        world.notes.clear();
    }
    tokio::time::sleep(Duration::from_secs_f64(step.after)).await;
    for (app, behaviour) in &step.behaviour {
        simulator.set_behaviour(app, behaviour_of(behaviour)?);
    }
    for (app, lines) in &step.logs {
        simulator.set_logs(app, lines.iter().cloned());
    }
    for ran in &step.runs {
        simulator.add_run(&ran.task, &ran.version, ran.run()?);
    }
    for published in &step.artifacts {
        simulator.add_artifact(published.artifact()?);
    }
    for (image, answer) in &step.images {
        world.registry.set(image, answer_of(answer)?);
    }
    if step.lose_code {
        world.simulator.forget_uploads();
    }
    if let Some(secrets) = &step.secrets {
        simulator.set_secrets(secrets.iter().map(|secret| {
            let parts: Vec<&str> = secret.rsplit('/').collect();
            let part = |at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
            (Scope { org: String::new(), project: part(2), domain: part(1) }, part(0))
        }));
    }
    if let Some(projects) = &step.projects {
        simulator.set_projects(projects.iter().map(|(id, domains)| {
            let domains = domains.iter().map(|id| Domain { id: id.clone(), ..Default::default() }).collect();
            Project { id: id.clone(), domains, ..Default::default() }
        }));
    }
    for place in &step.elsewhere {
        let app = somebodys(place)?;
        match AppName::new(app.metadata.id.name.as_str()) {
            Ok(_) => drop(simulator.put(app)?),
            Err(_) => simulator.add_stranger(app),
        }
    }
    for fault in &step.faults {
        simulator.inject(fault.clone());
    }
    for app in &step.lose {
        for name in world.releases.objects().into_keys().filter(|name| name.contains(&format!("/apps/{app}/"))) {
            world.releases.remove(&name).await?;
        }
    }
    for app in &step.vanish {
        let found = simulator.apps().into_iter().map(LiveApp).find(|live| live.name() == app);
        let id = found.and_then(|live| live.id()).ok_or_else(|| format!("no such app: {app}"))?;
        simulator.remove(&id)?;
    }
    if let Some(words) = &step.store_refuses {
        world.releases.refuse(Some(words.as_str()).filter(|words| !words.is_empty()));
    }
    simulator.forget_calls();
    let mut request = request(Policy { adopt: step.adopt, prune: step.prune, activate: step.activate });
    request.label = step.label.clone();
    request.keep_drift = step.keep_drift.clone();
    request.selection.profile = step.profile.clone();
    request.selection.target = step.target.clone();
    request.selection.apps = step.app.clone();
    let command = step.command.as_deref().unwrap_or("apply");
    writeln!(text, "$ flyte {command}")?;
    let told = tokio::select! {
        told = carry_out(world, command, step, &request) => told,
        () = simulator.crashed() => {
            simulator.restart();
            "crashed\n".to_owned()
        }
    };
    text.push_str(&told);
    let asked = world.registry.take_asked();
    if !asked.is_empty() {
        writeln!(text, "-- images asked for: {}", asked.join(", "))?;
    }
    let heard = world.heard.take();
    if !step.quiet && !["plan", "save", "offline", "history", "history-all", "clean"].contains(&command) {
        text.push_str("-- events\n");
        for event in heard {
            writeln!(text, "{}", event_text(&event))?;
        }
        text.push_str("-- requests\n");
        for call in simulator.calls().iter().filter(|call| call.method != "AppService/Get") {
            writeln!(text, "{call}")?;
        }
    }
    Ok(())
}

/// An app that is none of ours.
fn somebodys(place: &str) -> Result<App> {
    let parts: Vec<&str> = place.split('/').collect();
    let [project, domain, name] = parts[..] else { return Err("an app is project/domain/name".into()) };
    Ok(flyte_schema::from_json(serde_json::json!({
        "metadata": { "id": { "project": project, "domain": domain, "name": name } },
        "spec": { "container": { "image": "x" }, "desired_state": "DESIRED_STATE_ACTIVE" },
    }))?)
}

async fn carry_out(world: &World, command: &str, step: &Run, request: &Request) -> String {
    let options = Options { parallelism: step.parallelism.unwrap_or(10), by: "me@here".into(), ..Options::default() };
    if let Some(seconds) = step.interrupt_after {
        let interrupt = options.interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            interrupt.set();
        });
    }
    let plain = Paint::default();
    let result = match command {
        "offline" => pipeline::offline(&world.ports(), request).await.map(|plan| plan_text(&plan, plain)),
        "plan" => world.plan(request).await.map(|planned| {
            let diagnostics = &planned.plan.diagnostics;
            // Warnings about the text are the matter of other cases.
            let found = diagnostics.list.iter().filter(|found| !step.quiet && is_of_preflight(found.code)).cloned();
            let found = Diagnostics { sources: diagnostics.sources.clone(), list: found.collect() };
            plan_text(&planned.plan, plain) + &render(&found, Style::PLAIN)
        }),
        "save" => world.save(request).await.map(|planned| plan_text(&planned.plan, plain)),
        "apply-saved" => {
            let request = Request { policy: Policy::default(), label: None, ..request.clone() };
            world.apply_saved(&request, &options).await.map(|report| outcome_text(&report, plain))
        }
        "apply" => world.apply(request, &options).await.map(|report| outcome_text(&report, plain)),
        "rollback" => roll_back(world, step, request, &options).await,
        "history" => history(world, request, Places::Selected).await,
        "history-all" => history(world, request, Places::All).await,
        "clean" => clean(world, request).await,
        other => operate(world, other, step, request, &options).await,
    };
    result.unwrap_or_else(|error| failure(&error))
}

async fn roll_back(
    world: &World,
    step: &Run,
    request: &Request,
    options: &Options,
) -> std::result::Result<String, Error> {
    let [app] = step.app.as_slice() else { panic!("one app is rolled back") };
    let what = pipeline::Rollback { app: app.clone(), to: step.to.clone(), with_dependencies: step.with_dependencies };
    let mut request = request.clone();
    request.selection.apps.clear();
    let ports = world.ports();
    let planned = pipeline::rollback(&ports, &request, &what).await?;
    let plan = plan_text(&planned.plan, Paint::default());
    let report = pipeline::apply(&ports, &planned.approve(Consent::given())?, options).await?;
    Ok(format!("{plan}\n{}", outcome_text(&report, Paint::default())))
}

async fn history(world: &World, request: &Request, places: Places) -> std::result::Result<String, Error> {
    let history = pipeline::history(&world.ports(), request, None, 100, places).await?;
    let mut text = String::new();
    for happened in history.events {
        let event = happened.event.expect("it was written by this program");
        let mark = happened.entry.mark().unwrap_or("-").to_owned();
        let place = if places == Places::All { format!(" at {}", happened.place) } else { String::new() };
        text.push_str(&format!("{} {mark} {} by {}{place}\n", happened.app, happened.entry.kind, event.by));
    }
    if history.elsewhere > 0 {
        text.push_str(&format!("{} elsewhere\n", history.elsewhere));
    }
    Ok(text)
}

/// One version of each app stays, and what runs.
async fn clean(world: &World, request: &Request) -> std::result::Result<String, Error> {
    let ports = world.ports();
    let cleaning = pipeline::clean(&ports, request, None, 1).await?;
    let gone: Vec<String> = cleaning.versions.iter().map(|(app, mark)| format!("{app} {mark}\n")).collect();
    pipeline::remove(&ports, &cleaning).await?;
    let told = render(&cleaning.diagnostics, Style::PLAIN);
    Ok(format!("{}{} objects removed\n{told}", gone.concat(), cleaning.objects()))
}

async fn operate(
    world: &World,
    command: &str,
    step: &Run,
    request: &Request,
    options: &Options,
) -> std::result::Result<String, Error> {
    use flyte::plan::Operation;
    let operation = match command {
        "activate" => Operation::Activate,
        "deactivate" => Operation::Deactivate,
        "delete" => Operation::Delete,
        other => panic!("no such command: {other}"),
    };
    let ports = world.ports();
    let mut request = request.clone();
    request.selection.apps.clear();
    let planned = pipeline::operate(&ports, &request, operation, &step.app).await?;
    let plan = plan_text(&planned.plan, Paint::default());
    let report = pipeline::apply(&ports, &planned.approve(Consent::given())?, options).await?;
    Ok(format!("{plan}\n{}", outcome_text(&report, Paint::default())))
}

fn is_of_preflight(code: Code) -> bool {
    [
        codes::MISSING_PROJECT,
        codes::MISSING_DOMAIN,
        codes::MISSING_SECRET,
        codes::NAME_TAKEN,
        codes::SPEC_TOO_LARGE,
        codes::NOT_CHECKED,
    ]
    .contains(&code)
}

fn failure(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    if let Error::Invalid(invalid) = error {
        for diagnostic in &invalid.0.list {
            text.push_str(&format!("  {}: {}\n", diagnostic.code, diagnostic.message));
        }
    }
    if let Error::Unresolved(unresolved) = error {
        let sources = &unresolved.0.sources;
        for diagnostic in &unresolved.0.list {
            let places: Vec<String> = diagnostic.labels.iter().map(|label| sources.locate(label.span)).collect();
            text.push_str(&format!("  {}: {} ({})\n", diagnostic.code, diagnostic.message, places.join(", ")));
            text.push_str(&format!("    help: {}\n", diagnostic.help.as_deref().unwrap_or("none")));
        }
    }
    if let Error::Stale(stale) = error {
        for reason in &stale.0 {
            text.push_str(&format!("  {reason}\n"));
        }
    }
    if let Error::Refused(refused) = error {
        text.push_str(&render(&refused.mistakes, Style::PLAIN));
        for (app, notes) in &refused.apps {
            for note in notes {
                text.push_str(&format!("  {app}: {}\n", flyte::report::note(note)));
            }
        }
    }
    text
}

/// Waits are rounded down to tenths, so that a step more or less of polling does not show.
fn event_text(event: &Event) -> String {
    match event {
        Event::Started { app, action } => format!("{app}: {action}"),
        Event::Written { app, action, .. } => format!("{app}: {action} taken"),
        Event::Waiting { app, status } => format!("{app}: {status}"),
        Event::Passed { app, .. } => format!("{app}: there"),
        Event::Failed { app, reason } => format!("{app}: failed: {reason}"),
        Event::Unknown { app, reason } => format!("{app}: unknown: {reason}"),
        Event::Skipped { app, reason } => format!("{app}: skipped: {reason}"),
        Event::Interrupted => "interrupted".into(),
    }
}

fn answer_of(name: &str) -> Result<Resolves> {
    Ok(match name {
        "there" => Resolves::Yes(format!("sha256:{}", "0".repeat(64))),
        "gone" => Resolves::No,
        "silent" => Resolves::Unknown("no answer".to_owned()),
        other => return Err(format!("no such answer: {other}").into()),
    })
}

fn behaviour_of(name: &str) -> Result<Behaviour> {
    Ok(match name {
        "ready" => Behaviour::default(),
        "slow" => Behaviour::ready_after(Duration::from_secs(60)),
        "late" => {
            let mut behaviour = Behaviour::default();
            behaviour.steps.iter_mut().for_each(|(delay, _)| *delay += Duration::from_secs(20));
            behaviour
        }
        "never" => Behaviour::never_ready(),
        "crash_loop" => Behaviour::crash_loop_after(Duration::from_secs(3)),
        "recovers" => {
            let mut behaviour = Behaviour::crash_loop_after(Duration::from_secs(3));
            behaviour.steps.extend(Behaviour::ready_after(Duration::from_secs(60)).steps.pop());
            behaviour
        }
        other => return Err(format!("no such behaviour: {other}").into()),
    })
}

/// Compares with a file, or rewrites it when `UPDATE_CASES` is set.
pub fn compare(path: &Path, told: &str) -> Result<()> {
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(path, told)?;
        return Ok(());
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == told {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(&expected, told);
    let shown = diff.unified_diff().header("expected", "told").to_string();
    Err(Box::new(Differs(format!("{} (UPDATE_CASES=1 rewrites it)\n{shown}", path.display()))))
}

/// Shown line by line, also where errors are printed for debugging.
pub struct Differs(pub String);

impl std::fmt::Debug for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Differs {}
