//! What goes wrong on the way to a server, in words a person can act on.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use http::Uri;
use rustls::{AlertDescription, CertificateError};

use super::network::{Network, place};
use crate::port::{Delivery, RpcCode};

const PROXY_HELP: &str = "`flyte config show` tells which proxy is used; NO_PROXY lists hosts that need none";

/// Why there was no answer of the server's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    pub message: String,
    /// What to type next.
    pub help: Option<String>,
    pub code: RpcCode,
    pub delivery: Delivery,
    /// Whether the same may go well a moment later.
    pub passes: bool,
    /// As the other side asks.
    pub wait: Option<Duration>,
}

impl Trouble {
    pub fn new(code: RpcCode, delivery: Delivery, message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, code, delivery, passes: false, wait: None }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passes = true;
        self
    }

    /// A request to `address` that failed. Of the address only scheme, host and port are told.
    pub fn of(error: &reqwest::Error, address: &Uri, network: &Network) -> Self {
        let way = Way { address, place: place(address), network, proxy: network.proxy_to(address) };
        if error.is_connect() { way.no_connection(error, network.timeouts.connect) } else { way.no_answer(error) }
    }
}

struct Way<'a> {
    address: &'a Uri,
    place: String,
    network: &'a Network,
    proxy: Option<String>,
}

