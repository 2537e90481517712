//! The keyring of the system, each operation within a time: without a session it may hang, or wait for a password.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyring::Entry;
use keyring::v1::Error;
use tokio::sync::oneshot;

/// The keyring was of no use once, and is not asked again by this process.
static USELESS: AtomicBool = AtomicBool::new(false);

/// How long an operation may take: a person may have to type a password.
fn patience(person_is_present: bool) -> Duration {
    Duration::from_secs(if person_is_present { 30 } else { 3 })
}

/// The keyring cannot be used here; why is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Useless;

/// One entry: a service and an account.
#[derive(Debug, Clone)]
pub struct Slot {
    pub service: String,
    pub account: String,
    /// Whether somebody may unlock it.
    pub person_is_present: bool,
}

impl Slot {
    /// `None` where nothing is kept under this name.
    pub async fn get(&self) -> Result<Option<String>, Useless> {
        self.run(|slot| match entry(&slot)?.get_password() {
            Ok(text) => Ok(Some(text)),
            Err(Error::NoEntry) => Ok(None),
            // Two programs have each made one: either is as good.
            Err(Error::Ambiguous(entries)) => entries.first().map(|entry| entry.get_password()).transpose(),
            Err(error) => Err(error),
        })
        .await
    }

    pub async fn set(&self, text: String) -> Result<(), Useless> {
        self.run(move |slot| match entry(&slot)?.set_password(&text) {
            // Whoever reads either finds the same.
            Err(Error::Ambiguous(entries)) => entries.iter().try_for_each(|entry| entry.set_password(&text)),
            other => other,
        })
        .await
    }

    /// Whether there was one.
    pub async fn delete(&self) -> Result<bool, Useless> {
        self.run(|slot| match entry(&slot)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(Error::Ambiguous(entries)) => {
                entries.iter().try_for_each(|entry| entry.delete_credential()).map(|()| true)
            }
            Err(error) => Err(error),
        })
        .await
    }

    /// On a thread of its own: one that hangs is left behind, and holds up neither the runtime nor its end.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Useless> {
        if USELESS.load(Ordering::Relaxed) {
            return Err(Useless);
        }
        let slot = self.clone();
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name("keyring".to_owned());
        let started = thread.spawn(move || sender.send(work(slot)).is_ok());
        let why = match started {
            Err(error) => error.to_string(),
            Ok(_) => match tokio::time::timeout(patience(self.person_is_present), receiver).await {
                Ok(Ok(Ok(done))) => return Ok(done),
                Ok(Ok(Err(error))) => reason(&error),
                Ok(Err(_)) => "it ended without an answer".to_owned(),
                Err(_) => "it does not answer".to_owned(),
            },
        };
        tracing::debug!("the keyring is not used: {why}");
        USELESS.store(true, Ordering::Relaxed);
        Err(Useless)
    }
}

fn entry(slot: &Slot) -> Result<Entry, Error> {
    Entry::new(&slot.service, &slot.account)
}

/// Errors about an entry may hold what is in it.
fn reason(error: &Error) -> String {
    match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what is kept is no text".to_owned(),
        Error::NoDefaultStore => match Entry::store_status() {
            Err(error) => error.to_string(),
            Ok(()) => "there is none".to_owned(),
        },
        other => other.to_string(),
    }
}
