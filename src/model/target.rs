//! How a control plane is reached: settled values and where to find secrets, never the secrets.

use core::net::IpAddr;
use std::path::PathBuf;

/// The way to one control plane over the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// `dns:///host`, `host:port`, `https://host` or `http://host`.
    pub endpoint: String,
    /// Plain HTTP where the endpoint does not say `https://`. Default false.
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

/// The ways to prove who is calling, by their names in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    None,
    Pkce,
    Device,
    ClientCredentials,
    Command,
    Passthrough,
}

impl Auth {
    pub fn kind(&self) -> AuthKind {
        match self {
            Self::None => AuthKind::None,
            Self::Pkce => AuthKind::Pkce,
            Self::DeviceFlow => AuthKind::Device,
            Self::ClientCredentials { .. } => AuthKind::ClientCredentials,
            Self::Command { .. } => AuthKind::Command,
            Self::Passthrough { .. } => AuthKind::Passthrough,
        }
    }
}

impl AuthKind {
    pub const ALL: [Self; 6] =
        [Self::None, Self::Pkce, Self::Device, Self::ClientCredentials, Self::Command, Self::Passthrough];

    /// As `auth.kind` of a manifest has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pkce => "pkce",
            Self::Device => "device",
            Self::ClientCredentials => "client_credentials",
            Self::Command => "command",
            Self::Passthrough => "passthrough",
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

/// Whether plain HTTP is spoken: a scheme that is written counts, otherwise `insecure` decides. The SDK goes by
/// `insecure` alone; but who wrote `https://` wants nobody on the way to read a token.
pub fn is_plain(endpoint: &str, insecure: bool) -> bool {
    endpoint.starts_with("http://") || insecure && !says_tls(endpoint)
}

/// Whether an endpoint says `https://`.
pub fn says_tls(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}

/// The host of an endpoint, without scheme, port and path.
pub fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest).trim_start_matches('/');
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// An endpoint without the user, and maybe the password, before its host. `None` where there is none.
pub fn without_user(endpoint: &str) -> Option<String> {
    let begin = endpoint.find("://").map_or(0, |at| at + 3);
    let begin = begin + endpoint[begin..].find(|c| c != '/')?;
    let end = endpoint[begin..].find(['/', '?', '#']).map_or(endpoint.len(), |length| begin + length);
    let user = endpoint[begin..end].rfind('@')?;
    Some(format!("{}{}", &endpoint[..begin], &endpoint[begin + user + 1..]))
}

/// An endpoint as one text, however it is written: host, port unless it is the usual one, and path.
pub fn address(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let rest = rest.trim_matches('/');
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let authority = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let usual = if scheme == "http" { ":80" } else { ":443" };
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    if path.is_empty() { authority.to_owned() } else { format!("{authority}/{path}") }
}

/// Whether an endpoint may mean another machine elsewhere: an IP address, a name without a domain, or one of a domain
/// that every network may have for itself.
pub fn is_of_this_network(endpoint: &str) -> bool {
    let host = host(endpoint);
    let is_private = |domain: &str| matches!(domain, "local" | "localhost" | "internal" | "lan" | "test");
    is_address(host) || host.rsplit_once('.').is_none_or(|(_, domain)| is_private(domain))
}

/// Whether a host is an IP address.
pub fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The organisation that an endpoint's name tells of: the first label of a host with more than two; an address has no
/// labels. Source: the SDK, which takes the first number of an IP address for an organisation too.
pub fn guess_org(endpoint: &str) -> Option<&str> {
    let host = host(endpoint);
    if is_address(host) {
        return None;
    }
    let mut labels = host.split('.');
    let first = labels.next().filter(|label| !label.is_empty())?;
    (labels.count() >= 2).then_some(first)
}

impl Connection {
    /// A connection without credentials.
    pub fn open(endpoint: impl Into<String>, insecure: bool) -> Self {
        Self { endpoint: endpoint.into(), insecure, keep_tokens: true, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_is_written_counts() {
        let check = |endpoint: &str, insecure: bool, expected: bool| {
            assert_eq!(is_plain(endpoint, insecure), expected, "{endpoint}");
        };
        check("https://x:9999", true, false);
        check("http://x", false, true);
        check("dns:///x", true, true);
        check("x:8089", false, false);
    }

    #[test]
    fn a_user_is_taken_out() {
        let check = |endpoint: &str, expected: Option<&str>| {
            assert_eq!(without_user(endpoint).as_deref(), expected, "{endpoint}");
        };
        check("dns:///me:canary@h:8089", Some("dns:///h:8089"));
        check("https://me:can@ary@h/base", Some("https://h/base"));
        check("me@h", Some("h"));
        check("//me@h", Some("//h"));
        check("https://h/a@b", None);
        check("h:8089", None);
        check("", None);
    }

    #[test]
    fn organisations_are_guessed_from_names_and_not_from_addresses() {
        let check = |endpoint: &str, expected: Option<&str>| assert_eq!(guess_org(endpoint), expected, "{endpoint}");
        check("dns:///acme.flyte.example.com", Some("acme"));
        check("acme.example.com:8089", Some("acme"));
        check("https://acme.example.com/base/", Some("acme"));
        check("http://localhost:8090", None);
        check("localhost:8090/a.b.c", None);
        check("example.com", None);
        check("127.0.0.1:8765", None);
        check("dns:///10.0.0.7", None);
        check("https://[::1]:8090", None);
        check("", None);
    }
}
