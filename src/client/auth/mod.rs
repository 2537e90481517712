//! Who is calling: tokens for one control plane, got, kept, renewed.

mod command;
mod device;
mod discovery;
mod error;
mod explain;
mod file;
#[cfg(feature = "keyring")]
mod keyring;
mod listener;
mod oauth;
mod pkce;
mod secret;
mod session;
mod store;
mod surroundings;
mod token;
mod ways;

pub use error::AuthError;
pub use session::{Authenticator, Credential, Status};
pub use store::{Forgotten, Kept};
pub use surroundings::{Nobody, Person, Surroundings};
