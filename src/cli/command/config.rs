//! `flyte config show`: every effective setting, and where it comes from.

use std::path::Path;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::context::{Context, environment};
use crate::cli::directories;
use crate::cli::failure::Result;
use crate::host::Cache;
use crate::pipeline;
use crate::report::Table;
use crate::resolve::{Layer, Origin, Project};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the settings
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The values of this app in place of the settings around it
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
}

/// # Errors
/// The manifest has mistakes; there is no such app.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let Command::Show(show) = &args.command;
    let request = context.request(show.app.as_slice())?;
    let project = pipeline::load(&context.files(), &request)?;
    let mut rows: Vec<[String; 3]> = Vec::new();
    let prefix = show.app.as_ref().map(|app| format!("app.{app}."));
    for setting in &project.settings {
        let wanted = match &prefix {
            Some(prefix) => setting.key.starts_with(prefix.as_str()),
            None => !setting.key.starts_with("app."),
        };
        if wanted {
            rows.push([setting.key.clone(), setting.value.clone(), origin(&project, &setting.origin)]);
        }
    }
    if show.app.is_none() {
        let place = |path: &Path| format!("\"{}\"", path.display());
        rows.push(["state directory".into(), place(&directories::state()?), "environment".into()]);
        if let Some(cache) = Cache::of_user(&environment()) {
            rows.push(["cache directory".into(), place(cache.directory()), "environment".into()]);
        }
    }
    let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
    let mut settings = Vec::new();
    for [key, value, from] in rows {
        settings.push(json!({ "key": key, "value": value, "from": from }));
        table.row(vec![key, value, from]);
    }
    Ok(Answer::text(table.render()).with("settings", settings).diagnostics(project.diagnostics))
}

fn origin(project: &Project, origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".into(),
        Origin::Flag(flag) => (*flag).to_owned(),
        Origin::Text { span, layer } => {
            let place = project.diagnostics.sources.locate(*span);
            match layer {
                Layer::App | Layer::Root => place,
                Layer::Defaults => format!("{place} [defaults]"),
                Layer::Profile(name) => format!("{place} [profile.{name}]"),
            }
        }
    }
}
