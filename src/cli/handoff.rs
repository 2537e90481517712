//! Commands that are not ours: handed to the next `flyte` on PATH, or answered with a hint.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;

use super::args::Cli;
use super::failure::Failure;

/// Set while another program runs in our place, so that two that hand over to each other do not do so for ever.
const GUARD: &str = "FLYTE_HANDED_OVER";

/// The commands of the Python SDK that are not ours too. Source: `flyte --help` of SDK 2.12.
const OF_THE_SDK: [&str; 11] =
    ["abort", "build", "create", "gen", "get", "prefetch", "run", "serve", "start", "update", "whoami"];

/// Becomes the next `flyte` on PATH with the same arguments. Returns only where there is none, or where `words`
/// begins with what is likely a slip of the fingers.
pub fn hand_over(words: &[OsString]) -> Failure {
    let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let of_the_sdk = OF_THE_SDK.contains(&name.as_str());
    let suggestion = closest(&name);
    let slip = !of_the_sdk && suggestion.as_ref().is_some_and(|near| strsim::damerau_levenshtein(near, &name) == 1);
    let other = if slip || env::var_os(GUARD).is_some() { None } else { next_on_path() };
    if let Some(program) = other {
        let error = Command::new(&program).args(env::args_os().skip(1)).env(GUARD, "1").exec();
        return Failure::from_error(&error).while_doing(format!("cannot start {}", program.display()));
    }
    let failure = Failure::new(format!("no command `{name}`"));
    match suggestion {
        _ if of_the_sdk => failure.help(format!(
            "`flyte {name}` is a command of the Flyte Python SDK; with `pip install flyte` it is found on PATH and run"
        )),
        Some(near) => failure.help(format!("did you mean `flyte {near}`?")),
        None => failure.help("`flyte --help` lists the commands"),
    }
}

/// The command of ours that looks most like `name`.
fn closest(name: &str) -> Option<String> {
    let ours = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect::<Vec<_>>();
    let score = |candidate: &String| strsim::jaro_winkler(candidate, name);
    let best = ours.into_iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(&best) > 0.8).then_some(best)
}

/// The first `flyte` on PATH that is not this program, under whatever name or link.
fn next_on_path() -> Option<PathBuf> {
    let this = env::current_exe().ok().and_then(|path| identity(&path));
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(OsStr::new("flyte")))
        .find(|candidate| identity(candidate).is_some_and(|found| Some(found) != this))
}

/// Device and inode of an executable file, links followed.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let facts = path.metadata().ok()?;
    (facts.is_file() && facts.permissions().mode() & 0o111 != 0).then(|| (facts.dev(), facts.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(closest(name).as_deref(), expected, "{name}");
        check("aply", Some("apply"));
        check("depoly", Some("deploy"));
        check("stauts", Some("status"));
        check("xyz", None);
    }
}
