//! Where secrets lie: read when they are needed, kept no longer.

use std::fs;

use oauth2::ClientSecret;

use super::error::AuthError;
use super::surroundings::Surroundings;
use crate::client::text::never_show;
use crate::model::ApiKey;
use crate::model::target::SecretSource;

/// # Errors
/// [`AuthError::Secret`] tells where the secret should be.
pub fn read(source: &SecretSource, surroundings: &Surroundings) -> Result<ClientSecret, AuthError> {
    let variable = |name: &str| {
        let value = surroundings.environment.get(name).filter(|value| !value.is_empty());
        value.cloned().ok_or_else(|| AuthError::Secret(format!("the variable `{name}` is not set")))
    };
    let text = match source {
        SecretSource::Variable(name) => variable(name)?,
        SecretSource::File(path) => {
            let unreadable = |error| AuthError::Secret(format!("`{}`: {error}", path.display()));
            // Editors and `echo` end a file with a newline that is none of the secret's.
            fs::read_to_string(path).map_err(unreadable)?.trim().to_owned()
        }
        SecretSource::ApiKey(name) => {
            let unreadable = |error| AuthError::Secret(format!("what `{name}` holds is no API key: {error}"));
            ApiKey::read(&variable(name)?).map_err(unreadable)?.secret
        }
    };
    if text.is_empty() {
        return Err(AuthError::Secret("it is empty".to_owned()));
    }
    never_show(&text);
    Ok(ClientSecret::new(text))
}
