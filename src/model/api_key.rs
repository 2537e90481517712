//! An API key: where a control plane is, and the client to log in as.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a key says. Source: the SDK's `decode_api_key`: base64 of `endpoint:client_id:client_secret:org`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// As written: a bare host, or with a scheme or a port where that can be told apart.
    pub endpoint: String,
    pub client_id: String,
    pub secret: String,
    pub org: Option<String>,
}

/// Why a key cannot be read. It never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("it is not base64 of a text")]
    Encoding,
    #[error("it has not the four parts endpoint, client, secret and organisation")]
    Parts,
    #[error("its endpoint, client or secret is empty")]
    Empty,
}

impl ApiKey {
    /// Reads a key. The SDK takes the first three colons for the borders, so that an endpoint with a scheme or a port
    /// loses its rest to the client; a key that only makes sense with them is read with them.
    ///
    /// # Errors
    /// See [`ApiKeyError`].
    pub fn read(text: &str) -> Result<Self, ApiKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| ApiKeyError::Encoding)?;
        let text = String::from_utf8(bytes).map_err(|_| ApiKeyError::Encoding)?;
        let (scheme, rest) = scheme(&text);
        let (host, rest) = host(rest).ok_or(ApiKeyError::Parts)?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (port, parts) = match parts.as_slice() {
            [port, parts @ ..] if parts.len() == 3 && is_port(port) => (Some(*port), parts),
            parts => (None, parts),
        };
        let [client, secret, org @ ..] = parts else { return Err(ApiKeyError::Parts) };
        if org.is_empty() {
            return Err(ApiKeyError::Parts);
        }
        if host.is_empty() || client.is_empty() || secret.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let org = org.join(":");
        Ok(Self {
            endpoint: format!("{scheme}{host}{port}"),
            client_id: (*client).to_owned(),
            secret: (*secret).to_owned(),
            org: Some(org).filter(|org| !org.is_empty() && org != "None"),
        })
    }
}

/// The secret is left out.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("endpoint", &self.endpoint)
            .field("client_id", &self.client_id)
            .field("org", &self.org)
            .finish_non_exhaustive()
    }
}

fn scheme(text: &str) -> (&str, &str) {
    let known = ["dns:///", "https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
    text.split_at(known.map_or(0, str::len))
}

/// The host, brackets of an IPv6 address included, and what follows its colon.
fn host(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':')? };
    Some((&text[..end], text[end..].strip_prefix(':')?))
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str, &str, Option<&str>), ApiKeyError>) {
        let key = ApiKey::read(&STANDARD.encode(text));
        let key = key
            .as_ref()
            .map(|key| (key.endpoint.as_str(), key.client_id.as_str(), key.secret.as_str(), key.org.as_deref()));
        assert_eq!(key.map_err(|error| *error), expected, "{text}");
    }

    #[test]
    fn keys_are_read_as_they_are_meant() {
        check("acme.example.com:id:secret:acme", Ok(("acme.example.com", "id", "secret", Some("acme"))));
        check("acme.example.com:id:secret:", Ok(("acme.example.com", "id", "secret", None)));
        check("acme.example.com:id:secret:None", Ok(("acme.example.com", "id", "secret", None)));
        check("dns:///acme.example.com:id:secret:", Ok(("dns:///acme.example.com", "id", "secret", None)));
        check("http://localhost:8090:id:secret:o", Ok(("http://localhost:8090", "id", "secret", Some("o"))));
        check("localhost:8090:id:secret:", Ok(("localhost:8090", "id", "secret", None)));
        check("[::1]:8090:id:secret:", Ok(("[::1]:8090", "id", "secret", None)));
        // As the SDK has it: a client may be a number, and the organisation has the rest.
        check("host:8090:secret:org", Ok(("host", "8090", "secret", Some("org"))));
        check("host:id:secret:a:b", Ok(("host", "id", "secret", Some("a:b"))));
        check("host:id:secret", Err(ApiKeyError::Parts));
        check("host", Err(ApiKeyError::Parts));
        check(":id:secret:", Err(ApiKeyError::Empty));
        check("host:id::", Err(ApiKeyError::Empty));
        assert_eq!(ApiKey::read("no base64!"), Err(ApiKeyError::Encoding));
        assert_eq!(ApiKey::read("/w=="), Err(ApiKeyError::Encoding));
    }

    #[test]
    fn the_secret_is_not_printed() {
        let key = ApiKey::read(&STANDARD.encode("host:id:canary:")).unwrap();
        assert!(!format!("{key:?}").contains("canary"));
    }
}
