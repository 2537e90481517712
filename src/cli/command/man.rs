//! `flyte man`: the man page, or a directory of man pages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::answer::Answer;
use crate::cli::args::Cli;
use crate::cli::failure::{Failure, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the page of every command into this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

/// # Errors
/// The directory cannot be written to.
pub fn run(args: &Args) -> Result<Answer> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = &args.out else {
        let page = page(&command)?;
        return Ok(Answer::text(page.clone()).with("page", page));
    };
    let mut written = Vec::new();
    write(&command, directory, &mut written)
        .map_err(|error| Failure::from(error).while_doing(format!("cannot write to {}", directory.display())))?;
    Ok(Answer::text(format!("wrote {} pages to {}\n", written.len(), directory.display())).with("files", written))
}

fn page(command: &clap::Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

/// The page of a command and those of the commands below it.
fn write(command: &clap::Command, directory: &Path, written: &mut Vec<PathBuf>) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let file = directory.join(format!("{name}.1"));
    fs::write(&file, page(command)?)?;
    written.push(file);
    let shown = |sub: &&clap::Command| !sub.is_hide_set() && sub.get_name() != "help";
    command.get_subcommands().filter(shown).try_for_each(|sub| write(sub, directory, written))
}
