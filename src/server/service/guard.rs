//! Who may ask: programs of this machine, under a name of this machine.
//!
//! A page in a browser can make requests to loopback addresses, also under a name of its own that it lets point here
//! (DNS rebinding). Both are told by the `Host` and `Origin` headers, which a page cannot choose.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};

/// HTTP/2 has no Host header: one is made of the authority, so that there is one place to look in.
pub async fn name_host(mut request: Request) -> Request {
    if !request.headers().contains_key(HOST)
        && let Some(authority) = request.uri().authority()
        && let Ok(value) = authority.as_str().parse()
    {
        request.headers_mut().insert(HOST, value);
    }
    request
}

pub async fn loopback_only(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    match refusal(peer, request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(peer: SocketAddr, headers: &HeaderMap) -> Option<&'static str> {
    if !peer.ip().is_loopback() {
        return Some("only programs of this machine may ask\n");
    }
    if !headers.contains_key(HOST) {
        return Some(STRANGE_HOST);
    }
    of_a_strange_page(headers)
}

const STRANGE_HOST: &str = "the Host header is not a name of this machine\n";

/// Why a request is none of this machine's own programs and pages. Without a `Host` it is no browser's.
pub fn of_a_strange_page(headers: &HeaderMap) -> Option<&'static str> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if header(HOST).is_some_and(|host| !is_loopback(host)) {
        return Some(STRANGE_HOST);
    }
    let page = header(ORIGIN).map(|origin| origin.split_once("://").map_or("", |(_, authority)| authority));
    page.is_some_and(|page| !is_loopback(page)).then_some("the page that asks is not of this machine\n")
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for good in ["localhost", "localhost:80", "127.0.0.1:8090", "[::1]:8090", "a.localhost:1", "127.1.2.3"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "", "a b"] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