impl Way<'_> {
    fn host(&self) -> &str {
        self.address.host().unwrap_or("?")
    }

    /// Nothing was sent.
    fn no_connection(&self, error: &reqwest::Error, patience: Duration) -> Trouble {
        let trouble = |message: String| Trouble::new(RpcCode::Unavailable, Delivery::NotSent, message);
        let place = &self.place;
        let all = words(error);
        if let Some(tls) = cause::<rustls::Error>(error) {
            return self.tls(tls);
        }
        if all.contains("tunnel error") || all.contains("SOCKS") {
            let proxy = self.proxy.as_deref().unwrap_or("in between");
            if let Some(trouble) = self.tunnel(&all, proxy) {
                return trouble;
            }
        }
        let (what, proxy) = match &self.proxy {
            Some(proxy) => (format!("the proxy {proxy}"), true),
            None => (place.clone(), false),
        };
        let hint = |trouble: Trouble| if proxy { trouble.help(PROXY_HELP) } else { trouble };
        if error.is_timeout() {
            let told = trouble(format!("no connection to {what} within {}", seconds(patience)));
            return match proxy || !self.is_tls() {
                true => hint(told),
                false => told.help(
                    "is it running, and is the address right? a port that speaks plain HTTP needs `http://` or \
                     `insecure = true`",
                ),
            };
        }
        if error.is_dns() {
            let host = if proxy { what } else { format!("`{}`", self.host()) };
            let told = trouble(format!("the name of {host} cannot be resolved: {}", last(error)));
            let told = if all.contains("emporary failure") { told.passing() } else { told };
            return if proxy { hint(told) } else { told.help("is the name right, and this machine online?") };
        }
        match cause::<std::io::Error>(error).map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => {
                hint(trouble(format!("{what} refuses connections: nothing listens there"))).passing()
            }
            Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) if self.is_tls() => {
                let text = format!("{place} ended the connection before it was encrypted");
                trouble(text).help("does it speak TLS? an address with `http://` is spoken to without")
            }
            _ => hint(trouble(format!("no connection to {what}: {}", last(error)))).passing(),
        }
    }

    fn is_tls(&self) -> bool {
        self.address.scheme_str() == Some("https")
    }

    fn tunnel(&self, all: &str, proxy: &str) -> Option<Trouble> {
        let place = &self.place;
        let trouble = |message: String| Trouble::new(RpcCode::Unavailable, Delivery::NotSent, message);
        let allow = format!("allow it there, or list `{}` in NO_PROXY where it can be reached directly", self.host());
        Some(if all.contains("authorization required") {
            proxy_wants_credentials(proxy, self.network.proxy_credentials_go(self.address))
        } else if all.contains("unsuccessful") {
            trouble(format!("the proxy {proxy} refuses to connect to {place}")).help(allow)
        } else if all.contains("unexpected end of file") || all.contains("headers too long") {
            trouble(format!("the proxy {proxy} gave no usable answer when asked to connect to {place}"))
                .help("is that address a proxy's? `flyte config show` tells where it was set")
        } else if all.contains("underlying connection") && all.contains("SOCKS") {
            trouble(format!("no connection to the proxy {proxy}")).help(PROXY_HELP)
        } else if all.contains("SOCKS") {
            let why = all.rsplit("SOCKS error: ").next().unwrap_or_default();
            trouble(format!("the proxy {proxy} does not connect to {place}: {why}")).help(allow)
        } else {
            return None;
        })
    }

    fn tls(&self, error: &rustls::Error) -> Trouble {
        let host = self.host();
        let trouble = |message: String| Trouble::new(RpcCode::Unavailable, Delivery::NotSent, message);
        let authority = "if an authority of your own signs it, name its PEM file with `ca_file` in the target \
                         (`admin.caCertFilePath` of the Flyte config); `insecure_skip_verify = true` trusts any \
                         certificate";
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    let names = match certificate {
                        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                            format!(", but for {}", names(presented))
                        }
                        _ => String::new(),
                    };
                    trouble(format!("the certificate of {host} is not for that name{names}")).help(
                        "reach it by a name the certificate has; `insecure_skip_verify = true` in the target trusts any \
                         certificate",
                    )
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    let when = match certificate {
                        CertificateError::ExpiredContext { not_after, .. } => date(not_after.as_secs()),
                        _ => String::new(),
                    };
                    trouble(format!("the certificate of {host} has expired{when}"))
                        .help("have it renewed, or set this machine's clock if that is wrong")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    trouble(format!("the certificate of {host} is not valid yet"))
                        .help("is this machine's clock right?")
                }
                CertificateError::UnknownIssuer => {
                    trouble(format!("the certificate of {host} is signed by an authority that is not trusted here"))
                        .help(authority)
                }
                CertificateError::Revoked => trouble(format!("the certificate of {host} has been revoked")),
                other => trouble(format!("the certificate of {host} is not accepted: {other}")).help(authority),
            },
            rustls::Error::InvalidMessage(_) => trouble(format!("{} does not speak TLS", self.place)).help(
                "an address with `http://` is spoken to without; so is one without `https://` and with \
                     `insecure = true`",
            ),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                trouble(format!("{host} asks for a client certificate, which flyte cannot show"))
            }
            rustls::Error::AlertReceived(alert) => {
                trouble(format!("{host} refuses the encrypted connection: {alert:?}"))
            }
            other => trouble(format!("no encrypted connection to {host}: {other}")),
        }
    }

    /// The request may have been sent.
    fn no_answer(&self, error: &reqwest::Error) -> Trouble {
        let trouble = |message: String| Trouble::new(RpcCode::Unavailable, Delivery::Unanswered, message);
        let place = &self.place;
        let protocol = || {
            if self.is_tls() {
                format!("is {place} the address of an HTTP server?")
            } else {
                "if that port speaks TLS, write `https://` or leave out `insecure`".to_owned()
            }
        };
        if error.is_timeout() {
            return trouble(format!("no answer from {place} in time"));
        }
        let hyper = cause::<hyper::Error>(error);
        if hyper.is_some_and(hyper::Error::is_parse) {
            return trouble(format!("what {place} answers is not HTTP")).help(protocol());
        }
        if let Some(tls) = cause::<rustls::Error>(error) {
            return Trouble { delivery: Delivery::Unanswered, ..self.tls(tls) };
        }
        let ended = cause::<std::io::Error>(error)
            .is_some_and(|error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        if ended || hyper.is_some_and(|error| error.is_incomplete_message() || error.is_canceled()) {
            let told = trouble(format!("{place} ended the connection without an answer")).passing();
            return if self.is_tls() { told } else { told.help(protocol()) };
        }
        trouble(format!("no answer from {place}: {}", last(error))).passing()
    }
}

pub fn proxy_wants_credentials(proxy: &str, help: String) -> Trouble {
    let message = format!("the proxy {proxy} asks for a user and a password (407)");
    Trouble::new(RpcCode::Unavailable, Delivery::NotSent, message).help(help)
}

/// The error of a kind among the causes of another.
pub fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // What an I/O error is made of is not among its sources.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| cause::<E>(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with its causes.
pub fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// The innermost cause, which is the most precise.
pub fn last(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// At most three names of a certificate, which writes them as `DnsName("a.example.com")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    let mut names: Vec<String> = presented.iter().take(3).map(bare).collect();
    if presented.len() > names.len() {
        names.push(format!("{} more", presented.len() - names.len()));
    }
    names.join(", ")
}

fn date(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map(|at| format!(" on {}", at.strftime("%Y-%m-%d"))).unwrap_or_default()
}

/// A time as it is told: `15s`, `1.5s`.
pub fn seconds(time: Duration) -> String {
    format!("{}s", (time.as_secs_f64() * 10.0).round() / 10.0)
}
