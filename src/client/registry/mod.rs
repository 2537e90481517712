//! Registries, asked whether they still have an image, and nothing else.
//!
//! Whatever is asked or proved goes to the registry alone, and to the server it gets its tokens from. No error and no
//! log shows a password or a token.

mod auth_file;
mod body;
mod challenge;
mod credentials;
mod helper;
mod reference;
mod token;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use reqwest::Response;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::endpoint::is_loopback;
use super::network::{Network, Timeouts, place};
use super::trouble::Trouble;
use crate::model::target::Connection;
use crate::port::{Registry, Resolves};
use body::read_at_most;
use challenge::Challenge;
use credentials::{Credentials, Keys, Proof};
use reference::{Reference, is_digest};
use token::{Wanted, basic, header, refused};

/// The longest that an answer is waited for, with its log-in.
const DEADLINE: Duration = Duration::from_secs(5);
/// Until a connection is there.
const CONNECT: Duration = Duration::from_secs(3);
/// What manifests come as; a registry answers for no other kind. Sources: the image specifications of OCI and of Docker.
const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";
/// The longest manifest, in bytes: 4 MiB. Source: the distribution specification of OCI.
const MAX_MANIFEST: usize = 4 << 20;
/// The longest error that is read, in bytes: 64 KiB.
const MAX_ERROR: usize = 64 << 10;
/// How often a registry may send on. Some name the nearest of their mirrors.
const MAX_REDIRECTS: usize = 3;
/// What a registry says of an image that it does not have. The last is Harbor's. Sources: the distribution
/// specification of OCI, `goharbor/harbor`.
const MISSING: [&str; 3] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// The registries of the world, asked with the credentials of one user.
///
/// Registries on this machine are spoken to over plain HTTP, others over HTTPS. Certificates are checked against the
/// system's roots, proxies are those of the environment. An answer takes at most 5 s.
pub struct Registries {
    keys: Keys,
    network: OnceLock<Result<Network, String>>,
}

impl Registries {
    /// With what the user of this environment has logged in with, see `docs/releases.md`.
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self { keys: Keys::new(environment), network: OnceLock::new() }
    }

    /// Made when the first registry is asked: most commands ask none.
    fn network(&self) -> Result<&Network, String> {
        let make = || {
            let timeouts = Timeouts { connect: CONNECT, read: DEADLINE, write: DEADLINE };
            Network::new(&Connection::default(), timeouts).map_err(|error| error.to_string())
        };
        self.network.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    async fn ask(&self, image: &str) -> Result<Resolves, String> {
        let image = Reference::parse(image).ok_or("that is no name of an image")?;
        let address = image.manifest().ok_or("that is no name of an image")?;
        let (network, keys) = (self.network()?, &self.keys);
        let mut talk = Talk { network, keys, image, address, proof: None };
        let answer = talk.send(Method::HEAD).await?;
        match (answer.status(), digest_of(&answer)) {
            (StatusCode::OK, Some(digest)) => return Ok(Resolves::Yes(digest)),
            (status, _) if may_pass(status) => return Err(talk.refusal(status)),
            // A HEAD has no body that says what is missing, and is not understood everywhere.
            _ => {}
        }
        let answer = talk.send(Method::GET).await?;
        match answer.status() {
            StatusCode::OK => Ok(Resolves::Yes(talk.digest(answer).await?)),
            StatusCode::NOT_FOUND if says_missing(answer).await => Ok(Resolves::No),
            StatusCode::NOT_FOUND => Err(format!("{} does not say what is missing (404)", place(&talk.address))),
            status => Err(talk.refusal(status)),
        }
    }
}

#[async_trait]
impl Registry for Registries {
    async fn resolves(&self, image: &str) -> Resolves {
        let answer = match tokio::time::timeout(DEADLINE, self.ask(image)).await {
            Ok(answer) => answer.unwrap_or_else(Resolves::Unknown),
            Err(_) => Resolves::Unknown(format!("no answer within {} s", DEADLINE.as_secs())),
        };
        match &answer {
            Resolves::Unknown(why) => tracing::info!(image, why, "nobody can tell whether the image still resolves"),
            other => tracing::info!(image, answer = ?other, "image"),
        }
        answer
    }
}

/// What is said to one registry about one image.
struct Talk<'a> {
    network: &'a Network,
    keys: &'a Keys,
    image: Reference,
    /// Of the manifest.
    address: Uri,
    /// The header that proves who is asking, once the registry has asked for it, and what it was made from.
    proof: Option<(HeaderValue, Option<Credentials>)>,
}

