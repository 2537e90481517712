//! The name of an image, taken apart.

use http::Uri;

use crate::client::endpoint::is_loopback;

/// What is meant where no registry is named. Source: `distribution/reference`.
pub const DOCKER_HUB: &str = "docker.io";
/// The names that Docker Hub goes by.
const HUB_NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];
/// Where Docker Hub answers.
const HUB_HOST: &str = "registry-1.docker.io";

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `ghcr.io`, `localhost:5000`; `docker.io` under each of its names.
    pub registry: String,
    /// `acme/web`
    pub repository: String,
    /// A tag or a digest: what is asked for.
    pub version: String,
}

impl Reference {
    /// `None` for what is no name of an image. Source: `distribution/reference`, docs/references.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (DOCKER_HUB, name),
        };
        let registry = canonical(registry);
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let is_official = registry == DOCKER_HUB && !path.contains('/');
        let repository = if is_official { format!("library/{path}") } else { path.to_owned() };
        let is_well_formed = is_host(&registry)
            && repository.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        let version = digest.or(tag).unwrap_or("latest").to_owned();
        is_well_formed.then_some(Self { registry, repository, version })
    }

    /// The digest that it is named by.
    pub fn digest(&self) -> Option<&str> {
        Some(self.version.as_str()).filter(|version| version.contains(':'))
    }

    /// Where its manifest is: over plain HTTP on this machine, and nowhere else.
    pub fn manifest(&self) -> Option<Uri> {
        let host = if self.registry == DOCKER_HUB { HUB_HOST } else { &self.registry };
        let at = |scheme: &str| format!("{scheme}://{host}/v2/{}/manifests/{}", self.repository, self.version).parse();
        let secure: Uri = at("https").ok()?;
        if is_loopback(&secure) { at("http").ok() } else { Some(secure) }
    }
}

/// One name for each registry.
pub fn canonical(registry: &str) -> String {
    let name = registry.to_ascii_lowercase();
    if HUB_NAMES.contains(&name.as_str()) { DOCKER_HUB.to_owned() } else { name }
}

fn is_host(text: &str) -> bool {
    text.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.host().is_empty())
}

fn is_component(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(ends) && text.ends_with(ends) && text.chars().all(known)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || ".-".contains(c))
}

/// Whether this is a digest: `sha256:…`.
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let known = |c: char| c.is_ascii_alphanumeric() || "+._-".contains(c);
    let is_named = algorithm.starts_with(|c: char| c.is_ascii_alphabetic()) && algorithm.chars().all(known);
    is_named && (32..=256).contains(&hex.len()) && hex.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, expected: &str| {
            let address = Reference::parse(text).and_then(|reference| reference.manifest());
            assert_eq!(address.map_or("none".to_owned(), |address| address.to_string()), expected, "{text}");
        };
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        check("python", "https://registry-1.docker.io/v2/library/python/manifests/latest");
        check("python:3.12-slim", "https://registry-1.docker.io/v2/library/python/manifests/3.12-slim");
        check("acme/web:1", "https://registry-1.docker.io/v2/acme/web/manifests/1");
        check("docker.io/acme/web", "https://registry-1.docker.io/v2/acme/web/manifests/latest");
        check("index.docker.io/library/web:1", "https://registry-1.docker.io/v2/library/web/manifests/1");
        check("GHCR.io/acme/web:1.4", "https://ghcr.io/v2/acme/web/manifests/1.4");
        check("ghcr.io/acme/a/b_c/d.e:V1_x", "https://ghcr.io/v2/acme/a/b_c/d.e/manifests/V1_x");
        check("registry.example.com:5000/web", "https://registry.example.com:5000/v2/web/manifests/latest");
        check("localhost:5000/web:2", "http://localhost:5000/v2/web/manifests/2");
        check("localhost/web", "http://localhost/v2/web/manifests/latest");
        check("127.0.0.1:5000/a/web", "http://127.0.0.1:5000/v2/a/web/manifests/latest");
        check("[::1]:5000/web", "http://[::1]:5000/v2/web/manifests/latest");
        check("localhost.example.com/web", "https://localhost.example.com/v2/web/manifests/latest");
        check(&format!("ghcr.io/acme/web@{digest}"), &format!("https://ghcr.io/v2/acme/web/manifests/{digest}"));
        check(&format!("ghcr.io/acme/web:1@{digest}"), &format!("https://ghcr.io/v2/acme/web/manifests/{digest}"));
        check(&format!("web@{digest}"), &format!("https://registry-1.docker.io/v2/library/web/manifests/{digest}"));
        for wrong in [
            "",
            "Acme/web",
            "acme//web",
            "acme/../web",
            "acme/web:",
            "acme/web:a b",
            "acme/web@sha256:12",
            "user@ghcr.io/acme/web",
            "ghcr.io/acme/web?x=1",
            "https://ghcr.io/acme/web",
            "ghcr.io/",
            "${image}",
        ] {
            check(wrong, "none");
        }
    }
}
