//! The log-in at one control plane: one token at a time, shared by all calls of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use oauth2::AccessToken;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::discovery::{self, Discovery, Memory};
use super::error::AuthError;
use super::explain::{self, Reason};
use super::oauth::Server;
use super::store::{Kept, Store};
use super::surroundings::Surroundings;
use super::token::Token;
use super::{command, device, pkce, secret};
use crate::client::endpoint::is_loopback;
use crate::client::transport::Channel;
use crate::model::target::{Auth, Connection};
use crate::port::Delivery;

/// For how long a failure is the answer to all who ask: calls that run at once ask a person once.
const SHARED_FAILURE: Duration = Duration::from_secs(10);

/// What goes with a call. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Credential {
    pub header: HeaderName,
    pub value: HeaderValue,
    /// Which of the tokens of this process it is.
    generation: u64,
}

/// How a log-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub kept: Kept,
    /// `None`: it was not told.
    pub expires_at: Option<Timestamp>,
    /// Whether it is renewed without a person.
    pub renewable: bool,
}

type Result<T> = std::result::Result<T, Arc<AuthError>>;

/// Gets, keeps and renews the tokens for one control plane. Calls that need a new one at the same time share it.
pub struct Authenticator {
    connection: Connection,
    /// Without credentials.
    channel: Channel,
    surroundings: Surroundings,
    store: Store,
    memory: Memory,
    session: Arc<Mutex<Session>>,
}

#[derive(Debug)]
struct Session {
    /// With whether it was asked in this run.
    told: Option<(Discovery, bool)>,
    token: Option<Token>,
    kept: Kept,
    /// Counts the tokens of this process; 0 before the first.
    generation: u64,
    loaded: bool,
    failure: Option<(Instant, Arc<AuthError>)>,
}

impl Session {
    fn adopt(&mut self, token: Token, kept: Kept) {
        self.token = Some(token);
        self.kept = kept;
        self.generation += 1;
        self.failure = None;
    }

    /// A token that can be sent as it is.
    fn fresh(&self) -> Option<&Token> {
        self.token.as_ref().filter(|token| !token.access.secret().is_empty() && token.is_fresh(Timestamp::now()))
    }

    fn shared_failure(&self) -> Option<Arc<AuthError>> {
        let recent = self.failure.as_ref().filter(|(at, _)| at.elapsed() < SHARED_FAILURE);
        recent.map(|(_, failure)| failure.clone())
    }

    fn status(&self) -> Option<Status> {
        let token = self.token.as_ref()?;
        let renewable = token.refresh.is_some();
        Some(Status { kept: self.kept.clone(), expires_at: token.expires_at, renewable })
    }
}

impl Authenticator {
    /// `None` where nothing is to be sent.
    ///
    /// # Errors
    /// [`AuthError::InTheClear`]
    pub fn new(
        connection: &Connection,
        channel: Channel,
        surroundings: &Surroundings,
    ) -> std::result::Result<Option<Arc<Self>>, AuthError> {
        if connection.auth == Auth::None {
            return Ok(None);
        }
        let session =
            Session { told: None, token: None, kept: Kept::Memory, generation: 0, loaded: false, failure: None };
        let made = Self {
            connection: connection.clone(),
            surroundings: surroundings.clone(),
            store: Store::of(connection, &service(&channel.base), surroundings),
            memory: Memory::of(&channel.base, surroundings),
            channel,
            session: Arc::new(Mutex::new(session)),
        };
        made.may_send_to(&made.channel.base)?;
        Ok(Some(Arc::new(made)))
    }

    /// Whether tokens may travel to this address: by TLS, within this machine, or where the user has said so.
    ///
    /// # Errors
    /// [`AuthError::InTheClear`]
    pub fn may_send_to(&self, base: &Uri) -> std::result::Result<(), AuthError> {
        match base.scheme_str() {
            Some("https") => Ok(()),
            _ if is_loopback(base) || self.connection.insecure => Ok(()),
            _ => Err(AuthError::InTheClear(base.to_string().trim_end_matches('/').to_owned())),
        }
    }

