//! What the helper in the user's Python answers: apps as the SDK itself translates them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flyte_schema::flyteidl2::app::App as Message;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::command::starter;
use super::{Hints, STARTER, Unsaid};
use crate::model::spec;

/// The helper: one program, run with `python3 -c`. Its one argument is a [`Question`] as JSON.
pub const HELPER: &str = concat!(include_str!("modules.py"), "\n\n", include_str!("sdk.py"));

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
    /// References of images by name, as the SDK's configuration has them.
    pub images: BTreeMap<String, String>,
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
    depends_on: Vec<String>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Outcome {
    Untranslated {
        /// Why.
        untranslated: String,
    },
    Translated(Translated),
}

#[derive(Debug, Deserialize)]
struct Translated {
    /// Base64 of the binary message: fields that we do not know survive.
    message: String,
    include: Vec<String>,
    /// Whether the starter serves the object itself.
    serves: bool,
    asked: BTreeMap<String, (String, Table)>,
    /// What the subdomain is made from.
    subdomain: Option<Table>,
    /// Where, why, and whether something else runs for it.
    unsaid: Vec<(String, String, bool)>,
}

/// What a file comes to.
#[derive(Debug, Default)]
pub struct Apps {
    pub messages: Vec<Message>,
    /// By app.
    pub hints: BTreeMap<String, Hints>,
    /// Also of apps that have no message.
    pub unsaid: Vec<Unsaid>,
    /// What each app depends on, those without a message too.
    pub depends_on: BTreeMap<String, Vec<String>>,
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
    pub fn apps(&self) -> Result<Apps, Damaged> {
        let mut apps = Apps::default();
        let is_translated =
            |name: &String| !self.apps.iter().any(|app| app.name == *name && app.translated().is_none());
        for app in &self.apps {
            let unsaid = |path: &str, why: &str, lost: bool| Unsaid {
                app: app.name.clone(),
                path: path.to_owned(),
                why: why.to_owned(),
                lost,
            };
            apps.depends_on.insert(app.name.clone(), app.depends_on.clone());
            let translated = match &app.outcome {
                Outcome::Translated(translated) => translated,
                Outcome::Untranslated { untranslated } => {
                    apps.unsaid.push(unsaid("spec", untranslated, true));
                    continue;
                }
            };
            let (depends_on, without): (Vec<String>, Vec<String>) =
                app.depends_on.iter().cloned().partition(is_translated);
            apps.unsaid.extend(translated.unsaid.iter().map(|(path, why, lost)| unsaid(path, why, *lost)));
            for other in without {
                apps.unsaid.push(unsaid(
                    "depends_on",
                    &format!("`{other}` cannot be translated, and is left out"),
                    true,
                ));
            }
            let damaged = || Damaged { app: app.name.clone() };
            let bytes = STANDARD.decode(&translated.message).map_err(|_| damaged())?;
            let mut message = Message::decode_from_slice(&bytes).map_err(|_| damaged())?;
            if !translated.serves {
                without_object(&mut message);
            }
            let hints = Hints {
                depends_on,
                include: self.included(translated, &message),
                asked: translated.asked.clone(),
                subdomain: translated.subdomain.clone(),
            };
            apps.hints.insert(app.name.clone(), hints);
            apps.messages.push(message);
        }
        Ok(apps)
    }

    /// What is packed for an app, where it unpacks anything.
    fn included(&self, translated: &Translated, message: &Message) -> Vec<String> {
        let mut include: Vec<String> = Vec::new();
        if spec::command(&message.spec).first() == Some(&STARTER) {
            for path in self.modules.iter().chain(&translated.include) {
                if !include.contains(path) {
                    include.push(path.clone());
                }
            }
        }
        include
    }

    /// The name of the app that a variable of the file holds.
    pub fn by_variable(&self, variable: &str) -> Option<&str> {
        let holds = |app: &&Described| app.variables.iter().any(|known| known == variable);
        self.apps.iter().find(holds).map(|app| app.name.as_str())
    }
}

impl Described {
    fn translated(&self) -> Option<&Translated> {
        match &self.outcome {
            Outcome::Translated(translated) => Some(translated),
            Outcome::Untranslated { .. } => None,
        }
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
