//! The file in which docker and podman keep credentials.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use super::credentials::{Hidden, Proof};
use super::reference::{DOCKER_HUB, Reference, canonical};

/// By this name helpers know Docker Hub. Source: `docker/cli`.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// `auth.json` and `config.json`; other keys of the latter do not matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthFile {
    auths: Option<BTreeMap<String, Kept>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kept {
    /// base64 of `user:password`
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a file has for an image.
pub enum Entry {
    Kept(Proof),
    /// There is something, which is not in the form that it should have.
    Unreadable,
    /// A program knows, or not: `docker-credential-<name>`, and what to ask it for.
    Helper {
        name: String,
        server: String,
    },
}

impl AuthFile {
    /// # Errors
    /// It is no JSON, or of another form. The text of the error may show a value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What is kept for the repository or a path above it, then the helper of the registry, then what is kept for the
    /// registry, then the helper for all. Sources: containers-auth.json(5), `docker/cli`.
    pub fn entry(&self, image: &Reference) -> Option<Entry> {
        let registry = image.registry.as_str();
        let mut path = image.repository.as_str();
        loop {
            if let Some(entry) = self.kept(&format!("{registry}/{path}")) {
                return Some(entry);
            }
            let Some((above, _)) = path.rsplit_once('/') else { break };
            path = above;
        }
        let server = if registry == DOCKER_HUB { HUB_KEY } else { registry };
        let helper = |name: &String| Entry::Helper { name: name.clone(), server: server.to_owned() };
        let mut of_registries = self.cred_helpers.iter().flatten();
        let of_registry = of_registries.find(|(key, name)| key_of(key) == registry && !name.is_empty());
        let of_registry = of_registry.map(|(_, name)| helper(name));
        let of_all = || self.creds_store.as_ref().filter(|name| !name.is_empty()).map(helper);
        of_registry.or_else(|| self.kept(registry)).or_else(of_all)
    }

    fn kept(&self, key: &str) -> Option<Entry> {
        self.auths.iter().flatten().filter(|(known, _)| key_of(known) == key).find_map(|(_, kept)| kept.entry())
    }
}

impl Kept {
    /// `None` where nothing is kept, as beside a helper.
    fn entry(&self) -> Option<Entry> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Some(Entry::Kept(Proof::IdentityToken(Hidden::new(token))));
        }
        let (user, password) = match (given(&self.auth), given(&self.username), given(&self.password)) {
            (Some(auth), _, _) => match decode(&auth) {
                Some(pair) => pair,
                None => return Some(Entry::Unreadable),
            },
            (None, Some(user), Some(password)) => (user, password),
            _ => return None,
        };
        Some(Entry::Kept(Proof::Password { user, password: Hidden::new(password) }))
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    // Docker has ended passwords with a zero byte.
    let (user, password) = text.trim_end_matches('\0').split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// A key without scheme and version of the protocol, with one name for each registry: `ghcr.io`, `quay.io/acme`.
fn key_of(written: &str) -> String {
    let bare = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://")).unwrap_or(written);
    let bare = bare.trim_end_matches('/');
    match bare.split_once('/') {
        None | Some((_, "v1" | "v2")) => canonical(bare.split('/').next().unwrap_or_default()),
        Some((registry, path)) => format!("{}/{path}", canonical(registry)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, image: &str, expected: &str) {
        let told = match AuthFile::parse(file).unwrap().entry(&Reference::parse(image).unwrap()) {
            None => "none".to_owned(),
            Some(Entry::Unreadable) => "unreadable".to_owned(),
            Some(Entry::Helper { name, server }) => format!("{name} for {server}"),
            Some(Entry::Kept(Proof::IdentityToken(token))) => format!("token {}", token.reveal()),
            Some(Entry::Kept(Proof::Password { user, password })) => format!("{user}:{}", password.reveal()),
        };
        assert_eq!(told, expected, "{image} in {file}");
    }

    #[test]
    fn the_most_precise_entry_counts() {
        // `a:b`, `c:d:e`
        let file = r#"{"auths": {"quay.io": {"auth": "YTpi"}, "quay.io/acme": {"auth": "YzpkOmU="}}}"#;
        check(file, "quay.io/acme/web:1", "c:d:e");
        check(file, "quay.io/acme/deep/web", "c:d:e");
        check(file, "quay.io/acmes/web", "a:b");
        check(file, "ghcr.io/acme/web", "none");
        let file = r#"{"auths": {"quay.io/acme": {"auth": "YTpi"}, "ghcr.io": {}},
            "credHelpers": {"quay.io": "quay", "ghcr.io": "gh"}, "credsStore": "all", "HttpHeaders": {"a": "b"}}"#;
        check(file, "quay.io/acme/web", "a:b");
        check(file, "quay.io/other/web", "quay for quay.io");
        check(file, "ghcr.io/acme/web", "gh for ghcr.io");
        check(file, "python", "all for https://index.docker.io/v1/");
        check(r#"{"auths": {"ghcr.io": {}}, "credsStore": "all"}"#, "ghcr.io/acme/web", "all for ghcr.io");
        check(r#"{"auths": {"ghcr.io": {"auth": "YTpi"}}, "credsStore": "all"}"#, "ghcr.io/acme/web", "a:b");
        check(r#"{"auths": null, "credsStore": ""}"#, "python", "none");
    }

    #[test]
    fn forms() {
        for key in ["docker.io", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"] {
            check(&format!("{{\"auths\": {{\"{key}\": {{\"auth\": \"YTpi\"}}}}}}"), "acme/web", "a:b");
        }
        for key in ["http://localhost:5000/v2/", "localhost:5000", "LOCALHOST:5000/"] {
            check(&format!("{{\"auths\": {{\"{key}\": {{\"auth\": \"YTpi\"}}}}}}"), "localhost:5000/web", "a:b");
        }
        let one = |entry: &str, expected: &str| {
            check(&format!("{{\"auths\": {{\"ghcr.io\": {entry}}}}}"), "ghcr.io/acme/web", expected);
        };
        one(r#"{"username": "a", "password": "b"}"#, "a:b");
        one(r#"{"auth": "YTpi", "identitytoken": "t", "email": "x"}"#, "token t");
        one(r#"{"auth": "YTpiAAA"}"#, "a:b");
        one(r#"{"auth": "YWI="}"#, "unreadable");
        one(r#"{"auth": "!"}"#, "unreadable");
        one(r#"{"auth": "", "username": "a"}"#, "none");
    }
}
