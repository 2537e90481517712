//! The command of an app that starts through `fserve`, which fetches the bundle and the parameters first.
//!
//! Source: the published SDK: the order of the options, and that `fserve` joins what follows `--` with blanks for a
//! shell to run.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::LowerError;
use crate::bundle::gzip::gzip;
use crate::model::{App, AppName, BundleRef, EnvValue, Scope};

/// Stands before the version until it is known.
const VERSION: &str = "--version";

/// Where the bundle is unpacked: the working directory.
const DESTINATION: &str = ".";

/// The words before the app's own, the version left empty.
pub fn fserve(scope: &Scope, app: &App, bundle: Option<BundleRef>) -> Vec<String> {
    let mut words = vec!["fserve".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option(VERSION, "");
    option("--project", &scope.project);
    option("--domain", &scope.domain);
    option("--org", &scope.org);
    if let Some(bundle) = bundle {
        option("--tgz", &bundle.placeholder());
        option("--dest", DESTINATION);
    }
    if let Some(parameters) = parameters(app) {
        option("--parameters", &parameters);
    }
    option("--raw-data-path", "{{.rawOutputDataPrefix}}");
    words.push("--".to_owned());
    words
}

/// Fills in the version, where the command has a place for it.
pub fn set_version(command: &mut [String], version: &str) {
    if command.first().is_some_and(|word| word == "fserve")
        && let Some(place) = command.get_mut(2)
        && place.is_empty()
    {
        version.clone_into(place);
    }
}

/// The app's own words, such that each arrives as one whatever is in it. `$NAME` alone is left to `fserve`, which puts
/// in the value of the variable.
pub fn arguments(app: &App) -> Result<Vec<String>, LowerError> {
    app.args.iter().map(|word| quote(&app.name, word)).collect()
}

fn quote(app: &AppName, word: &str) -> Result<String, LowerError> {
    let is_variable = word.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    if is_variable {
        return Ok(word.to_owned());
    }
    shlex::try_quote(word).map(Cow::into_owned).map_err(|_| LowerError::Argument { app: app.clone() })
}

/// As `fserve` reads it.
#[derive(Serialize)]
struct Parameters<'a> {
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    name: &'a str,
    value: String,
    download: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    env_var: &'a str,
    dest: Option<&'a str>,
    ignore_patterns: [&'a str; 0],
}

/// The value of an endpoint, as JSON text inside JSON.
#[derive(Serialize)]
struct Endpoint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    app_name: &'a str,
    public: bool,
}

/// The endpoints among the variables. `None` without any.
fn parameters(app: &App) -> Option<String> {
    let parameters: Vec<Parameter<'_>> = endpoints(app)
        .map(|(name, to, public)| {
            let value = Endpoint { kind: "string", app_name: to.as_str(), public };
            Parameter {
                name,
                value: serde_json::to_string(&value).expect("plain data has a JSON form"),
                download: false,
                kind: "app_endpoint",
                env_var: name,
                dest: None,
                ignore_patterns: [],
            }
        })
        .collect();
    if parameters.is_empty() {
        return None;
    }
    let json = serde_json::to_vec(&Parameters { parameters }).expect("plain data has a JSON form");
    Some(STANDARD.encode(gzip(&json).expect("writing to memory does not fail")))
}

/// Variables that hold the URL of another app, by name: the variable, the app, whether its public URL is wanted.
pub fn endpoints(app: &App) -> impl Iterator<Item = (&str, &AppName, bool)> {
    app.env.iter().filter_map(|(name, value)| match value {
        EnvValue::Endpoint { app, public } => Some((name.as_str(), app, *public)),
        EnvValue::Text(_) => None,
    })
}
