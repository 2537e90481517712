//! The command line: arguments, one file per command, rendering, exit codes.

#![expect(clippy::disallowed_methods, reason = "the edge towards the user: environment, files and time are its matter")]

mod actor;
mod answer;
mod args;
mod command;
mod consent;
mod context;
mod directories;
mod exit;
mod failure;
mod github;
mod handoff;
mod interrupt;
mod person;
mod place;
mod plan_file;
mod progress;
mod python;
mod starter;
mod targets;
mod terminal;
mod trace;

use std::env;
use std::io::Write;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

pub use directories::NoStateDirectory;
pub use exit::Exit;
pub use targets::UserTargets;

use answer::Answer;
use args::{Cli, Command};
use context::Context;
use failure::{Failure, Result};
use terminal::Terminal;

use crate::plan::Operation;

/// Runs the program with the arguments of this process.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let terminal = Terminal::new(&cli.global, cli.command.format());
    let command = cli.command.name();
    match start(cli, terminal).and_then(|answer| answer.print(&terminal, command)) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.tell(&terminal, command);
            failure.code()
        }
    }
}

fn start(cli: Cli, terminal: Terminal) -> Result<Answer> {
    // What runs in the background has nobody to tell but its log.
    let level = if cli.command.is_server() { cli.global.verbose.max(1) } else { cli.global.verbose };
    trace::start(level, terminal.color_stderr());
    if let Some(directory) = &cli.global.directory {
        env::set_current_dir(directory)
            .map_err(|error| Failure::from(error).while_doing(format!("cannot work in {}", directory.display())))?;
    }
    let context = Context { global: cli.global, terminal };
    dispatch(&context, &cli.command)
}

fn dispatch(context: &Context, command: &Command) -> Result<Answer> {
    use self::command as at;
    match command {
        Command::Init(args) => at::init::run(context, args),
        Command::Validate(args) => at::validate::run(context, args),
        Command::Plan(args) => at::plan::run(context, args),
        Command::Apply(args) => at::apply::run(context, args),
        Command::Deploy(args) => at::deploy::run(context, args),
        Command::Status(args) => at::status::run(context, args),
        Command::Activate(args) => at::activate::run(context, args, Operation::Activate),
        Command::Deactivate(args) => at::activate::run(context, args, Operation::Deactivate),
        Command::History(args) => at::history::run(context, args),
        Command::Rollback(args) => at::rollback::run(context, args),
        Command::Versions(args) => at::versions::run(context, args),
        Command::Logs(args) => at::logs::run(context, args),
        Command::Delete(args) => at::delete::run(context, args),
        Command::Render(args) => at::render::run(context, args),
        Command::Bundle(args) => at::bundle::run(context, args),
        Command::Graph(args) => at::graph::run(context, args),
        Command::Explain(args) => at::explain::run(args, context.paint()),
        Command::Schema(args) => at::schema::run(args),
        Command::Import(args) => at::import::run(context, args),
        Command::Auth(args) => at::auth::run(context, args),
        Command::Config(args) => at::config::run(context, args),
        Command::Local(args) => at::local::run(context, args),
        Command::Completions(args) => at::completions::run(args),
        Command::Man(args) => at::man::run(args),
        Command::External(words) => Err(handoff::hand_over(words)),
    }
}

/// Help and version are answers; what clap refuses is an error of usage.
fn usage(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let mut stdout = anstream::stdout().lock();
            // A reader that went away has read enough.
            let _ = write!(stdout, "{}", error.render().ansi()).and_then(|()| stdout.flush());
            Exit::Success
        }
        _ if env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json") => {
            let failure = misused(error);
            failure.tell(&Terminal::for_programs(), &asked_for());
            failure.code()
        }
        _ => {
            // Nobody is left to tell when this fails.
            let _ = error.print();
            Exit::Error
        }
    }
}

/// What clap says, less its layout: the first paragraph is the error, the next ones tell what to do.
fn misused(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let help = paragraphs.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Failure::new(message.trim_start_matches("error: ")).help(help)
}

/// The command that was meant, as far as can be told.
fn asked_for() -> String {
    let known = Cli::command();
    let word = env::args_os().skip(1).find(|word| known.find_subcommand(word).is_some());
    word.map_or_else(|| "flyte".to_owned(), |word| word.to_string_lossy().into_owned())
}
