//! Why no token can be had, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::text::clean;
use crate::client::trouble::Trouble;
use crate::port::RpcError;

/// The ways to prove oneself where nobody can be asked.
const WITHOUT_A_PERSON: &str = "in CI give the target a `[target.NAME.auth]` with client credentials, a command that \
     prints a token, or a variable that holds one; FLYTE_API_KEY logs in at the target `config`";

/// Why a caller cannot prove who they are. Texts of servers are shown without control characters and cut.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("a token would travel to `{0}` unencrypted")]
    InTheClear(String),
    #[error("`{0}` asks for a log-in, and nobody can be asked here")]
    NobodyToAsk(String),
    #[error("`{0}` refuses calls without credentials and names no authorization server")]
    NoAuthorizationServer(String),
    #[error("`{endpoint}` does not name its {what}")]
    Incomplete { endpoint: String, what: &'static str },
    #[error("`{endpoint}` names a {what} that cannot be used: `{value}`")]
    Unusable { endpoint: String, what: &'static str, value: String },
    #[error("how to log in cannot be asked")]
    Discovery(#[source] RpcError),
    #[error("the client secret cannot be read: {0}")]
    Secret(String),
    #[error("the variable `{0}`, which should hold a token, is not set")]
    NoToken(String),
    #[error("the token of {place} cannot be sent in a header: it has line breaks or other control characters")]
    Malformed { place: String },

    #[error("the authorization server `{server}` cannot be reached: {trouble}")]
    Unreachable { server: String, trouble: Trouble },
    #[error("the authorization server `{server}` answers {status} with a page ({kind}) in place of a token")]
    Page { server: String, status: u16, kind: String },
    #[error("the authorization server `{server}` has trouble of its own ({status})")]
    Busy { server: String, status: u16 },
    #[error("the authorization server `{server}` answers in a way that is not understood: {cause}")]
    Garbled { server: String, cause: String },
    #[error("the authorization server `{server}` does not accept client `{client}`{said}")]
    InvalidClient { server: String, client: String, said: Said },
    #[error("the log-in has ended: it was revoked or is too old{said}")]
    InvalidGrant { server: String, said: Said },
    #[error("the authorization server `{server}` refuses: {code}{said}")]
    Refused { server: String, code: String, said: Said },

    #[error("port {0}, on which the log-in page answers, is in use")]
    PortInUse(u16),
    #[error("cannot listen for the answer of the log-in page")]
    Listen(#[source] std::io::Error),
    #[error("the log-in page answered for another log-in (the state differs)")]
    StateMismatch,
    #[error("the log-in was refused: {code}{said}")]
    Denied { code: String, said: Said },
    #[error("nobody has logged in within {} minutes", .0.as_secs().div_ceil(60))]
    TimedOut(Duration),
    #[error("`{0}` offers no log-in by code: it names no device authorization endpoint")]
    NoDeviceEndpoint(String),

    #[error("`{program}` cannot be run: {cause}")]
    CommandNotRun { program: String, cause: String },
    #[error("`{program}`, which should print a token, {how}{stderr}")]
    CommandFailed { program: String, how: String, stderr: Said },

    #[error("the log-in was cut short")]
    CutShort,
    #[error("the log-in at `{0}` is in the system's keyring, which cannot be used here")]
    KeyringShut(String),
    #[error("others may read `{}`, which holds tokens", .0.display())]
    Open(PathBuf),
    #[error("the kept tokens in `{}` cannot be {doing}", .path.display())]
    Store {
        path: PathBuf,
        doing: &'static str,
        #[source]
        cause: std::io::Error,
    },
}

impl AuthError {
    /// What to type next.
    pub fn help(&self) -> String {
        let text = match self {
            Self::InTheClear(_) => {
                "use an `https://` address; only where the way there is safe by other means, set `insecure = true`"
            }
            Self::NobodyToAsk(_) => {
                return format!("run `flyte auth login` in a terminal; {WITHOUT_A_PERSON}");
            }
            Self::NoAuthorizationServer(_) | Self::Incomplete { .. } | Self::Unusable { .. } => {
                "is this the address of the control plane's API rather than of its console? Else ask whoever runs it; \
                 a command that prints a token, or a variable that holds one, needs no authorization server"
            }
            Self::Discovery(RpcError { help: Some(help), .. })
            | Self::Unreachable { trouble: Trouble { help: Some(help), .. }, .. } => return help.clone(),
            Self::Busy { .. } => "try again in a while; if it goes on, tell whoever runs it",
            Self::Discovery(_) | Self::Unreachable { .. } => {
                "is the address right, and is a proxy or a certificate authority missing in the settings? `flyte config \
                 show` prints them"
            }
            Self::Secret(_) => "`flyte config show` tells where the secret is looked for",
            Self::KeyringShut(_) => {
                "unlock the keyring, or run this in a session that has one; `-vv` tells why it cannot be used"
            }
            Self::NoToken(variable) => {
                return format!("set {variable}, or choose another kind of log-in for the target");
            }
            Self::Malformed { .. } => {
                "the token must be one word; a file read with `$(cat FILE)` has no line break at its end"
            }
            Self::Page { .. } | Self::Garbled { .. } => {
                "the address may be that of a console or a log-in page: ask whoever runs the control plane for its token \
                 endpoint"
            }
            Self::InvalidClient { .. } => {
                "check the client's name and secret: the secret may have been changed or cut; `flyte config show` tells \
                 where both come from"
            }
            Self::InvalidGrant { .. } => return format!("`flyte auth login` logs in again; {WITHOUT_A_PERSON}"),
            Self::Refused { code, .. } if code == "invalid_scope" => {
                "the scopes asked for are not this client's: remove `scopes` from the settings to ask for the server's own"
            }
            Self::Refused { code, .. } if code == "unauthorized_client" || code == "unsupported_grant_type" => {
                "this client may not log in this way: choose another kind of log-in for the target"
            }
            Self::Refused { .. } | Self::Denied { .. } => {
                "ask whoever runs the control plane for access, then `flyte auth login` again"
            }
            Self::PortInUse(port) => {
                return format!(
                    "another log-in may be waiting: end it, or whatever listens on port {port} (`ss -ltnp 'sport = \
                     :{port}'` names it), and try again; the port is the server's choice"
                );
            }
            Self::Listen(_) => "a log-in by code needs no listener: set the device flow as the target's kind of log-in",
            Self::StateMismatch => "close the other log-in pages and try `flyte auth login` again",
            Self::TimedOut(_) => {
                "try `flyte auth login` again; where the browser runs on another machine, a log-in by code (device flow) \
                 works"
            }
            Self::NoDeviceEndpoint(_) => "choose the log-in in the browser (PKCE) or client credentials for the target",
            Self::CommandNotRun { .. } => {
                "is it installed and on PATH? It is run as it is written, without a shell, one list element per argument"
            }
            Self::CommandFailed { .. } => "run the command by hand: it must end with 0 and print nothing but the token",
            Self::Open(path) => {
                return format!(
                    "`chmod 600 {}` closes it; if others may have read it, `flyte auth logout` and log in again",
                    path.display()
                );
            }
            Self::CutShort => "try again",
            Self::Store { .. } => {
                "`flyte auth logout` removes them; without a place to keep them, log-ins last for one run"
            }
        };
        text.to_owned()
    }

    /// Whether a new log-in may succeed where a renewal ended so.
    pub fn asks_for_log_in(&self) -> bool {
        matches!(self, Self::InvalidGrant { .. } | Self::InvalidClient { .. } | Self::Refused { .. })
    }
}

/// What somebody else said, as the end of a sentence: without control characters, and not too long.
#[derive(Debug, Clone, Default)]
pub struct Said(String);

impl Said {
    pub fn new(text: &str) -> Self {
        Self(plain(text))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// A text of somebody else as it may be shown: one line, without control characters, and not too long.
pub fn plain(text: &str) -> String {
    clean(text, 500)
}
