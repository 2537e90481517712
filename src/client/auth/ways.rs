//! The ways to a token: what each kind of log-in does at first, and when a token was refused.

use http::HeaderValue;
use jiff::Timestamp;
use oauth2::AccessToken;

use super::discovery::{self, Discovery};
use super::error::AuthError;
use super::oauth::Server;
use super::session::{Authenticator, Credential, Session};
use super::store::Kept;
use super::token::Token;
use super::{command, device, pkce, secret};
use crate::model::target::Auth;
use crate::port::{Delivery, RpcCode};

type Result<T> = std::result::Result<T, AuthError>;

impl Authenticator {
    pub(super) fn as_credential(&self, session: &Session) -> Result<Option<Credential>> {
        let Some(token) = &session.token else { return Ok(None) };
        let text = token.access.secret();
        // A variable may hold the scheme too.
        let text = if text.contains(' ') { text.clone() } else { format!("Bearer {text}") };
        let malformed = |_| AuthError::Malformed { place: self.place() };
        let mut value = HeaderValue::from_str(&text).map_err(malformed)?;
        value.set_sensitive(true);
        let header = session.told.as_ref().map_or(http::header::AUTHORIZATION, |(told, _)| told.header());
        Ok(Some(Credential { header, value, generation: session.generation }))
    }

    /// Where the token comes from.
    fn place(&self) -> String {
        match &self.connection.auth {
            Auth::Passthrough { variable } => format!("the variable `{variable}`"),
            Auth::Command { command } => format!("`{}`", command.first().map_or("", String::as_str)),
            _ => format!("`{}`", self.connection.endpoint),
        }
    }

    /// The token to begin with.
    pub(super) async fn acquire(&self, session: &mut Session) -> Result<Option<Credential>> {
        match &self.connection.auth {
            Auth::None => return Ok(None),
            Auth::Passthrough { variable } => {
                let text = self.surroundings.environment.get(variable).map(|text| text.trim());
                let text = text.filter(|text| !text.is_empty()).ok_or_else(|| AuthError::NoToken(variable.clone()))?;
                session.adopt(Token::found(AccessToken::new(text.to_owned()), None), Kept::Memory);
            }
            Auth::Command { command } => session.adopt(command::run(command).await?, Kept::Memory),
            Auth::ClientCredentials { .. } => {
                self.load(session).await?;
                if session.fresh().is_none() {
                    // A server that wants no log-in gets none.
                    if !self.told(session, false).await?.names_a_server() {
                        return Ok(None);
                    }
                    self.obtain(session).await?;
                }
            }
            Auth::Pkce | Auth::DeviceFlow => {
                self.load(session).await?;
                let Some(token) = session.token.clone() else { return Ok(None) };
                if session.fresh().is_none() && token.refresh.is_some() {
                    self.told(session, false).await?;
                    match self.obtain(session).await {
                        // The server has the last word on a token that is not over yet.
                        Err(error) if token.is_expired(Timestamp::now()) || token.access.secret().is_empty() => {
                            return Err(error);
                        }
                        Err(error) => tracing::info!("the token was not renewed yet: {error}"),
                        Ok(()) => {}
                    }
                }
            }
        }
        if let Err(error) = self.told(session, false).await {
            match error {
                // The header has a usual name, and something in front may keep out who shows no token. What does not
                // answer at all is not asked twice.
                AuthError::Discovery(refusal)
                    if refusal.delivery != Delivery::NotSent && refusal.code != RpcCode::DeadlineExceeded =>
                {
                    session.told = Some((Discovery::default(), true));
                }
                other => return Err(other),
            }
        }
        self.as_credential(session)
    }

