//! Which headers a proxy passes on, removes and adds.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATE: HeaderName = HeaderName::from_static("proxy-authenticate");
const PROXY_AUTHORIZATION: HeaderName = HeaderName::from_static("proxy-authorization");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that concern one connection only. Source: RFC 9110 section 7.6.1, and what older clients send.
const HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING];

/// The protocol a message asks to change to, or has changed to.
pub fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    asked.then(|| headers.get(UPGRADE).cloned()).flatten()
}

/// Removes what concerns the connection the message came by. An upgrade is kept, since it goes through.
pub fn pass_on(headers: &mut HeaderMap) {
    let upgrade = upgrade(headers);
    let named: Vec<HeaderName> = connection_options(headers).filter_map(|option| option.parse().ok()).collect();
    for name in named.iter().chain(&HOP_BY_HOP).chain([&UPGRADE]) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// Makes a client's headers those of the request to the app.
pub fn forward(headers: &mut HeaderMap, peer: SocketAddr) {
    pass_on(headers);
    // The proxy sends the body without being asked to go on; the client has been answered by then.
    headers.remove(EXPECT);
    let mut path: Vec<&[u8]> = headers.get_all(&FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let peer = peer.ip().to_string();
    path.push(peer.as_bytes());
    if let Ok(path) = HeaderValue::from_bytes(&path.join(&b", "[..])) {
        headers.insert(FORWARDED_FOR, path);
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[(&str, &str)], expected: &[(&str, &str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in input {
            headers.append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        forward(&mut headers, SocketAddr::from(([127, 0, 0, 1], 40_000)));
        let mut found: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn forwarding() {
        check(
            &[("host", "a:1"), ("connection", "keep-alive, X-Secret"), ("x-secret", "1"), ("te", "trailers")],
            &[
                ("host", "a:1"),
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-host", "a:1"),
                ("x-forwarded-proto", "http"),
            ],
        );
        check(
            &[("connection", "Upgrade"), ("upgrade", "websocket"), ("x-forwarded-for", "10.0.0.1")],
            &[
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
                ("x-forwarded-proto", "http"),
            ],
        );
        check(
            &[("upgrade", "h2c"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "public")],
            &[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "public"), ("x-forwarded-proto", "https")],
        );
    }
}
