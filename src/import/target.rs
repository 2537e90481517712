//! The target as TOML: how the control plane is reached that the apps are on.

use toml::{Table, Value};

use super::Unsaid;
use crate::model::key;
use crate::model::sensitive::looks_like_credential;
use crate::model::target::{Auth, AuthKind, Connection, SecretSource, is_plain};
use crate::resolve::Target;

/// `[target.NAME]` with all that is not as usual.
pub fn connected(name: &str, connection: &Connection) -> String {
    let Connection { endpoint, insecure, insecure_skip_verify, ca_file, proxy, auth, scopes, keep_tokens } = connection;
    let mut table = Table::new();
    let mut set = |name: &str, value: Value| table.insert(name.to_owned(), value);
    let path = |path: &std::path::Path| Value::from(path.display().to_string());
    set("endpoint", endpoint.as_str().into());
    if *insecure {
        set("insecure", true.into());
    }
    if *insecure_skip_verify {
        set("insecure_skip_verify", true.into());
    }
    if let Some(file) = ca_file {
        set("ca_file", path(file));
    }
    if let Some(proxy) = proxy.as_ref().filter(|proxy| !looks_like_credential(proxy)) {
        set("proxy", proxy.as_str().into());
    }
    let usual = if is_plain(endpoint, *insecure) { AuthKind::None } else { AuthKind::Pkce };
    let mut way = Table::new();
    let mut set = |name: &str, value: Value| way.insert(name.to_owned(), value);
    match auth {
        Auth::ClientCredentials { client_id, secret } => {
            set("client_id", client_id.as_str().into());
            match secret {
                SecretSource::Variable(name) => drop(set("secret_env", name.as_str().into())),
                SecretSource::File(file) => drop(set("secret_file", path(file))),
                // The text of an API key is no client's secret.
                SecretSource::ApiKey(_) => {}
            }
        }
        Auth::Command { command } => drop(set("command", command.clone().into())),
        Auth::Passthrough { variable } => drop(set("variable", variable.as_str().into())),
        Auth::None | Auth::Pkce | Auth::DeviceFlow => {}
    }
    if !scopes.is_empty() {
        set("scopes", scopes.clone().into());
    }
    if !keep_tokens {
        set("keep_tokens", false.into());
    }
    if unsaid_auth(auth).is_none() && (auth.kind() != usual || !way.is_empty()) {
        way.insert("kind".to_owned(), auth.kind().word().into());
        table.insert("auth".to_owned(), way.into());
    }
    let lines: String = table.iter().map(|(name, value)| format!("{} = {value}\n", key(name))).collect();
    format!("\n[target.{}]\n{lines}default = true\n", key(name))
}

/// What the table leaves out, since a manifest holds no secrets.
pub fn unsaid(target: &Target) -> Vec<Unsaid> {
    let Some(connection) = target.connection.as_ref().filter(|_| target.name != Target::CONFIG) else {
        return Vec::new();
    };
    let told = |key: &str, why: &str| Unsaid {
        app: String::new(),
        path: format!("target.{}.{key}", target.name),
        why: why.to_owned(),
        lost: false,
    };
    let proxy = connection
        .proxy
        .as_deref()
        .is_some_and(looks_like_credential)
        .then(|| told("proxy", "a proxy that asks for a password is named in the environment, as `HTTPS_PROXY`"));
    proxy.into_iter().chain(unsaid_auth(&connection.auth).map(|why| told("auth", why))).collect()
}

/// Why a way to log in cannot be written down.
fn unsaid_auth(auth: &Auth) -> Option<&'static str> {
    match auth {
        Auth::ClientCredentials { secret: SecretSource::ApiKey(_), .. } => {
            Some("an API key is used by the target `config` alone; name the variable of the client's secret in `auth`")
        }
        Auth::Command { command } if command.iter().any(|word| looks_like_credential(word)) => {
            Some("the command has a credential in it, and a secret is not written down in a manifest")
        }
        _ => None,
    }
}
