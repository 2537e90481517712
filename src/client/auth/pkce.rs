//! The log-in in the browser of this machine.
//!
//! Source: RFC 6749 section 4.1, RFC 7636, RFC 8252.

use std::time::Duration;

use oauth2::{AuthUrl, CsrfToken, PkceCodeChallenge, RedirectUrl};

use super::discovery::address;
use super::error::AuthError;
use super::listener::Listener;
use super::oauth::{Server, TokenAnswer};
use super::surroundings::Person;
use super::token::Token;
use crate::model::target::Connection;

/// How long the browser may take to come back.
const TIMEOUT: Duration = Duration::from_secs(300);

/// # Errors
/// The server refuses it, nobody logs in in time, or the answer cannot be listened for.
pub async fn log_in(connection: &Connection, server: &Server, person: &dyn Person) -> Result<Token, AuthError> {
    let page = address(connection, "authorization endpoint", &server.told.authorization_endpoint)?;
    if server.told.redirect_uri.is_empty() {
        let what = "redirect address of log-ins";
        return Err(AuthError::Incomplete { endpoint: connection.endpoint.clone(), what });
    }
    let listener = Listener::open(&connection.endpoint, &server.told.redirect_uri).await?;
    let client = server
        .public_client(connection)?
        .set_auth_uri(AuthUrl::from_url(page))
        .set_redirect_uri(RedirectUrl::from_url(listener.redirect.clone()));
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(server.scopes.iter().cloned())
        .set_pkce_challenge(challenge);
    if !server.told.audience.is_empty() {
        request = request.add_extra_param("audience", server.told.audience.clone());
    }
    let (page, state) = request.url();
    let how = if person.open(page.as_str()) {
        "The browser opens a page to log in. If it does not, open"
    } else {
        "To log in, open"
    };
    person.tell(&format!("{how} this page in a browser of this machine:\n\n  {}\n", page));

    let code = tokio::time::timeout(TIMEOUT, listener.code(state)).await;
    let code = code.map_err(|_| AuthError::TimedOut(TIMEOUT))??;
    let mut request = client.exchange_code(code).set_pkce_verifier(verifier);
    if !server.told.audience.is_empty() {
        request = request.add_extra_param("audience", server.told.audience.clone());
    }
    let answer = request.request_async(&server.web).await;
    answer.map(TokenAnswer::into_token).map_err(|error| server.refusal(&server.told.client_id, error))
}
