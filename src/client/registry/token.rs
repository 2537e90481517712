//! Tokens for a registry, of the server that it names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{StatusCode, Uri};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::body::read_at_most;
use super::credentials::{Credentials, Hidden, Proof};
use crate::client::endpoint::is_loopback;
use crate::client::network::{Network, place};
use crate::client::trouble::Trouble;

/// The longest answer that is read, in bytes: 1 MiB.
const MAX_ANSWER: usize = 1 << 20;
/// As whom an identity token is exchanged.
const CLIENT: &str = "flyte";

/// What a registry wants a token for.
pub struct Wanted<'a> {
    /// Where the registry is.
    pub registry: &'a Uri,
    /// The address of the server that gives tokens, as the registry says.
    pub realm: &'a str,
    pub service: Option<&'a str>,
    /// Words, one for each right.
    pub scope: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// A token for what is wanted; without credentials, one that anybody gets. Source: the token specification of the
/// distribution project.
///
/// # Errors
/// There is none to be had, and why.
pub async fn fetch(
    network: &Network,
    wanted: &Wanted<'_>,
    credentials: Option<&Credentials>,
) -> Result<Hidden, String> {
    let realm = realm(wanted)?;
    let address: Uri =
        realm.as_str().parse().map_err(|_| "the registry names no usable server of tokens".to_owned())?;
    let to = place(&address);
    let client = network.to(&address);
    let request = match credentials.map(|credentials| &credentials.proof) {
        Some(Proof::IdentityToken(token)) => {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", CLIENT);
            form.append_pair("scope", wanted.scope).append_pair("refresh_token", token.reveal());
            if let Some(service) = wanted.service {
                form.append_pair("service", service);
            }
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            client.post(realm).header(CONTENT_TYPE, kind).body(form.finish())
        }
        Some(Proof::Password { user, password }) => {
            client.get(with_query(realm, wanted)).header(AUTHORIZATION, basic(user, password)?)
        }
        None => client.get(with_query(realm, wanted)),
    };
    let response = request.send().await.map_err(|error| Trouble::of(&error, &address, network).message)?;
    let status = response.status();
    tracing::debug!(from = to, status = status.as_u16(), "token for a registry");
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(refused(&to, status, credentials)),
        other => return Err(format!("{to} gives no token ({other})")),
    }
    let text = read_at_most(response, MAX_ANSWER).await;
    // The error of the parser may quote the token.
    let answer = text.and_then(|text| serde_json::from_slice::<Answer>(&text).ok());
    let token = answer.and_then(|answer| answer.token.or(answer.access_token)).filter(|token| !token.is_empty());
    token.map(Hidden::new).ok_or_else(|| format!("what {to} answers is no token"))
}

/// A user and a password as a header has them.
///
/// # Errors
/// They cannot be sent so.
pub fn basic(user: &str, password: &Hidden) -> Result<HeaderValue, String> {
    header("Basic", &STANDARD.encode(format!("{user}:{}", password.reveal())))
}

/// A header that no log shows.
///
/// # Errors
/// The text cannot be sent.
pub fn header(scheme: &str, text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::try_from(format!("{scheme} {text}"));
    let mut value = value.map_err(|_| "what proves who is asking cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Who refused, and whose credentials.
pub fn refused(place: &str, status: StatusCode, credentials: Option<&Credentials>) -> String {
    match credentials {
        Some(credentials) => format!("{place} refuses the credentials of {} ({status})", credentials.from),
        None => format!("{place} wants credentials, and none were found ({status}); `docker login` keeps some"),
    }
}

/// Where to ask. Whatever is sent there is encrypted, or stays on this machine where the registry is; and no registry
/// elsewhere gets to talk to this machine.
fn realm(wanted: &Wanted<'_>) -> Result<Url, String> {
    let unusable = || "the registry names no usable server of tokens".to_owned();
    let url = Url::parse(wanted.realm).map_err(|_| unusable())?;
    let address: Uri = url.as_str().parse().map_err(|_| unusable())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable());
    }
    let at_home = is_loopback(wanted.registry);
    match url.scheme() {
        _ if is_loopback(&address) && !at_home => {
            Err("the registry names a server of tokens on this machine, which is not asked".to_owned())
        }
        "https" => Ok(url),
        "http" if is_loopback(&address) => Ok(url),
        "http" => Err(format!("{} gives tokens without encryption, and is not asked", place(&address))),
        _ => Err(unusable()),
    }
}

fn with_query(mut realm: Url, wanted: &Wanted<'_>) -> Url {
    let mut query = realm.query_pairs_mut();
    if let Some(service) = wanted.service {
        query.append_pair("service", service);
    }
    for scope in wanted.scope.split_whitespace() {
        query.append_pair("scope", scope);
    }
    drop(query);
    realm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_asked_for_over_encrypted_connections_or_on_this_machine() {
        let check = |registry: &str, named: &str, expected: Result<&str, &str>| {
            let registry: Uri = registry.parse().unwrap();
            let wanted = Wanted { registry: &registry, realm: named, service: Some("a b"), scope: "x:y:pull z" };
            let told = realm(&wanted).map(|url| with_query(url, &wanted).to_string());
            assert_eq!(told.as_deref().map_err(String::as_str), expected, "{named}");
        };
        let (far, near) = ("https://ghcr.io/v2/", "http://127.0.0.1:5000/v2/");
        check(
            far,
            "https://a.example.com/t?x=1",
            Ok("https://a.example.com/t?x=1&service=a+b&scope=x%3Ay%3Apull&scope=z"),
        );
        check(near, "http://localhost:9/t", Ok("http://localhost:9/t?service=a+b&scope=x%3Ay%3Apull&scope=z"));
        let open = Err("http://a.example.com gives tokens without encryption, and is not asked");
        check(far, "http://a.example.com/t", open);
        check(near, "http://a.example.com/t", open);
        let mine = Err("the registry names a server of tokens on this machine, which is not asked");
        check(far, "http://127.0.0.1:9/t", mine);
        check(far, "https://localhost/t", mine);
        for wrong in ["", "/token", "file:///etc/passwd", "https://u:p@a.example.com/t", "https:///t"] {
            if wrong != "https:///t" {
                check(far, wrong, Err("the registry names no usable server of tokens"));
            }
        }
    }
}