    /// Another token than the one that was refused.
    pub(super) async fn replace(&self, session: &mut Session) -> Result<Option<Credential>> {
        match &self.connection.auth {
            Auth::None | Auth::Passthrough { .. } => return Ok(None),
            Auth::Command { command } => {
                let token = command::run(command).await?;
                if session.token.as_ref().is_some_and(|old| old.is(&token)) {
                    return Ok(None);
                }
                session.adopt(token, Kept::Memory);
            }
            Auth::Pkce | Auth::DeviceFlow | Auth::ClientCredentials { .. } => {
                self.told(session, true).await?;
                if !self.adopt_other(session).await? {
                    self.obtain(session).await?;
                }
            }
        }
        self.as_credential(session)
    }

    /// A token by the means of its kind: renewed where that is possible, else by a log-in.
    pub(super) async fn obtain(&self, session: &mut Session) -> Result<()> {
        let told = session.told.as_ref().map(|(told, _)| told.clone()).unwrap_or_default();
        let server = Server::new(&self.connection, &told, &self.channel.network)?;
        let refresh = session.token.as_ref().and_then(|token| token.refresh.clone());
        let token = match (&self.connection.auth, refresh) {
            (Auth::ClientCredentials { client_id, secret: source }, _) => {
                let secret = secret::read(source, &self.surroundings)?;
                let mut token = server.client_credentials(client_id, secret).await?;
                // The secret is at hand whenever a new one is needed.
                token.refresh = None;
                token
            }
            (_, Some(refresh)) => match server.refresh(&self.connection, &refresh).await {
                Ok(token) => token,
                Err(error) if error.asks_for_log_in() => {
                    // A refresh token is often good for one use: another program may have been first.
                    if self.adopt_other(session).await? {
                        return Ok(());
                    }
                    if !self.surroundings.person.is_present() {
                        return Err(error);
                    }
                    self.ask(&server).await?
                }
                Err(error) => return Err(error),
            },
            (_, None) => self.ask(&server).await?,
        };
        tracing::info!(endpoint = self.connection.endpoint, "a new token");
        let kept = match self.store.save(&token).await {
            Ok(kept) => kept,
            Err(error) => {
                self.surroundings.person.tell(&format!("The log-in is for this run only: {error}\n"));
                Kept::Memory
            }
        };
        session.adopt(token, kept);
        Ok(())
    }

    /// Asks a person to log in.
    async fn ask(&self, server: &Server) -> Result<Token> {
        let person = self.surroundings.person.as_ref();
        if !person.is_present() {
            return Err(AuthError::NobodyToAsk(self.connection.endpoint.clone()));
        }
        match self.connection.auth {
            Auth::DeviceFlow => device::log_in(&self.connection, server, person, &self.channel.network).await,
            _ => pkce::log_in(&self.connection, server, person).await,
        }
    }

    async fn load(&self, session: &mut Session) -> Result<()> {
        if !session.loaded {
            if let Some((token, kept)) = self.store.load().await? {
                session.adopt(token, kept);
            }
            session.loaded = true;
        }
        Ok(())
    }

    /// Takes over what another program has put into the store since, if it is of use.
    async fn adopt_other(&self, session: &mut Session) -> Result<bool> {
        let Some((token, kept)) = self.store.load().await? else { return Ok(false) };
        let is_new = session.token.as_ref().is_none_or(|old| !old.is(&token));
        if is_new && !token.access.secret().is_empty() && token.is_fresh(Timestamp::now()) {
            session.adopt(token, kept);
            return Ok(true);
        }
        Ok(false)
    }

    /// How the server wants to be logged in to; `now`: not from an earlier run.
    pub(super) async fn told(&self, session: &mut Session, now: bool) -> Result<Discovery> {
        if let Some((told, asked)) = &session.told
            && (*asked || !now)
        {
            return Ok(told.clone());
        }
        let recalled = if now { None } else { self.memory.recall() };
        let (told, asked) = match recalled {
            Some(told) => (told, false),
            None => {
                let told = discovery::ask(&self.channel).await.map_err(AuthError::Discovery)?;
                self.memory.remember(&told);
                (told, true)
            }
        };
        session.told = Some((told.clone(), asked));
        Ok(told)
    }
}
