//! The log-in at one control plane: one token at a time, shared by all calls of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::discovery::{Discovery, Memory};
use super::error::AuthError;
use super::explain::{self, Reason};
use super::store::{Forgotten, Kept, Store};
use super::surroundings::Surroundings;
use super::token::Token;
use crate::client::endpoint::is_loopback;
use crate::client::text::never_show;
use crate::client::transport::Channel;
use crate::model::target::{Auth, Connection};

/// For how long a failure is the answer to all who ask: calls that run at once ask a person once.
const SHARED_FAILURE: Duration = Duration::from_secs(10);

/// What goes with a call. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Credential {
    pub header: HeaderName,
    pub value: HeaderValue,
    /// Which of the tokens of this process it is.
    pub(super) generation: u64,
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
    pub(super) connection: Connection,
    /// Without credentials.
    pub(super) channel: Channel,
    pub(super) surroundings: Surroundings,
    pub(super) store: Store,
    pub(super) memory: Memory,
    session: Arc<Mutex<Session>>,
}

/// What is known of the log-in.
#[derive(Debug)]
pub struct Session {
    /// With whether it was asked in this run.
    pub told: Option<(Discovery, bool)>,
    pub token: Option<Token>,
    kept: Kept,
    /// Counts the tokens of this process; 0 before the first.
    pub generation: u64,
    /// Whether the store was looked into.
    pub loaded: bool,
    failure: Option<(Instant, Arc<AuthError>)>,
}

impl Session {
    pub fn adopt(&mut self, token: Token, kept: Kept) {
        // A variable may hold the scheme too.
        let access = token.access.secret();
        never_show(access.split_once(' ').map_or(access.as_str(), |(_, bare)| bare));
        if let Some(refresh) = &token.refresh {
            never_show(refresh.secret());
        }
        self.token = Some(token);
        self.kept = kept;
        self.generation += 1;
        self.failure = None;
    }

    /// A token that can be sent as it is.
    pub fn fresh(&self) -> Option<&Token> {
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
    /// [`AuthError::KeyringShut`], [`AuthError::Store`]
    pub async fn log_out(&self) -> Result<Forgotten> {
        let mut session = self.session.lock().await;
        session.token = None;
        // What is kept for this address is another target's.
        if matches!(self.connection.auth, Auth::None | Auth::Command { .. } | Auth::Passthrough { .. }) {
            return Ok(Forgotten::default());
        }
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
}

/// A control plane without its scheme, as the published SDK names it in the keyring.
fn service(base: &Uri) -> String {
    let authority = base.authority().map_or("", http::uri::Authority::as_str);
    format!("{authority}{}", base.path().trim_end_matches('/'))
}
