//! `flyte auth`: log in, log out, and who the control plane takes the caller for.

use flyte_schema::flyteidl2::auth::UserInfoResponse;
use serde_json::{Map, Value, json};

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::targets::warn_once;
use crate::client::Client;
use crate::client::auth::{Forgotten, Kept, Status};
use crate::model::target::{Auth, Connection};
use crate::pipeline;
use crate::port::RpcCode;
use crate::resolve::Target;
use crate::server::daemon;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Command {
    /// Log in to the control plane of the target, also where there is a log-in
    Login,
    /// Forget the log-in
    Logout,
    /// Who the control plane takes you for, and until when
    Whoami,
}

impl Args {
    /// The name under which a JSON document presents itself.
    pub fn name(&self) -> &'static str {
        match self.command {
            Command::Login => "auth login",
            Command::Logout => "auth logout",
            Command::Whoami => "auth whoami",
        }
    }
}

/// # Errors
/// The target is not known; nobody can be asked; the authorization server or the control plane refuses.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let target = pipeline::place(&context.files(), &context.request(&[])?)?.target;
    let surroundings = context.surroundings()?;
    context.wait(async {
        let Some(connection) = &target.connection else { return embedded(args.command, &target).await };
        let client = Client::at(connection, &surroundings, context.timeouts())?;
        if client.trusts_anyone() {
            warn_once(&target.name);
        }
        let at = At { target: &target, connection, client };
        match args.command {
            Command::Login => at.login().await,
            Command::Logout => at.logout().await,
            Command::Whoami => at.whoami().await,
        }
    })
}

/// The control plane of this machine takes everyone for the same user.
async fn embedded(command: Command, target: &Target) -> Result<Answer> {
    let asks_for_none = "the embedded control plane asks for no log-in; --target names another\n";
    let answer = Answer::text(asks_for_none).with("target", &target.name).with("kind", "none");
    match command {
        Command::Login => Ok(answer),
        Command::Logout => Ok(answer.with("forgotten", [(); 0]).with("keyring_is_shut", false)),
        Command::Whoami => {
            let state = crate::cli::directories::state()?;
            let running = daemon::locate(&state).await.ok_or_else(|| {
                Failure::new("the embedded control plane does not run").help("`flyte local start` starts it")
            })?;
            let connection = Connection::open(running.endpoint, true);
            let client = Client::new(&connection)?;
            At { target, connection: &connection, client }.whoami().await
        }
    }
}

struct At<'a> {
    target: &'a Target,
    connection: &'a Connection,
    client: Client,
}

