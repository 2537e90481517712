//! Where tokens are kept between runs: in the system's keyring, else in a file that only its owner can read.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use oauth2::{AccessToken, RefreshToken};
use serde::{Deserialize, Serialize};

use super::error::AuthError;
use super::file::write_private;
#[cfg(feature = "keyring")]
use super::keyring::Slot;
use super::surroundings::Surroundings;
use super::token::Token;
use crate::model::target::{Auth, Connection};

/// The number of the file's form.
const FORMAT: u32 = 1;
/// The account of a person's log-in, as the published SDK names it. Source: section 4.7 of the protocol's facts.
const PEOPLE: &str = "tokens";

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// For this run only.
    Memory,
    Keyring,
    File(PathBuf),
}

/// What became of a log-in that was to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Where there was one.
    pub places: Vec<Kept>,
    /// The system's keyring cannot be used: one that somebody else has kept in it, such as the published SDK, is there
    /// still.
    pub keyring_is_shut: bool,
}

/// The place of one log-in: of a person at a control plane, or of one of its clients.
#[derive(Debug, Clone)]
pub struct Store {
    /// The control plane without a scheme: the service's name in the keyring.
    service: String,
    account: String,
    /// `None`: there is no place for it.
    path: Option<PathBuf>,
    /// Whether tokens may be kept. An older one is forgotten all the same.
    keep: bool,
    #[cfg(feature = "keyring")]
    person_is_present: bool,
}

/// The keyring's text, as the published SDK writes and reads it.
#[derive(Serialize, Deserialize)]
struct Shared {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// The file. Where the keyring has the tokens, it only knows their times.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    endpoint: String,
    account: String,
    /// Tells whether the times are those of the token in the keyring, which the SDK may have replaced.
    token_id: String,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl Store {
    pub fn of(connection: &Connection, service: &str, surroundings: &Surroundings) -> Self {
        let account = match &connection.auth {
            // The SDK would take a machine's token for its own.
            Auth::ClientCredentials { client_id, .. } => format!("client {client_id}"),
            _ => PEOPLE.to_owned(),
        };
        let path = surroundings.state.as_ref().map(|state| state.join("log-ins").join(file_name(service, &account)));
        Self {
            service: service.to_owned(),
            account,
            path,
            keep: connection.keep_tokens,
            #[cfg(feature = "keyring")]
            person_is_present: surroundings.person.is_present(),
        }
    }

    /// What an earlier run, or the published SDK, has kept.
    ///
    /// # Errors
    /// [`AuthError::Open`] where others can read it, [`AuthError::Store`]
    pub async fn load(&self) -> Result<Option<(Token, Kept)>, AuthError> {
        let Some(path) = self.path.as_ref().filter(|_| self.keep) else { return Ok(None) };
        let written = read(path)?;
        if let Some(shared) = self.ring().await {
            let access = AccessToken::new(shared.access_token.unwrap_or_default());
            let mut token = Token::found(access, shared.refresh_token.map(RefreshToken::new));
            if let Some(written) = written.filter(|written| written.token_id == id(&token)) {
                (token.issued_at, token.expires_at) = (written.issued_at, written.expires_at);
            }
            return Ok(Some((token, Kept::Keyring)));
        }
        let token = written.and_then(|written| {
            Some(Token {
                access: AccessToken::new(written.access_token?),
                refresh: written.refresh_token.map(RefreshToken::new),
                issued_at: written.issued_at,
                expires_at: written.expires_at,
            })
        });
        Ok(token.map(|token| (token, Kept::File(path.clone()))))
    }

    /// Keeps a token in place of the last one.
    ///
    /// # Errors
    /// [`AuthError::Store`]
    pub async fn save(&self, token: &Token) -> Result<Kept, AuthError> {
        let Some(path) = self.path.as_ref().filter(|_| self.keep) else { return Ok(Kept::Memory) };
        let in_ring = self.keep_in_ring(token).await;
        let secret = |text: &String| (!in_ring).then(|| text.clone());
        let written = Written {
            format: FORMAT,
            endpoint: self.service.clone(),
            account: self.account.clone(),
            token_id: id(token),
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            access_token: secret(token.access.secret()),
            refresh_token: token.refresh.as_ref().and_then(|token| secret(token.secret())),
        };
        let text = serde_json::to_vec_pretty(&written).unwrap_or_default();
        write_private(path, &text).map_err(|cause| fault(path, "written", cause))?;
        Ok(if in_ring { Kept::Keyring } else { Kept::File(path.clone()) })
    }

    /// Forgets the log-in; answers where there was one.
    ///
    /// # Errors
    /// [`AuthError::KeyringShut`] where the log-in is in a keyring that cannot be used, [`AuthError::Store`]
    pub async fn delete(&self) -> Result<Forgotten, AuthError> {
        let Some(path) = &self.path else { return Ok(Forgotten::default()) };
        self.delete_beside(path, self.forget_in_ring().await)
    }

    /// `in_ring`: whether the keyring had it. `None`: it cannot be used.
    fn delete_beside(&self, path: &Path, in_ring: Option<bool>) -> Result<Forgotten, AuthError> {
        let written = parse(path);
        // The file without a token is what is left of one in the keyring; it stays, so that the next try knows.
        if in_ring.is_none() && written.as_ref().is_some_and(|written| written.access_token.is_none()) {
            return Err(AuthError::KeyringShut(self.service.clone()));
        }
        let mut gone = Vec::new();
        if in_ring == Some(true) {
            gone.push(Kept::Keyring);
        }
        let held = written.is_none_or(|written| written.access_token.is_some());
        match fs::remove_file(path) {
            Ok(()) if held => gone.push(Kept::File(path.to_owned())),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(fault(path, "removed", cause)),
        }
        Ok(Forgotten { places: gone, keyring_is_shut: in_ring.is_none() })
    }

    #[cfg(feature = "keyring")]
    fn slot(&self) -> Slot {
        let (service, account) = (self.service.clone(), self.account.clone());
        Slot { service, account, person_is_present: self.person_is_present }
    }

    async fn ring(&self) -> Option<Shared> {
        #[cfg(feature = "keyring")]
        if let Ok(Some(text)) = self.slot().get().await {
            let shared: Option<Shared> = serde_json::from_str(&text).ok();
            return shared.filter(|shared| shared.access_token.is_some() || shared.refresh_token.is_some());
        }
        None
    }

    async fn keep_in_ring(&self, token: &Token) -> bool {
        #[cfg(feature = "keyring")]
        {
            let shared = Shared {
                access_token: Some(token.access.secret().clone()),
                refresh_token: token.refresh.as_ref().map(|token| token.secret().clone()),
            };
            let text = serde_json::to_string(&shared).unwrap_or_default();
            return self.slot().set(text).await.is_ok();
        }
        #[cfg(not(feature = "keyring"))]
        {
            let _ = token;
            false
        }
    }

    /// Whether there was one. `None`: the keyring cannot be used.
    async fn forget_in_ring(&self) -> Option<bool> {
        #[cfg(feature = "keyring")]
        return self.slot().delete().await.ok();
        #[cfg(not(feature = "keyring"))]
        Some(false)
    }
}

/// `None` where there is no file, or one that is not of this form.
fn read(path: &Path) -> Result<Option<Written>, AuthError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(fault(path, "read", cause)),
    };
    if found.permissions().mode() & 0o077 != 0 {
        return Err(AuthError::Open(path.to_owned()));
    }
    Ok(parse(path))
}

