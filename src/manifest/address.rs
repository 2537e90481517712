//! What texts about a control plane must look like: its endpoint, files on the way to it, where its secrets lie.

use super::format::{Fault, fault, variable};
use crate::diagnostic::codes;
use crate::model::sensitive::looks_like_credential;
use crate::model::target;

/// What an endpoint of any origin must not have.
pub const USER: &str = "a user, and maybe a password, before the host";

pub const WITHOUT_USER: &str = "leave user and password out: `auth` tells how to log in";

pub fn endpoint(text: &str) -> Result<(), Fault> {
    if target::without_user(text).is_some() {
        return Err(Fault { label: USER.to_owned(), help: WITHOUT_USER.to_owned(), ..literal_secret() });
    }
    let host = ["dns:///", "https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)) {
        return Ok(());
    }
    let bare = text.rsplit("//").next().unwrap_or(text).trim_matches('/').trim();
    let help = if bare.is_empty() {
        "write `\"dns:///flyte.example.com\"`, or a URL".to_owned()
    } else {
        format!("write `\"dns:///{bare}\"`, or `\"https://{bare}\"`")
    };
    fault(codes::INVALID_VALUE, format!("`{text}` is not the address of a control plane"), "no scheme and host", help)
}

/// Anywhere on this machine: it is read when the manifest is used, and never packed.
pub fn file(text: &str) -> Result<(), Fault> {
    if looks_like_credential(text) {
        return Err(literal_secret());
    }
    if text.ends_with('/') || text.starts_with('~') && !text.starts_with("~/") {
        return fault(
            codes::INVALID_VALUE,
            format!("`{text}` is not the path of a file"),
            "no file",
            "write a path relative to the manifest, an absolute one, or one below `~/`",
        );
    }
    Ok(())
}

/// A text that is no name may be the secret itself, so the fault does not repeat it.
pub fn secret_variable(text: &str) -> Result<(), Fault> {
    if variable(text).is_ok() && !looks_like_credential(text) { Ok(()) } else { Err(literal_secret()) }
}

pub const NOT_WRITTEN_DOWN: &str = "a secret is not written down in a manifest";

pub const NAME_ITS_PLACE: &str = "name where it lies: `secret_env = \"VARIABLE\"` or `secret_file = \"path\"`; a secret that was \
                                  committed is known, and must be replaced";

/// What is said where a secret seems to be written down.
pub fn literal_secret() -> Fault {
    Fault {
        code: codes::LITERAL_SECRET,
        message: NOT_WRITTEN_DOWN.to_owned(),
        label: "not the name of a variable, and not a file".to_owned(),
        help: NAME_ITS_PLACE.to_owned(),
    }
}