impl At<'_> {
    async fn login(&self) -> Result<Answer> {
        let Some(authenticator) = self.client.authenticator() else {
            let text = format!("{} is used without credentials: there is nothing to log in to\n", self.place());
            return Ok(self.answer(text));
        };
        let status = authenticator.log_in().await?;
        // A token that the control plane does not take is none.
        let user = self.user().await.map_err(|error| error.while_doing("logged in, but the token is of no use"))?;
        let mut text = match &user {
            Some(user) => format!("logged in to {} as {}\n", self.place(), called(user)),
            None => format!("logged in to {}\n", self.place()),
        };
        text.extend(status.as_ref().map(|status| self.told(status)));
        let answer = self.answer(text).document(standing(status.as_ref()));
        Ok(match &user {
            Some(user) => answer.with("user", document(user)),
            None => answer,
        })
    }

    async fn logout(&self) -> Result<Answer> {
        let gone = match self.client.authenticator() {
            Some(authenticator) => authenticator.log_out().await?,
            None => Forgotten::default(),
        };
        let Forgotten { places: gone, keyring_is_shut } = gone;
        let text = match &self.connection.auth {
            Auth::Passthrough { variable } => {
                format!("{} has no log-in: the token is in the variable `{variable}`\n", self.place())
            }
            Auth::Command { .. } => format!("{} has no log-in: a command prints the token\n", self.place()),
            _ if gone.is_empty() => format!("there was no log-in at {}{}\n", self.place(), unseen(keyring_is_shut)),
            _ => {
                let places: Vec<String> = gone.iter().map(whence).collect();
                let places = places.join(" and ");
                format!("forgot the log-in at {}, which was in {places}{}\n", self.place(), unseen(keyring_is_shut))
            }
        };
        let places: Vec<Value> = gone.iter().map(kept).collect();
        Ok(self.answer(text).with("forgotten", places).with("keyring_is_shut", keyring_is_shut))
    }

    async fn whoami(&self) -> Result<Answer> {
        let user = self.user().await?;
        let status = match self.client.authenticator() {
            Some(authenticator) => authenticator.status().await,
            None => None,
        };
        let mut lines: Vec<(&str, String)> = Vec::new();
        if let Some(user) = &user {
            let named = [("subject", &user.subject), ("name", &user.name), ("email", &user.email)];
            lines.extend(named.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.clone())));
        }
        lines.push(("target", self.target.name.clone()));
        lines.push(("endpoint", self.connection.endpoint.clone()));
        lines.push(("log-in", self.connection.auth.kind().word().to_owned()));
        if let Some(status) = &status {
            lines.push(("token", self.told(status).trim_start_matches("the token is ").trim_end().to_owned()));
        }
        let mut text: String = lines.iter().map(|(key, value)| format!("{key:8} {value}\n")).collect();
        if user.is_none() {
            text.push_str("this control plane does not tell whom it takes you for\n");
        }
        Ok(self.answer(text).with("user", user.as_ref().map(document)).document(standing(status.as_ref())))
    }

    /// `None` where the control plane does not tell.
    async fn user(&self) -> Result<Option<UserInfoResponse>> {
        match self.client.user_info().await {
            Ok(user) => Ok(Some(user)),
            Err(error) if matches!(error.code, RpcCode::Unimplemented | RpcCode::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn place(&self) -> String {
        format!("{} ({})", self.target.name, self.connection.endpoint)
    }

    /// Where the token is and until when it is good.
    fn told(&self, status: &Status) -> String {
        let place = match (&self.connection.auth, &status.kept) {
            (Auth::Passthrough { variable }, _) => format!("in the variable `{variable}`"),
            (Auth::Command { .. }, _) => "printed by the command".to_owned(),
            (_, Kept::Memory) => "for this run only".to_owned(),
            (_, place) => format!("kept in {}", whence(place)),
        };
        let end = status.expires_at.map(|end| {
            let minutes = end.duration_since(jiff::Timestamp::now()).as_secs() / 60;
            format!(", valid until {} ({minutes} min)", end.strftime("%F %T UTC"))
        });
        let renewed = if status.renewable { ", and renewed by itself" } else { "" };
        format!("the token is {place}{}{renewed}\n", end.unwrap_or_default())
    }

    fn answer(&self, text: String) -> Answer {
        Answer::text(text)
            .with("target", &self.target.name)
            .with("endpoint", &self.connection.endpoint)
            .with("kind", self.connection.auth.kind().word())
    }
}

/// What nobody could look into.
fn unseen(keyring_is_shut: bool) -> &'static str {
    if keyring_is_shut { "; the system's keyring, which may have another, cannot be used here" } else { "" }
}

fn whence(kept: &Kept) -> String {
    match kept {
        Kept::Memory => "this run".to_owned(),
        Kept::Keyring => "the system's keyring".to_owned(),
        Kept::File(path) => path.display().to_string(),
    }
}

fn kept(kept: &Kept) -> Value {
    match kept {
        Kept::Memory => json!({ "in": "memory" }),
        Kept::Keyring => json!({ "in": "keyring" }),
        Kept::File(path) => json!({ "in": "file", "path": path.display().to_string() }),
    }
}

fn standing(status: Option<&Status>) -> Value {
    let mut keys = Map::new();
    if let Some(status) = status {
        keys.insert("kept".into(), kept(&status.kept));
        keys.insert("expires_at".into(), json!(status.expires_at));
        keys.insert("renewable".into(), json!(status.renewable));
    }
    Value::Object(keys)
}

fn called(user: &UserInfoResponse) -> String {
    let name = [&user.name, &user.preferred_username, &user.subject].into_iter().find(|text| !text.is_empty());
    match (name, user.email.as_str()) {
        (Some(name), "") => name.clone(),
        (Some(name), email) => format!("{name} <{email}>"),
        (None, "") => "somebody it does not name".to_owned(),
        (None, email) => email.to_owned(),
    }
}

fn document(user: &UserInfoResponse) -> Value {
    json!({ "subject": user.subject, "name": user.name, "email": user.email })
}
