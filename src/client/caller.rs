//! Who makes one call: what goes with it, and what is said where that is not enough.

use std::sync::Arc;

use connectrpc::client::CallOptions;
use jiff::Timestamp;

use super::auth::{AuthError, Authenticator, Credential};
use super::trouble::words;
use crate::port::{Delivery, RpcCode, RpcError};

/// What to do where a token is refused that shows no fault.
const REFUSED: &str = "the control plane does not accept this token: `flyte auth login` gets another; a token from a \
     variable or a command must be replaced there";

/// The caller of one method.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// `None`: nothing is to be sent.
    pub authenticator: Option<&'a Arc<Authenticator>>,
    pub method: &'a str,
    pub request_id: &'a str,
}

/// A call that failed, and the time of the answer by the server's clock.
pub struct Refused {
    pub error: RpcError,
    pub at: Option<Timestamp>,
}

impl Caller<'_> {
    /// The headers of the call.
    pub fn options(&self, credential: Option<&Credential>) -> CallOptions {
        let options = CallOptions::default().with_header("x-request-id", self.request_id);
        match credential {
            Some(credential) => options.with_header(credential.header.clone(), credential.value.clone()),
            None => options,
        }
    }

    /// # Errors
    /// There is no token: nothing was sent.
    pub async fn credential(&self) -> Result<Option<Credential>, RpcError> {
        let Some(authenticator) = self.authenticator else { return Ok(None) };
        authenticator.credential().await.map_err(|error| self.without_token(&error, Delivery::NotSent))
    }

    /// What to send in place of what was sent. `None`: nothing else would help. An unknown error, such as a page, never
    /// starts a log-in.
    ///
    /// # Errors
    /// There is no other token: the call stays refused.
    pub async fn instead_of(
        &self,
        sent: Option<&Credential>,
        refused: &Refused,
    ) -> Result<Option<Credential>, RpcError> {
        let Some(authenticator) = self.authenticator else { return Ok(None) };
        let for_want_of_one = refused.error.code == RpcCode::PermissionDenied && sent.is_none();
        let wanted = refused.error.code == RpcCode::Unauthenticated || for_want_of_one;
        if !wanted || refused.error.delivery != Delivery::Answered {
            return Ok(None);
        }
        authenticator.renew(sent).await.map_err(|error| self.without_token(&error, Delivery::Answered))
    }

    /// A refusal, with what may be wrong with the token.
    pub async fn explained(&self, refused: Refused) -> RpcError {
        let Refused { mut error, at } = refused;
        let Some(authenticator) = self.authenticator.filter(|_| error.code == RpcCode::Unauthenticated) else {
            return error;
        };
        match authenticator.reason(at).await {
            Some(reason) => {
                error.message = format!("{}: {}", error.message, reason.what);
                error.help(reason.help)
            }
            None => error.help(REFUSED),
        }
    }

    fn without_token(&self, error: &AuthError, delivery: Delivery) -> RpcError {
        let code = match error {
            AuthError::Unreachable { .. } | AuthError::Busy { .. } => RpcCode::Unavailable,
            AuthError::Discovery(cause) => cause.code,
            _ => RpcCode::Unauthenticated,
        };
        RpcError {
            method: self.method.to_owned(),
            code,
            message: words(error),
            request_id: self.request_id.to_owned(),
            delivery,
            help: Some(error.help()),
        }
    }
}
