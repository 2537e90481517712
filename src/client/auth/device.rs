//! The log-in by code: shown here, entered in any browser.
//!
//! Source: RFC 8628.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use oauth2::{
    AsyncHttpClient, DeviceAuthorizationUrl, DeviceCodeErrorResponse, DeviceCodeErrorResponseType, HttpRequest,
    HttpResponse, RequestTokenError, StandardDeviceAuthorizationResponse,
};
use url::Url;

use super::discovery::address;
use super::error::{AuthError, Said, plain};
use super::oauth::{Fault, Server, TokenAnswer, Web};
use super::surroundings::Person;
use super::token::Token;
use crate::client::network::Network;
use crate::client::text::visible;
use crate::model::target::Connection;

/// The most characters of the address of a log-in page.
const MAX_PAGE: usize = 2000;
/// The shortest wait between two questions, whatever the server says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest wait between two questions where the server does not answer.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The longest wait between two questions that a server may ask for. Much longer ones cannot even be added up.
const MAX_INTERVAL: Duration = Duration::from_secs(600);
/// How long a person is waited for, whatever the server says.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// # Errors
/// The server offers no such log-in, refuses it, or nobody logs in in time.
pub async fn log_in(
    connection: &Connection,
    server: &Server,
    person: &dyn Person,
    network: &Network,
) -> Result<Token, AuthError> {
    if server.told.device_authorization_endpoint.is_empty() {
        return Err(AuthError::NoDeviceEndpoint(connection.endpoint.clone()));
    }
    let endpoint = address(connection, "device authorization endpoint", &server.told.device_authorization_endpoint)?;
    let web = Web::to(&endpoint, network);
    let client =
        server.public_client(connection)?.set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint));
    let mut request = client.exchange_device_code().add_scopes(server.scopes.iter().cloned());
    if !server.told.audience.is_empty() {
        request = request.add_extra_param("audience", server.told.audience.clone());
    }
    let details: StandardDeviceAuthorizationResponse =
        request.request_async(&web).await.map_err(|error| server.refusal(&server.told.client_id, error))?;

    if details.interval() > MAX_INTERVAL {
        let cause = format!("it wants to be asked every {} seconds", details.interval().as_secs());
        return Err(AuthError::Garbled { server: server.web.place.clone(), cause });
    }
    let within = details.expires_in().min(MAX_WAIT);

    let page = details.verification_uri_complete().map(|uri| uri.secret().clone());
    let page = page.unwrap_or_else(|| with_code(details.verification_uri().as_str(), details.user_code().secret()));
    person.tell(&format!(
        "To log in, open this page in any browser:\n\n  {}\n\nand check that it shows the code {}\n",
        visible(&page, MAX_PAGE).0,
        plain(details.user_code().secret())
    ));

    let mut request = client.exchange_device_access_token(&details).set_max_backoff_interval(MAX_BACKOFF);
    if !server.told.audience.is_empty() {
        request = request.add_extra_param("audience", server.told.audience.clone());
    }
    let poll = Poll { web: &server.web, page: Mutex::new(None) };
    let pause = |wait: Duration| tokio::time::sleep(wait.max(MIN_INTERVAL));
    let answer = request.request_async(&poll, pause, Some(within)).await;
    let page = poll.page.lock().unwrap_or_else(PoisonError::into_inner).take();
    answer.map(TokenAnswer::into_token).map_err(|error| match page {
        Some(fault) => server.web.misunderstood(RequestTokenError::<_, DeviceCodeErrorResponse>::Request(fault)),
        None => refusal(server, within, error),
    })
}

/// Asks whether somebody has logged in. The crate asks on after any error of the way; a page in place of an answer will
/// stay one, and ends it.
struct Poll<'a> {
    web: &'a Web,
    page: Mutex<Option<Fault>>,
}

impl<'c> AsyncHttpClient<'c> for Poll<'_> {
    type Error = Fault;
    type Future = BoxFuture<'c, Result<HttpResponse, Fault>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            match self.web.call(request).await {
                Err(fault @ Fault::Page { .. }) => {
                    *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                    Ok(HttpResponse::default())
                }
                other => other,
            }
        })
    }
}

fn refusal(server: &Server, within: Duration, error: RequestTokenError<Fault, DeviceCodeErrorResponse>) -> AuthError {
    let RequestTokenError::ServerResponse(answer) = &error else { return server.web.misunderstood(error) };
    let said = Said::new(answer.error_description().map_or("", String::as_str));
    match answer.error() {
        DeviceCodeErrorResponseType::ExpiredToken => AuthError::TimedOut(within),
        DeviceCodeErrorResponseType::AccessDenied => AuthError::Denied { code: "access_denied".to_owned(), said },
        other => AuthError::Refused { server: server.web.place.clone(), code: plain(other.as_ref()), said },
    }
}

/// The page with the code filled in, for servers that do not say so themselves.
fn with_code(page: &str, code: &str) -> String {
    match Url::parse(page) {
        Ok(mut url) => {
            url.query_pairs_mut().append_pair("user_code", code);
            url.into()
        }
        Err(_) => page.to_owned(),
    }
}
