//! The ways an address of a control plane is written.

use http::Uri;

use crate::model::target;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the endpoint is empty")]
    Empty,
    #[error("`{0}://` is not a scheme of a control plane: `dns:///host`, `https://host` and `http://host` are")]
    Scheme(String),
    #[error("`{0}` is not an address")]
    Malformed(String),
    /// Nothing of it is told: it may hold a password.
    #[error("the endpoint has a user before its host, and takes none: `auth` tells how to log in")]
    User,
}

/// The base of all requests: `dns:///host`, `host:port`, `https://host/base` and `http://host` are understood. A
/// scheme that is written counts; otherwise `insecure` decides between `http` and `https`.
pub fn base(endpoint: &str, insecure: bool) -> Result<Uri, EndpointError> {
    let text = endpoint.trim();
    if text.is_empty() {
        return Err(EndpointError::Empty);
    }
    if target::without_user(text).is_some() {
        return Err(EndpointError::User);
    }
    let malformed = || EndpointError::Malformed(endpoint.to_owned());
    let (scheme, rest) = match text.split_once("://") {
        None => (if insecure { "http" } else { "https" }, text),
        Some(("dns", rest)) => (if insecure { "http" } else { "https" }, rest.strip_prefix('/').ok_or_else(malformed)?),
        Some(("http", rest)) => ("http", rest),
        Some(("https", rest)) => ("https", rest),
        Some((other, _)) => return Err(EndpointError::Scheme(other.to_owned())),
    };
    let rest = rest.trim_end_matches('/');
    let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|_| malformed())?;
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() && uri.query().is_none() => Ok(uri),
        _ => Err(malformed()),
    }
}

/// Whether an address is of this machine.
pub fn is_loopback(base: &Uri) -> bool {
    let host = base.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |text: &str, insecure: bool, expected: &str| {
            let base = base(text, insecure).map(|base| base.to_string().trim_end_matches('/').to_owned());
            assert_eq!(base.unwrap_or_else(|error| error.to_string()), expected, "{text}");
        };
        check("dns:///host.example.com", false, "https://host.example.com");
        check("dns:///host.example.com", true, "http://host.example.com");
        check("host.example.com:8089", false, "https://host.example.com:8089");
        check("https://h.example.com/base/", false, "https://h.example.com/base");
        check("https://h.example.com", true, "https://h.example.com");
        check("http://localhost:8090", false, "http://localhost:8090");
        check("127.0.0.1:8765", true, "http://127.0.0.1:8765");
        check("dns://resolver/host", false, "`dns://resolver/host` is not an address");
        check(
            "grpc://x",
            false,
            "`grpc://` is not a scheme of a control plane: `dns:///host`, `https://host` and `http://host` are",
        );
        let user = "the endpoint has a user before its host, and takes none: `auth` tells how to log in";
        check("dns:///me:canary@host", false, user);
        check("me:canary@host", true, user);
        check("  ", false, "the endpoint is empty");
    }
}