    /// What to send with a call. `None`: nothing yet, since nobody has logged in and the server may want nobody to; it
    /// will say so.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn credential(self: &Arc<Self>) -> Result<Option<Credential>> {
        let session = self.session.clone().lock_owned().await;
        if session.fresh().is_some() && session.told.is_some() {
            return self.as_credential(&session).map_err(Arc::new);
        }
        if let Some(failure) = session.shared_failure() {
            return Err(failure);
        }
        self.shielded(session, |this, session| Box::pin(this.acquire(session))).await
    }

    /// What to send in place of a credential that was refused (`None`: nothing was sent). `None`: there is no other.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn renew(self: &Arc<Self>, refused: Option<&Credential>) -> Result<Option<Credential>> {
        let session = self.session.clone().lock_owned().await;
        if session.generation > refused.map_or(0, |credential| credential.generation) {
            return self.as_credential(&session).map_err(Arc::new);
        }
        if let Some(failure) = session.shared_failure() {
            return Err(failure);
        }
        self.shielded(session, |this, session| Box::pin(this.replace(session))).await
    }

    /// A new log-in, whatever there is.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn log_in(self: &Arc<Self>) -> Result<Option<Status>> {
        let session = self.session.clone().lock_owned().await;
        self.shielded(session, |this, session| {
            Box::pin(async move {
                session.token = None;
                session.loaded = true;
                match &this.connection.auth {
                    Auth::None | Auth::Passthrough { .. } | Auth::Command { .. } => {
                        this.acquire(session).await?;
                    }
                    Auth::Pkce | Auth::DeviceFlow | Auth::ClientCredentials { .. } => {
                        this.told(session, true).await?;
                        this.obtain(session).await?;
                    }
                }
                Ok(session.status())
            })
        })
        .await
    }

    /// Forgets the log-in; answers where it was kept.
    ///
    /// # Errors
    /// [`AuthError::Store`]
    pub async fn log_out(&self) -> Result<Vec<Kept>> {
        let mut session = self.session.lock().await;
        session.token = None;
        self.store.delete().await.map_err(Arc::new)
    }

    /// How the log-in stands, after a call.
    pub async fn status(&self) -> Option<Status> {
        self.session.lock().await.status()
    }

    /// Why the last token may have been refused. `server` is the time of the refusal by the server's clock.
    pub async fn reason(&self, server: Option<Timestamp>) -> Option<Reason> {
        let session = self.session.lock().await;
        let told = session.told.as_ref().map(|(told, _)| told);
        explain::reason(session.token.as_ref()?, told, server, Timestamp::now())
    }

    /// Runs work to its end even if the caller goes away: a refresh token that was used must not be lost.
    async fn shielded<T: Send + 'static>(
        self: &Arc<Self>,
        mut session: OwnedMutexGuard<Session>,
        work: impl for<'a> FnOnce(
            &'a Self,
            &'a mut Session,
        ) -> futures::future::BoxFuture<'a, std::result::Result<T, AuthError>>
        + Send
        + 'static,
    ) -> Result<T> {
        let this = self.clone();
        let task = tokio::spawn(async move {
            work(&this, &mut session).await.map_err(|error| {
                let error = Arc::new(error);
                session.failure = Some((Instant::now(), error.clone()));
                error
            })
        });
        match task.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Arc::new(AuthError::CutShort)),
            },
        }
    }

    fn as_credential(&self, session: &Session) -> std::result::Result<Option<Credential>, AuthError> {
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
    async fn acquire(&self, session: &mut Session) -> std::result::Result<Option<Credential>, AuthError> {
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
                // The header has a usual name.
                AuthError::Discovery(refusal) if refusal.delivery == Delivery::Answered => {
                    session.told = Some((Discovery::default(), true));
                }
                other => return Err(other),
            }
        }
        self.as_credential(session)
    }

    /// Another token than the one that was refused.
    async fn replace(&self, session: &mut Session) -> std::result::Result<Option<Credential>, AuthError> {
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
    async fn obtain(&self, session: &mut Session) -> std::result::Result<(), AuthError> {
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
    async fn ask(&self, server: &Server) -> std::result::Result<Token, AuthError> {
        let person = self.surroundings.person.as_ref();
        if !person.is_present() {
            return Err(AuthError::NobodyToAsk(self.connection.endpoint.clone()));
        }
        match self.connection.auth {
            Auth::DeviceFlow => device::log_in(&self.connection, server, person, &self.channel.network).await,
            _ => pkce::log_in(&self.connection, server, person).await,
        }
    }

    async fn load(&self, session: &mut Session) -> std::result::Result<(), AuthError> {
        if !session.loaded {
            if let Some((token, kept)) = self.store.load().await? {
                session.adopt(token, kept);
            }
            session.loaded = true;
        }
        Ok(())
    }

    /// Takes over what another program has put into the store since, if it is of use.
    async fn adopt_other(&self, session: &mut Session) -> std::result::Result<bool, AuthError> {
        let Some((token, kept)) = self.store.load().await? else { return Ok(false) };
        let is_new = session.token.as_ref().is_none_or(|old| !old.is(&token));
        if is_new && !token.access.secret().is_empty() && token.is_fresh(Timestamp::now()) {
            session.adopt(token, kept);
            return Ok(true);
        }
        Ok(false)
    }

    /// How the server wants to be logged in to; `now`: not from an earlier run.
    async fn told(&self, session: &mut Session, now: bool) -> std::result::Result<Discovery, AuthError> {
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

/// A control plane without its scheme, as the published SDK names it in the keyring.
fn service(base: &Uri) -> String {
    let authority = base.authority().map_or("", http::uri::Authority::as_str);
    format!("{authority}{}", base.path().trim_end_matches('/'))
}
