//! `flyte init`: a starter flyte.toml for this directory. Asks nothing, overwrites nothing.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::starter::{self, Found, Goal};
use crate::manifest::FILE_NAME;

/// How much of a file is looked at.
const LOOK: usize = 64 << 10;

#[derive(Debug, clap::Args)]
pub struct Args {}

/// # Errors
/// There is a flyte.toml already, or it cannot be written.
pub fn run(context: &Context, _: &Args) -> Result<Answer> {
    let path = context.global.manifest.clone().unwrap_or_else(|| FILE_NAME.into());
    let directory = std::path::absolute(&path)?.parent().map(Path::to_owned).unwrap_or_default();
    let found = look(&directory)
        .map_err(|error| Failure::from(error).while_doing(format!("cannot look around in {}", directory.display())))?;
    let config = context.config()?;
    let goal = Goal {
        project: context.global.project.as_deref().or(config.project.as_ref().map(|project| project.value.as_str())),
        domain: context.global.domain.as_deref().or(config.domain.as_ref().map(|domain| domain.value.as_str())),
        is_configured: config.names_endpoint(),
    };
    let starter = starter::write(&found, goal);
    let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(starter.text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(format!("{} exists already", path.display()))
            .help("`flyte plan` shows what it would do; remove it first to start over"),
        _ => Failure::from(error).while_doing(format!("cannot write {}", path.display())),
    })?;
    let shown = path.display().to_string();
    let first = if starter.lacks_image {
        "set `image`; `--target local` runs the app on this machine without one\nthen: "
    } else {
        ""
    };
    let told = format!(
        "wrote {shown}: app `{}`, {}\n\nnext: {first}`flyte plan` shows what would be deployed, `flyte apply` deploys it\n",
        starter.app, starter.because
    );
    let answer = Answer::text(told).with("path", shown).with("app", starter.app).with("because", starter.because);
    Ok(answer.with("manifest", starter.text))
}

/// What lies in the directory, as far as a starter needs it.
fn look(directory: &Path) -> std::io::Result<Found> {
    let mut found = Found {
        directory: directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        ..Found::default()
    };
    let mut entries: Vec<_> = fs::read_dir(directory)?.filter_map(std::result::Result::ok).map(|e| e.path()).collect();
    entries.sort();
    for path in entries.iter().filter(|path| path.is_file()) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name == "Dockerfile" {
            found.dockerfile = Some(text(path)?);
        } else if name.ends_with(".py") {
            found.python.insert(name.to_owned(), text(path)?);
        }
    }
    Ok(found)
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut content = fs::read(path)?;
    content.truncate(LOOK);
    Ok(String::from_utf8_lossy(&content).into_owned())
}
