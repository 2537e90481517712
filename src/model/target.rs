//! How a control plane is reached: settled values and where to find secrets, never the secrets.

use std::path::PathBuf;

/// The way to one control plane over the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// `dns:///host`, `host:port`, `https://host` or `http://host`.
    pub endpoint: String,
    /// Plain HTTP where the endpoint does not name a scheme. Default false.
    pub insecure: bool,
    /// Certificates are not checked. Default false; only where a user asked for it.
    pub insecure_skip_verify: bool,
    /// PEM file of the certificates to trust besides the system's, for calls, log-in and uploads alike.
    pub ca_file: Option<PathBuf>,
    /// The proxy for every connection. `None`: the environment's, as `HTTPS_PROXY` and its like name it.
    pub proxy: Option<String>,
    pub auth: Auth,
    /// What to ask of the authorization server. Empty: what the control plane names.
    pub scopes: Vec<String>,
    /// Whether tokens may be kept for the next run. Default true.
    pub keep_tokens: bool,
}

/// How a caller proves who they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Auth {
    /// Nothing is sent.
    #[default]
    None,
    /// A log-in in the browser.
    Pkce,
    /// A log-in with a code, in any browser.
    DeviceFlow,
    ClientCredentials {
        client_id: String,
        secret: SecretSource,
    },
    /// A program that prints a token; not run by a shell.
    Command {
        command: Vec<String>,
    },
    /// A token that the environment holds, sent as it is.
    Passthrough {
        variable: String,
    },
}

impl Auth {
    /// Its name, as manifests have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pkce => "pkce",
            Self::DeviceFlow => "device",
            Self::ClientCredentials { .. } => "client_credentials",
            Self::Command { .. } => "command",
            Self::Passthrough { .. } => "passthrough",
        }
    }
}

/// Where a secret lies. It is read when it is needed and by the edge alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Variable(String),
    File(PathBuf),
    /// The third part of the API key that this variable holds.
    ApiKey(String),
}

impl Connection {
    /// A connection without credentials.
    pub fn open(endpoint: impl Into<String>, insecure: bool) -> Self {
        Self { endpoint: endpoint.into(), insecure, keep_tokens: true, ..Self::default() }
    }
}
