//! `flyte import`: a manifest from live apps or from a Python file, and how far it says what they are.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flyte_schema::flyteidl2::app::App as Message;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Result};
use crate::cli::place::{Place, place};
use crate::cli::python::{self, Source};
use crate::import::{self, Imported, Options, Unsaid};
use crate::manifest::{FILE_NAME, normal};
use crate::port::Access;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A Python file of the Flyte SDK, or one variable in it, in place of live apps
    #[arg(long, value_name = "FILE[:VAR]")]
    python: Option<String>,

    /// Write to this file, which must not exist, in place of stdout
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// # Errors
/// The apps cannot be read, or have no manifest; the file exists. A manifest that says less than the apps are is no
/// error here: it is written, the rest told, and the exit code is 1.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    if let Some(path) = args.out.as_ref().filter(|path| path.exists()) {
        return Err(exists(path));
    }
    let place = place(context)?;
    let imported = match &args.python {
        Some(text) => from_python(context, text, args.out.as_deref(), &place)?,
        None => from_live(context, args.out.as_deref(), &place)?,
    };
    let mut answer = match &args.out {
        Some(path) => {
            write(path, &imported.text)?;
            let apps =
                imported.text.lines().filter(|line| line.starts_with("[app.") && !line[5..].contains('.')).count();
            Answer::text(format!("wrote {}: {apps} {}\n", path.display(), if apps == 1 { "app" } else { "apps" }))
                .with("path", path.display().to_string())
        }
        None => Answer::text(imported.text.clone()),
    };
    if !context.terminal.json {
        context.terminal.complain(&told(&imported));
    }
    if imported.unsaid.iter().any(|unsaid| unsaid.lost) {
        answer = answer.exit(Exit::Error);
    }
    let Imported { text, unsaid, differences } = imported;
    Ok(answer.with("manifest", text).with("unsaid", unsaid).with("differences", differences))
}

fn from_live(context: &Context, out: Option<&Path>, place: &Place) -> Result<Imported> {
    let ports = context.ports()?;
    let mut apps: Vec<Message> = context.wait(async {
        let control_plane = ports.targets.connect(&place.target, Access::Read).await?;
        Ok(control_plane.list(&place.scope).await?)
    })?;
    if apps.is_empty() {
        return Err(Failure::new(format!("there are no apps in {}", place.scope))
            .help("--project, --domain and --target choose another place"));
    }
    for app in &mut apps {
        app.status = Default::default();
    }
    let mut scope = place.scope.clone();
    if scope.org.is_empty() {
        scope.org.clone_from(&apps[0].metadata.id.org);
    }
    let options = Options {
        name: import::owner(&apps, &scope),
        scope,
        target: place.target.clone(),
        heading: format!("From the live apps of {}.", place.scope),
        hints: Default::default(),
        unsaid: Vec::new(),
    };
    let path = normal(&env::current_dir()?.join(out.unwrap_or(Path::new(FILE_NAME))));
    Ok(import::import(ports.files.as_ref(), &path, &apps, &options)?)
}

fn from_python(context: &Context, text: &str, out: Option<&Path>, place: &Place) -> Result<Imported> {
    let (file, variable) = match text.rsplit_once(':') {
        Some((file, variable)) => (file, Some(variable)),
        None => (text, None),
    };
    let source = Source { file: Path::new(file), variable, images: context.config()?.images };
    let files = context.files();
    context.wait(async { Ok(python::declared(&files, &source, out, place).await?.imported) })
}

/// One line for each thing that is not said.
fn told(imported: &Imported) -> String {
    let line = |Unsaid { app, path, why, .. }: &Unsaid| match app.as_str() {
        "" => format!("{path}: {why}\n"),
        app => format!("`{app}`: {path}: {why}\n"),
    };
    imported.unsaid.iter().map(line).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::from(error).while_doing(format!("cannot write {}", path.display())),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} exists already", path.display())).help("remove it first, or name another file")
}
