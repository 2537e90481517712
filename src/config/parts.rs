//! A connection part by part, each with what set it.

use std::path::PathBuf;

use crate::model::target::{self, Auth, AuthKind, Connection, SecretSource};

/// A value and what set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T, O> {
    pub value: T,
    pub origin: O,
}

/// `None` where nothing sets it.
pub type Part<T, O> = Option<Sourced<T, O>>;

/// What is said about the way to one control plane. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<O> {
    pub endpoint: Part<String, O>,
    pub insecure: Part<bool, O>,
    pub insecure_skip_verify: Part<bool, O>,
    pub ca_file: Part<PathBuf, O>,
    pub proxy: Part<String, O>,
    pub kind: Part<AuthKind, O>,
    pub client_id: Part<String, O>,
    pub secret: Part<SecretSource, O>,
    pub command: Part<Vec<String>, O>,
    /// The environment variable with the token to pass through.
    pub variable: Part<String, O>,
    pub scopes: Part<Vec<String>, O>,
    pub keep_tokens: Part<bool, O>,
    pub org: Part<String, O>,
}

impl<O> Default for Parts<O> {
    fn default() -> Self {
        Self {
            endpoint: None,
            insecure: None,
            insecure_skip_verify: None,
            ca_file: None,
            proxy: None,
            kind: None,
            client_id: None,
            secret: None,
            command: None,
            variable: None,
            scopes: None,
            keep_tokens: None,
            org: None,
        }
    }
}

impl<T, O> Sourced<T, O> {
    pub fn new(value: T, origin: O) -> Self {
        Self { value, origin }
    }

    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Sourced<U, O> {
        Sourced { value: map(self.value), origin: self.origin }
    }

    pub fn map_origin<P>(self, map: impl Fn(O) -> P) -> Sourced<T, P> {
        Sourced { value: self.value, origin: map(self.origin) }
    }
}

impl<O> Parts<O> {
    /// These where they are set, else those. A way to log in replaces the other as a whole.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        let own = self.kind.is_some();
        Self {
            endpoint: self.endpoint.or(under.endpoint),
            insecure: self.insecure.or(under.insecure),
            insecure_skip_verify: self.insecure_skip_verify.or(under.insecure_skip_verify),
            ca_file: self.ca_file.or(under.ca_file),
            proxy: self.proxy.or(under.proxy),
            kind: self.kind.or(under.kind),
            client_id: self.client_id.or(under.client_id.filter(|_| !own)),
            secret: self.secret.or(under.secret.filter(|_| !own)),
            command: self.command.or(under.command.filter(|_| !own)),
            variable: self.variable.or(under.variable.filter(|_| !own)),
            scopes: self.scopes.or(under.scopes),
            keep_tokens: self.keep_tokens.or(under.keep_tokens),
            org: self.org.or(under.org),
        }
    }

    /// The same with other origins.
    pub fn map_origin<P>(self, map: impl Fn(O) -> P) -> Parts<P> {
        fn each<T, O, P>(part: Part<T, O>, map: &impl Fn(O) -> P) -> Part<T, P> {
            part.map(|sourced| sourced.map_origin(map))
        }
        Parts {
            endpoint: each(self.endpoint, &map),
            insecure: each(self.insecure, &map),
            insecure_skip_verify: each(self.insecure_skip_verify, &map),
            ca_file: each(self.ca_file, &map),
            proxy: each(self.proxy, &map),
            kind: each(self.kind, &map),
            client_id: each(self.client_id, &map),
            secret: each(self.secret, &map),
            command: each(self.command, &map),
            variable: each(self.variable, &map),
            scopes: each(self.scopes, &map),
            keep_tokens: each(self.keep_tokens, &map),
            org: each(self.org, &map),
        }
    }

    /// Whether plain HTTP is spoken.
    pub fn is_plain(&self) -> bool {
        let insecure = self.insecure.as_ref().is_some_and(|insecure| insecure.value);
        target::is_plain(value(&self.endpoint).map_or("", String::as_str), insecure)
    }

    /// How a caller proves who they are: as said, else by a log-in in the browser, or over plain HTTP not at all.
    pub fn auth_kind(&self) -> AuthKind {
        let usual = if self.is_plain() { AuthKind::None } else { AuthKind::Pkce };
        value(&self.kind).copied().unwrap_or(usual)
    }

    /// `None` without an endpoint.
    ///
    /// # Errors
    /// The key of a manifest that the kind of log-in needs and that nothing sets.
    pub fn connection(&self) -> Result<Option<Connection>, &'static str> {
        let Some(endpoint) = value(&self.endpoint) else { return Ok(None) };
        let auth = match self.auth_kind() {
            AuthKind::None => Auth::None,
            AuthKind::Pkce => Auth::Pkce,
            AuthKind::Device => Auth::DeviceFlow,
            AuthKind::ClientCredentials => Auth::ClientCredentials {
                client_id: value(&self.client_id).cloned().ok_or("client_id")?,
                secret: value(&self.secret).cloned().ok_or("secret_env")?,
            },
            AuthKind::Command => Auth::Command { command: value(&self.command).cloned().ok_or("command")? },
            AuthKind::Passthrough => Auth::Passthrough { variable: value(&self.variable).cloned().ok_or("variable")? },
        };
        Ok(Some(Connection {
            endpoint: endpoint.clone(),
            insecure: value(&self.insecure).copied().unwrap_or(false),
            insecure_skip_verify: value(&self.insecure_skip_verify).copied().unwrap_or(false),
            ca_file: value(&self.ca_file).cloned(),
            proxy: value(&self.proxy).cloned(),
            auth,
            scopes: value(&self.scopes).cloned().unwrap_or_default(),
            keep_tokens: value(&self.keep_tokens).copied().unwrap_or(true),
        }))
    }
}

fn value<T, O>(part: &Part<T, O>) -> Option<&T> {
    part.as_ref().map(|sourced| &sourced.value)
}
