//! `flyte config show`: every effective setting, and where it comes from.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cli::answer::Answer;
use crate::cli::context::{Context, environment};
use crate::cli::directories;
use crate::cli::exit::Exit;
use crate::cli::failure::Result;
use crate::config::{Config, Outcome, Searched};
use crate::diagnostic::{Diagnostics, SourceMap};
use crate::host::Cache;
use crate::manifest::Value;
use crate::pipeline::{self, Error};
use crate::report::Table;
use crate::resolve::Setting;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the settings, the files of the Flyte SDK that were looked for, and what was read otherwise than the SDK reads it
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The values of this app in place of the settings around it
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
}

/// # Errors
/// The manifest has mistakes; there is no such app. A configuration of the SDK that is needed and wrong is told with the
/// files that were looked for, and the exit code is 1.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let Command::Show(show) = &args.command;
    match &show.app {
        Some(app) => of_app(context, app),
        None => of_all(context),
    }
}

fn of_app(context: &Context, app: &str) -> Result<Answer> {
    let request = context.request(&[app.to_owned()])?;
    let project = pipeline::load(&context.files(), &request)?;
    let prefix = format!("app.{app}.");
    let settings = project.settings.iter().filter(|setting| setting.key.starts_with(&prefix));
    let rows = settings.map(|setting| Row::of(setting, &project.diagnostics.sources)).collect();
    Ok(answer(rows, "").diagnostics(project.diagnostics))
}

fn of_all(context: &Context) -> Result<Answer> {
    let request = context.request(&[])?;
    let config = &request.selection.config;
    let place = match pipeline::place(&context.files(), &request) {
        Err(Error::Invalid(invalid)) if config.file.is_some() => return Ok(only_files(config, invalid.0)),
        place => place?,
    };
    let mut rows: Vec<Row> =
        place.settings.iter().map(|setting| Row::of(setting, &place.diagnostics.sources)).collect();
    rows.push(Row::directory("state directory", &directories::state()?));
    if let Some(cache) = Cache::of_user(&environment()) {
        rows.push(Row::directory("cache directory", cache.directory()));
    }
    let mut more = files_text(config);
    if !place.notes.is_empty() {
        more.push_str("\nRead otherwise than the SDK reads it, or not used:\n");
        more.extend(place.notes.iter().map(|note| format!("- {note}\n")));
    }
    let answer = answer(rows, &more).with("files", files_json(config)).with("notes", place.notes);
    Ok(answer.diagnostics(place.diagnostics))
}

/// What there is to tell where nothing is effective.
fn only_files(config: &Config, diagnostics: Diagnostics) -> Answer {
    Answer::text(files_text(config).trim_start())
        .with("files", files_json(config))
        .diagnostics(diagnostics)
        .exit(Exit::Error)
}

/// A setting as it is shown.
struct Row {
    key: String,
    value: Value,
    from: String,
}

impl Row {
    fn of(setting: &Setting, sources: &SourceMap) -> Self {
        Self { key: setting.key.clone(), value: setting.value.clone(), from: setting.origins(sources) }
    }

    fn directory(key: &str, path: &Path) -> Self {
        Self { key: key.to_owned(), value: Value::Text(path.display().to_string()), from: "environment".to_owned() }
    }
}

fn answer(rows: Vec<Row>, more: &str) -> Answer {
    let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
    let mut settings = Vec::new();
    for Row { key, value, from } in rows {
        let json = value.to_json().unwrap_or_else(|| value.to_string().into());
        settings.push(json!({ "key": key, "value": json, "from": from }));
        table.row(vec![key, value.to_string(), from]);
    }
    Answer::text(table.render() + more).with("settings", settings)
}

fn files_text(config: &Config) -> String {
    let rows = config.searched.iter().map(|Searched { place, path, outcome }| {
        let shown = path.as_ref().map(|path| path.display().to_string()).filter(|path| path != place);
        format!("  {place:<22} {:<15} {}", word(*outcome, path.is_some()), shown.unwrap_or_default())
            .trim_end()
            .to_owned()
    });
    format!(
        "\nThe configuration file of the Flyte SDK is the first found of\n{}\n",
        rows.collect::<Vec<_>>().join("\n")
    )
}

fn files_json(config: &Config) -> Json {
    let one = |Searched { place, path, outcome }: &Searched| {
        json!({
            "place": place,
            "path": path.as_ref().map(|path| path.display().to_string()),
            "outcome": word(*outcome, path.is_some()),
        })
    };
    config.searched.iter().map(one).collect()
}

fn word(outcome: Outcome, is_named: bool) -> &'static str {
    match outcome {
        Outcome::Used => "found",
        Outcome::Absent if is_named => "absent",
        Outcome::Absent => "none",
        Outcome::NotFlyte => "not Flyte's",
        Outcome::NotAsked => "not looked at",
    }
}
