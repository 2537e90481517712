//! The command of an app that starts through `fserve`, which fetches the bundle and the parameters first.
//!
//! Source: the published SDK: the order of the options, and that `fserve` joins what follows `--` with blanks for a
//! shell to run.

use super::LowerError;
use crate::model::spec::RESOLVER;
use crate::model::{App, CodeBundle, Scope, shell};

/// Stands before the version until it is known.
const VERSION: &str = "--version";

/// The words before the app's own, the version left empty.
pub fn fserve(scope: &Scope, app: &App, code: Option<&CodeBundle>, parameters: Option<&str>) -> Vec<String> {
    let mut words = vec!["fserve".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option(VERSION, "");
    option("--project", &scope.project);
    option("--domain", &scope.domain);
    option("--org", &scope.org);
    if let Some(CodeBundle { uri, pickled }) = code {
        option(if *pickled { "--pkl" } else { "--tgz" }, uri);
        option("--dest", &app.code_dest);
    }
    if let Some(parameters) = parameters {
        option("--parameters", parameters);
    }
    option("--raw-data-path", "{{.rawOutputDataPrefix}}");
    if let Some(object) = &app.python {
        option("--resolver", RESOLVER);
        option("--resolver-args", object);
    }
    words.push("--".to_owned());
    words
}

/// Fills in the version, where the command has a place for it that holds what we put there: `before`.
pub fn set_version(command: Vec<&mut String>, before: &str, version: &str) {
    let is_ours = |words: &[&mut String]| *words[0] == "fserve" && *words[1] == VERSION && *words[2] == before;
    if command.len() > 2 && is_ours(&command) {
        let place = command.into_iter().nth(2).expect("counted above");
        version.clone_into(place);
    }
}

/// The app's own words, such that each arrives as one whatever is in it. `$NAME` alone is left to `fserve`, which puts
/// in the value of the variable.
pub fn arguments(app: &App) -> Result<Vec<String>, LowerError> {
    shell::sent(&app.args).ok_or_else(|| LowerError::Argument { app: app.name.clone() })
}
