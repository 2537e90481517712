//! `flyte completions`: the completions of a shell, on stdout.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::answer::Answer;
use crate::cli::args::Cli;
use crate::cli::failure::Result;

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: Shell,
}

/// # Errors
/// None.
pub fn run(args: &Args) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flyte", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Answer::text(script.clone()).with("shell", args.shell.to_string()).with("script", script))
}
