//! Programs that keep credentials: `docker-credential-<name>`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::credentials::{Hidden, Proof};

/// The longest a program may take. What asks for its answer does not wait longer.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The longest answer that is read, in bytes: 64 KiB. Tokens are a few.
const MAX_ANSWER: u64 = 64 << 10;
/// What is said where there are no credentials. Source: `docker/docker-credential-helpers`.
const NOT_FOUND: &str = "credentials not found";
/// The user where the secret is an identity token. Source: `docker/cli`.
const TOKEN_USER: &str = "<token>";

/// Asks each program once for each registry: some ask a person, others a service.
#[derive(Debug)]
pub struct Helpers {
    environment: BTreeMap<String, String>,
    answers: Mutex<BTreeMap<(String, String), Answer>>,
}

type Answer = Result<Option<Proof>, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: String,
}

impl Helpers {
    /// The programs run in this environment.
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self { environment, answers: Mutex::default() }
    }

    /// `None` where the program has none for this registry.
    ///
    /// # Errors
    /// What the program does, as a predicate: `failed (…)`. Nothing that it has said is in it.
    pub async fn ask(&self, name: &str, server: &str) -> Answer {
        let mut answers = self.answers.lock().await;
        let key = (name.to_owned(), server.to_owned());
        if let Some(answer) = answers.get(&key) {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(TIMEOUT, self.run(name, server)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("has not ended within {} s", TIMEOUT.as_secs())),
        };
        answers.insert(key, answer.clone());
        answer
    }

    async fn run(&self, name: &str, server: &str) -> Answer {
        // A name with a slash in it would be the path of another program.
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !is_name {
            return Err("has no name of a helper".to_owned());
        }
        let mut command = Command::new(format!("docker-credential-{name}"));
        command.arg("get").envs(&self.environment).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
        let told = converse(&mut child, server).await;
        let status = child.wait().await.map_err(|error| format!("cannot be waited for: {error}"))?;
        let told = told.map_err(|error| format!("cannot be asked: {error}"))?;
        if !status.success() {
            let knows_nothing = String::from_utf8_lossy(&told).contains(NOT_FOUND);
            return if knows_nothing { Ok(None) } else { Err(format!("failed ({status})")) };
        }
        let kept: Kept = serde_json::from_slice(&told).map_err(|_| "gives an answer that cannot be read".to_owned())?;
        let secret = Hidden::new(kept.secret);
        Ok(match (kept.username.as_str(), secret.reveal()) {
            (_, "") => None,
            (TOKEN_USER, _) => Some(Proof::IdentityToken(secret)),
            _ => Some(Proof::Password { user: kept.username, password: secret }),
        })
    }
}

/// Says which registry, and hears what there is.
async fn converse(child: &mut Child, server: &str) -> std::io::Result<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that needs no input may be gone by now.
        let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
    }
    let mut told = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_ANSWER).read_to_end(&mut told).await?;
    }
    Ok(told)
}