fn parse(path: &Path) -> Option<Written> {
    let written: Option<Written> = serde_json::from_slice(&fs::read(path).ok()?).ok();
    written.filter(|written| written.format == FORMAT)
}

fn fault(path: &Path, doing: &'static str, cause: io::Error) -> AuthError {
    AuthError::Store { path: path.to_owned(), doing, cause }
}

/// A few digits of the token's hash: enough to tell it from the one before.
fn id(token: &Token) -> String {
    blake3::derive_key("flyte log-ins token id", token.access.secret().as_bytes())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Readable, and different for different places.
fn file_name(service: &str, account: &str) -> String {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' }).take(60).collect()
    };
    let digest = blake3::hash(format!("{service}\n{account}").as_bytes()).to_hex();
    format!("{}-{}-{}.json", word(service), word(account), &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(directory: &Path, auth: Auth) -> Store {
        let connection = Connection { auth, ..Connection::open("h.example.com:8443", false) };
        let surroundings = Surroundings { state: Some(directory.to_owned()), ..Surroundings::default() };
        Store::of(&connection, "h.example.com:8443", &surroundings)
    }

    /// Without the keyring, so that the test leaves that of its user alone.
    fn written(directory: &Path) -> PathBuf {
        let path = directory.join("log-ins").join(file_name("h.example.com:8443", PEOPLE));
        let text = serde_json::json!({
            "format": FORMAT, "endpoint": "h.example.com:8443", "account": PEOPLE, "token_id": "",
            "issued_at": null, "expires_at": null, "access_token": "a1", "refresh_token": "r1",
        });
        write_private(&path, text.to_string().as_bytes()).unwrap();
        path
    }

    #[test]
    fn a_file_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = written(directory.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(read(&path).unwrap().unwrap().access_token.as_deref(), Some("a1"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let told = read(&path).err().unwrap();
        assert!(matches!(&told, AuthError::Open(found) if *found == path), "{told}");
        assert!(told.help().contains(&format!("chmod 600 {}", path.display())), "{}", told.help());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "half of").unwrap();
        assert!(read(&path).unwrap().is_none());
    }

    #[test]
    fn a_log_in_that_cannot_be_reached_is_not_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path(), Auth::DeviceFlow);
        let path = written(directory.path());
        let forget = |in_ring| store.delete_beside(&path, in_ring);
        let shut = |places| Forgotten { places, keyring_is_shut: true };
        assert_eq!(forget(None).unwrap(), shut(vec![Kept::File(path.clone())]));
        assert_eq!(forget(None).unwrap(), shut(vec![]));
        let mut times: serde_json::Value =
            serde_json::from_slice(&fs::read(written(directory.path())).unwrap()).unwrap();
        times["access_token"] = serde_json::Value::Null;
        write_private(&path, times.to_string().as_bytes()).unwrap();
        for _ in 0..2 {
            let told = forget(None).unwrap_err();
            assert!(matches!(&told, AuthError::KeyringShut(place) if place == "h.example.com:8443"), "{told}");
        }
        let gone = Forgotten { places: vec![Kept::Keyring], keyring_is_shut: false };
        assert_eq!((forget(Some(true)).unwrap(), path.exists()), (gone, false));
    }

    #[test]
    fn people_and_machines_do_not_share() {
        let directory = tempfile::tempdir().unwrap();
        let secret = crate::model::target::SecretSource::Variable("S".to_owned());
        let machine = store(directory.path(), Auth::ClientCredentials { client_id: "ci".to_owned(), secret });
        let person = store(directory.path(), Auth::DeviceFlow);
        assert_eq!(person.account, "tokens");
        assert_eq!(store(directory.path(), Auth::Pkce).path, person.path);
        assert_ne!(machine.account, person.account);
        assert_ne!(machine.path, person.path);
    }
}