impl Talk<'_> {
    /// A request with its answer, which is none that asks for a proof unless that was given.
    async fn send(&mut self, method: Method) -> Result<Response, String> {
        let answer = self.follow(&method).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || self.proof.is_some() {
            return Ok(answer);
        }
        // A mirror gets no credentials.
        if answer.url().as_str().parse::<Uri>().is_ok_and(|from| place(&from) != place(&self.address)) {
            return Ok(answer);
        }
        let offered = answer.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenge::choose(offered) else { return Ok(answer) };
        self.prove(challenge).await?;
        self.follow(&method).await
    }

    async fn prove(&mut self, challenge: Challenge) -> Result<(), String> {
        let credentials = self.keys.find(&self.image).await?;
        let value = match challenge {
            Challenge::Bearer { realm, service, scope } => {
                let usual = format!("repository:{}:pull", self.image.repository);
                let scope = scope.as_deref().unwrap_or(&usual);
                let wanted = Wanted { registry: &self.address, realm: &realm, service: service.as_deref(), scope };
                let token = token::fetch(self.network, &wanted, credentials.as_ref()).await?;
                header("Bearer", token.reveal())?
            }
            Challenge::Basic => match credentials.as_ref().map(|credentials| &credentials.proof) {
                Some(Proof::Password { user, password }) => basic(user, password)?,
                Some(Proof::IdentityToken(_)) => {
                    return Err(format!("{} wants a password, and there is an identity token", place(&self.address)));
                }
                None => return Err(refused(&place(&self.address), StatusCode::UNAUTHORIZED, None)),
            },
        };
        self.proof = Some((value, credentials));
        Ok(())
    }

    /// Follows redirects, without proof to another place.
    async fn follow(&self, method: &Method) -> Result<Response, String> {
        let mut address = self.address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let client = self.network.to(&address);
            let mut request = client.request(method.clone(), address.to_string()).header(ACCEPT, KINDS);
            if let Some((value, _)) = self.proof.as_ref().filter(|_| place(&address) == place(&self.address)) {
                request = request.header(AUTHORIZATION, value.clone());
            }
            let answer = request.send().await;
            let answer = answer.map_err(|error| Trouble::of(&error, &address, self.network).message)?;
            tracing::debug!(%method, at = place(&address), status = answer.status().as_u16(), "registry");
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            address = self.next(&answer).ok_or_else(|| format!("{} redirects to no usable place", place(&address)))?;
        }
        Err(format!("{} redirects more than {MAX_REDIRECTS} times", place(&self.address)))
    }

    /// Where an answer sends on to: encrypted, or on this machine where the registry is.
    fn next(&self, answer: &Response) -> Option<Uri> {
        let to = answer.headers().get(LOCATION)?.to_str().ok()?;
        let to: Url = answer.url().join(to).ok()?;
        let next: Uri = to.as_str().parse().ok()?;
        let is_near = is_loopback(&next);
        let may = if is_near { is_loopback(&self.address) } else { to.scheme() == "https" };
        (may && to.username().is_empty() && to.password().is_none()).then_some(next)
    }

    fn refusal(&self, status: StatusCode) -> String {
        let at = place(&self.address);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                refused(&at, status, self.proof.as_ref().and_then(|(_, credentials)| credentials.as_ref()))
            }
            other => format!("{at} answers {other}"),
        }
    }

    /// What the registry says, or what the manifest has.
    async fn digest(&self, answer: Response) -> Result<String, String> {
        if let Some(digest) = digest_of(&answer).or_else(|| self.image.digest().map(str::to_owned)) {
            return Ok(digest);
        }
        let manifest = read_at_most(answer, MAX_MANIFEST).await;
        let manifest = manifest.ok_or_else(|| format!("{} gives no whole manifest", place(&self.address)))?;
        let hex: String = Sha256::digest(&manifest).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("sha256:{hex}"))
    }
}

/// Whether another answer may come another time, so that this one says nothing about the image.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 429 | 500 | 502..=599)
}

fn digest_of(answer: &Response) -> Option<String> {
    let text = answer.headers().get("docker-content-digest")?.to_str().ok()?;
    is_digest(text).then(|| text.to_owned())
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// Whether an error is a registry's own word that it has no such image.
async fn says_missing(answer: Response) -> bool {
    let text = read_at_most(answer, MAX_ERROR).await.unwrap_or_default();
    serde_json::from_slice::<Errors>(&text)
        .is_ok_and(|told| told.errors.iter().any(|error| MISSING.contains(&error.code.as_str())))
}
