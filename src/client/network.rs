//! The one way out of this machine: for calls, log-in and uploads alike.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, Proxy};

use super::endpoint::is_loopback;
use crate::model::target::Connection;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is there, with its encryption and through its proxy.
    pub connect: Duration,
    /// A call that changes nothing, with all its repeats.
    pub read: Duration,
    /// A call that changes something, and each pause in a transfer.
    pub write: Duration,
}

impl Default for Timeouts {
    /// 5 s, 15 s, 30 s.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), read: seconds(15), write: seconds(30) }
    }
}

impl Timeouts {
    /// Calls may take this long, whatever they do. A connection gets half of it, at most 5 s, so that a call whose
    /// connection does not come about is known not to have been sent.
    pub fn of_calls(timeout: Duration) -> Self {
        Self { connect: (timeout / 2).min(Self::default().connect), read: timeout, write: timeout }
    }
}

/// Why nothing can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("the CA file {} (`ca_file` of the target) cannot be read", path.display())]
    UnreadableCa {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("the CA file {} (`ca_file` of the target) {what}", path.display())]
    UnusableCa { path: PathBuf, what: &'static str },
    /// Only the host is named: the address may hold a password.
    #[error("the proxy `{0}` (`proxy` of the target) is no address of a proxy, as `http://host:port` is")]
    Proxy(String),
    #[error("this machine has no certificates to trust: install `ca-certificates`, or name a PEM file in `ca_file`")]
    NoRoots,
    #[error("the HTTP client cannot be set up")]
    Http(#[from] reqwest::Error),
}

/// HTTP clients with the roots, proxies and deadlines of one target. Cheap to clone; clones share connections.
///
/// Certificates are checked against the system's roots (`SSL_CERT_FILE` is one of them) and the CA file. Without one,
/// a target may switch the check off. HTTP/2 is spoken where the other side offers it. Redirects are not followed:
/// those of a control plane lead to log-in pages, those of a store to wherever it likes. Addresses of this machine are
/// reached directly, others through the proxy of the target, else that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`,
/// `ALL_PROXY`); `NO_PROXY` is honoured with both.
#[derive(Clone)]
pub struct Network {
    direct: reqwest::Client,
    outward: reqwest::Client,
    proxies: Arc<Matcher>,
    /// The proxy is the target's own.
    has_own_proxy: bool,
    pub timeouts: Timeouts,
    /// Certificates are not checked.
    pub trusts_anyone: bool,
}

/// Chooses the one implementation of cryptography that every connection of this program uses. To be called before a
/// client is made, any number of times.
pub fn install_cryptography() {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Network {
    /// # Errors
    /// See [`NetworkError`].
    pub fn new(connection: &Connection, timeouts: Timeouts) -> Result<Self, NetworkError> {
        install_cryptography();
        let trusts_anyone = connection.insecure_skip_verify && connection.ca_file.is_none();
        let authorities = connection.ca_file.as_deref().map(authorities).transpose()?;
        let builder = || {
            let mut builder = reqwest::Client::builder()
                .connect_timeout(timeouts.connect)
                .tcp_keepalive(Duration::from_secs(20))
                .tcp_keepalive_interval(Duration::from_secs(10))
                .tcp_keepalive_retries(3)
                .http2_keep_alive_interval(Duration::from_secs(20))
                .http2_keep_alive_timeout(Duration::from_secs(20))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("flyte/", env!("CARGO_PKG_VERSION")));
            if let Some(authorities) = &authorities {
                builder = builder.tls_certs_merge(authorities.clone());
            }
            if trusts_anyone { builder.tls_danger_accept_invalid_certs(true) } else { builder }
        };
        let direct = builder().no_proxy().build().map_err(without_roots)?;
        let (outward, proxies) = match &connection.proxy {
            Some(address) => {
                let invalid = || NetworkError::Proxy(host_of(address));
                let proxy = Proxy::all(address).map_err(|_| invalid())?.no_proxy(reqwest::NoProxy::from_env());
                let no = variable("NO_PROXY").unwrap_or_default();
                let proxies = Matcher::builder().all(address.as_str()).no(no).build();
                (builder().proxy(proxy).build().map_err(|_| invalid())?, proxies)
            }
            None if cfg!(target_os = "linux") && !has_proxy_variables() => (direct.clone(), Matcher::builder().build()),
            None => (builder().build().map_err(without_roots)?, Matcher::from_system()),
        };
        let has_own_proxy = connection.proxy.is_some();
        Ok(Self { direct, outward, proxies: Arc::new(proxies), has_own_proxy, timeouts, trusts_anyone })
    }

    /// The client for an address.
    pub fn to(&self, address: &Uri) -> &reqwest::Client {
        if is_loopback(address) { &self.direct } else { &self.outward }
    }

    /// The proxy on the way to an address, without its credentials.
    pub fn proxy_to(&self, address: &Uri) -> Option<String> {
        if is_loopback(address) {
            return None;
        }
        self.proxies.intercept(address).map(|proxy| place(proxy.uri()))
    }

    /// Where to write the user and the password of that proxy.
    pub fn proxy_credentials_go(&self, address: &Uri) -> String {
        let variable = if address.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" };
        let own = "remove `proxy` from the target (`admin.httpProxyURL` of the Flyte config) and ";
        let instead = if self.has_own_proxy { own } else { "" };
        format!("{instead}write them into its address: `http://user:password@host:port` in {variable}")
    }
}

/// Scheme, host and port of an address: what of it may be shown.
pub fn place(address: &Uri) -> String {
    let host = address.host().unwrap_or("?");
    let port = address.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", address.scheme_str().unwrap_or("?"))
}

/// What stands between the credentials of an address and its path, whether it is well-formed or not.
fn host_of(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, NetworkError> {
    let unusable = |what| NetworkError::UnusableCa { path: path.to_owned(), what };
    let text = std::fs::read(path).map_err(|error| NetworkError::UnreadableCa { path: path.to_owned(), error })?;
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    let found = Certificate::from_pem_bundle(&text).map_err(|_| unusable("is not in the PEM format"))?;
    if found.is_empty() {
        return Err(unusable("has no certificate in it: a line `-----BEGIN CERTIFICATE-----` starts one"));
    }
    for certificate in &found {
        // A certificate that cannot be read would only be told of later, without the file's name.
        let alone = reqwest::Client::builder().tls_certs_only([certificate.clone()]).build();
        alone.map_err(|_| unusable("has a certificate in it that cannot be read"))?;
    }
    Ok(found)
}

fn without_roots(error: reqwest::Error) -> NetworkError {
    let text = format!("{error:?}");
    if text.contains("No CA certificates") { NetworkError::NoRoots } else { NetworkError::Http(error) }
}

/// A variable in capitals, or as it is written in small letters.
fn variable(name: &str) -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set(name).or_else(|| set(&name.to_ascii_lowercase()))
}

fn has_proxy_variables() -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].into_iter().any(|name| variable(name).is_some())
}
