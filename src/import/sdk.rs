//! What the helper in the user's Python answers: apps as the SDK itself translates them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flyte_schema::flyteidl2::app::App as Message;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::command::starter;
use super::{Hints, STARTER};
use crate::model::spec;

/// The helper: a program of one file, run with `python3 -c`. Its one argument is a [`Question`] as JSON.
pub const HELPER: &str = include_str!("sdk.py");

/// What the helper is asked. Paths are absolute.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    pub file: String,
    /// The directory that modules and included files are named from.
    pub root: String,
    /// One environment and what it depends on. `None`: all of the file.
    pub variable: Option<String>,
    pub project: String,
    pub domain: String,
    pub org: String,
}

/// What it answers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Refused { refused: Refusal },
    Loaded(Loaded),
}

/// Why there are no apps.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
    /// The last lines of a traceback, the names there are, the interpreter.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalKind {
    /// The SDK is not installed.
    Sdk,
    /// The file cannot be loaded.
    Load,
    /// There is no such environment in it, or none at all.
    Variable,
    /// The SDK refuses an app.
    Translate,
}

/// The apps of a Python file.
#[derive(Debug, Deserialize)]
pub struct Loaded {
    /// The version of the SDK.
    pub sdk: String,
    /// The user's own modules that were loaded, relative to the root.
    modules: Vec<String>,
    apps: Vec<Described>,
}

#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    variables: Vec<String>,
    /// Base64 of the binary message: fields that we do not know survive.
    message: String,
    depends_on: Vec<String>,
    include: Vec<String>,
    /// Whether the starter serves the object itself.
    serves: bool,
    asked: BTreeMap<String, (String, Table)>,
    unsaid: Vec<(String, String)>,
}

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the message of `{app}` cannot be read")]
pub struct Damaged {
    pub app: String,
}

impl Loaded {
    /// The messages and what else is known, ready for [`super::import`].
    ///
    /// The messages are as the SDK sends them, but that the object that declares an app is not looked up where the app is
    /// a program of its own.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn apps(&self) -> Result<(Vec<Message>, BTreeMap<String, Hints>), Damaged> {
        let mut messages = Vec::new();
        let mut hints = BTreeMap::new();
        for app in &self.apps {
            let damaged = || Damaged { app: app.name.clone() };
            let bytes = STANDARD.decode(&app.message).map_err(|_| damaged())?;
            let mut message = Message::decode_from_slice(&bytes).map_err(|_| damaged())?;
            if !app.serves {
                without_object(&mut message);
            }
            let command = spec::command(&message.spec);
            let mut include: Vec<String> = Vec::new();
            if command.first() == Some(&STARTER) {
                for path in self.modules.iter().chain(&app.include) {
                    if !include.contains(path) {
                        include.push(path.clone());
                    }
                }
            }
            let found = Hints {
                depends_on: app.depends_on.clone(),
                include,
                asked: app.asked.clone(),
                unsaid: app.unsaid.clone(),
            };
            hints.insert(app.name.clone(), found);
            messages.push(message);
        }
        Ok((messages, hints))
    }

    /// The name of the app that a variable of the file holds.
    pub fn by_variable(&self, variable: &str) -> Option<&str> {
        let holds = |app: &&Described| app.variables.iter().any(|known| known == variable);
        self.apps.iter().find(holds).map(|app| app.name.as_str())
    }
}

/// Where the app is a program of its own, the object that declares it is not looked up.
fn without_object(message: &mut Message) {
    let command = spec::command(&message.spec);
    if starter(&command).is_none() || spec::args(&message.spec).is_empty() {
        return;
    }
    let mut rest = command.into_iter().map(str::to_owned);
    let mut kept = Vec::new();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--resolver" | "--resolver-args" => drop(rest.next()),
            _ => kept.push(word),
        }
    }
    spec::set_command(message, kept);
}
