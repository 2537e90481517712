//! The key by which a machine is let in: an endpoint, a client and its secret in one text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the variable FLYTE_API_KEY holds: the base64 of `endpoint:client_id:client_secret:org`. Its `Debug` shows no
/// secret.
///
/// The endpoint may have a scheme and a port, which those of the published SDK cannot.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub endpoint: String,
    pub client_id: String,
    pub client_secret: String,
    /// `None` where the key names none, or the word `None`.
    pub org: Option<String>,
}

impl ApiKey {
    /// `None` for a text that is none: cut, not base64, too few parts.
    ///
    /// Source: section 4.6 of the protocol's facts.
    pub fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (scheme, rest) = match text.find("://") {
            Some(at) => {
                let rest = text[at + 3..].trim_start_matches('/');
                text.split_at(text.len() - rest.len())
            }
            None => ("", text.as_str()),
        };
        let mut parts: Vec<&str> = rest.split(':').collect();
        let is_port = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let port = (parts.len() > 4 && is_port(parts[1])).then(|| parts.remove(1));
        let [host, client_id, secret @ .., org] = parts.as_slice() else { return None };
        // An organisation has no colon; a secret may.
        let client_secret = secret.join(":");
        if host.is_empty() || client_id.is_empty() || client_secret.is_empty() {
            return None;
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self {
            endpoint: format!("{scheme}{host}{port}"),
            client_id: (*client_id).to_owned(),
            client_secret,
            org: Some(*org).filter(|org| !org.is_empty() && *org != "None").map(str::to_owned),
        })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, client_id, client_secret: _, org } = self;
        f.debug_struct("ApiKey")
            .field("endpoint", endpoint)
            .field("client_id", client_id)
            .field("org", org)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |plain: &str, expected: Option<(&str, &str, &str, Option<&str>)>| {
            let key = ApiKey::parse(&STANDARD.encode(plain));
            let found = key.as_ref().map(|key| {
                (key.endpoint.as_str(), key.client_id.as_str(), key.client_secret.as_str(), key.org.as_deref())
            });
            assert_eq!(found, expected, "{plain}");
        };
        check("h.example.com:ci:s3cret:acme", Some(("h.example.com", "ci", "s3cret", Some("acme"))));
        check("h.example.com:ci:s3cret:None", Some(("h.example.com", "ci", "s3cret", None)));
        check("h.example.com:ci:s3cret:", Some(("h.example.com", "ci", "s3cret", None)));
        check("localhost:8443:ci:s3cret:", Some(("localhost:8443", "ci", "s3cret", None)));
        check("h.example.com:ci:s3:cret:acme", Some(("h.example.com", "ci", "s3:cret", Some("acme"))));
        check("dns:///h.example.com:443:ci:x:acme", Some(("dns:///h.example.com:443", "ci", "x", Some("acme"))));
        check("https://h.example.com:ci:x:acme", Some(("https://h.example.com", "ci", "x", Some("acme"))));
        check("h.example.com:ci:s3cret", None);
        check(":ci:s3cret:acme", None);
        assert_eq!(ApiKey::parse("no base64!"), None);
        let key = ApiKey::parse(&STANDARD.encode("h:ci:s3cret:")).unwrap();
        assert!(!format!("{key:?}").contains("s3cret"));
    }
}
