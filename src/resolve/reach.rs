//! The way to a control plane as settings: each part with what set it, secrets as the places they lie in.

use std::collections::BTreeMap;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::choose::Chosen;
use super::{Origin, Setting};
use crate::config::{Part, Sourced};
use crate::manifest::Value;
use crate::model::sensitive::{holds_credential, is_sensitive_name};
use crate::model::target::{self, AuthKind, SecretSource};

/// What is shown in place of what may be a secret.
const COVER: &str = "***";

/// None for the embedded control plane.
pub fn settings(chosen: &Chosen, environment: &BTreeMap<String, String>) -> Vec<Setting> {
    let parts = &chosen.parts;
    if parts.endpoint.is_none() {
        return Vec::new();
    }
    let mut list = List { prefix: format!("target.{}.", chosen.target.name), settings: Vec::new() };
    list.add("endpoint", &parts.endpoint, |endpoint| text(endpoint));
    list.add_or("insecure", &parts.insecure, false, |value| Value::Boolean(*value));
    list.add_or("insecure_skip_verify", &parts.insecure_skip_verify, false, |value| Value::Boolean(*value));
    list.add("ca_file", &parts.ca_file, |path| text(&path.display().to_string()));
    let host = parts.endpoint.as_ref().map_or("", |endpoint| target::host(&endpoint.value));
    let proxy = parts.proxy.clone().or_else(|| proxy_of_environment(host, parts.is_plain(), environment));
    list.add("proxy", &proxy, |proxy| text(&without_password(proxy)));
    list.add_or("auth.kind", &parts.kind, parts.auth_kind(), |kind| text(kind.word()));
    match parts.auth_kind() {
        AuthKind::ClientCredentials => {
            list.add("auth.client_id", &parts.client_id, |id| text(id));
            list.add(secret_key(&parts.secret), &parts.secret, |secret| match secret {
                SecretSource::Variable(name) | SecretSource::ApiKey(name) => text(name),
                SecretSource::File(path) => text(&path.display().to_string()),
            });
        }
        AuthKind::Command => list.add("auth.command", &parts.command, |words| texts(&covered(words))),
        AuthKind::Passthrough => list.add("auth.variable", &parts.variable, |name| text(name)),
        AuthKind::None | AuthKind::Pkce | AuthKind::Device => {}
    }
    if parts.auth_kind() != AuthKind::None {
        list.add_or("auth.scopes", &parts.scopes, Vec::new(), |scopes| texts(scopes));
        list.add_or("auth.keep_tokens", &parts.keep_tokens, true, |value| Value::Boolean(*value));
    }
    list.settings
}

struct List {
    prefix: String,
    settings: Vec<Setting>,
}

impl List {
    fn add<T>(&mut self, key: &str, part: &Part<T, Origin>, show: impl Fn(&T) -> Value) {
        if let Some(Sourced { value, origin }) = part {
            let key = format!("{}{key}", self.prefix);
            self.settings.push(Setting::new(key, show(value), origin.clone()));
        }
    }

    fn add_or<T: Clone>(&mut self, key: &str, part: &Part<T, Origin>, usual: T, show: impl Fn(&T) -> Value) {
        let part = part.clone().unwrap_or(Sourced::new(usual, Origin::Default));
        self.add(key, &Some(part), show);
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn texts(list: &[String]) -> Value {
    Value::list(list.iter().map(|one| text(one)))
}

fn secret_key(secret: &Part<SecretSource, Origin>) -> &'static str {
    match secret.as_ref().map(|secret| &secret.value) {
        Some(SecretSource::File(_)) => "auth.secret_file",
        Some(SecretSource::ApiKey(_)) => "auth.api_key_env",
        _ => "auth.secret_env",
    }
}

/// The proxy that the client takes from the environment: none to this machine, and none where `NO_PROXY` names the host.
fn proxy_of_environment(host: &str, is_plain: bool, environment: &BTreeMap<String, String>) -> Part<String, Origin> {
    let scheme = if is_plain { "http" } else { "https" };
    let own = if is_plain { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    // The first of two that is there counts, even if it is empty.
    let first = |names: [&'static str; 2]| {
        let set = names.into_iter().find_map(|name| Some((name, environment.get(name)?)));
        set.filter(|(_, value)| !value.is_empty())
    };
    let (name, value) = first(own).or_else(|| first(["ALL_PROXY", "all_proxy"]))?;
    let no = first(["NO_PROXY", "no_proxy"]).map_or("", |(_, value)| value);
    let rules = Matcher::builder().all(value.as_str()).no(no).build();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let address: Uri = format!("{scheme}://{host}").parse().ok()?;
    let is_used = !target::is_loopback(host.trim_matches(['[', ']'])) && rules.intercept(&address).is_some();
    is_used.then(|| Sourced::new(value.clone(), Origin::Variable(name.to_owned())))
}

/// A URL whose password is covered.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user.to_owned(), |(user, _)| format!("{user}:{COVER}"));
            format!("{scheme}{user}@{host}{}", &rest[end..])
        }
        None => url.to_owned(),
    }
}

/// A command line whose words that may be secrets are covered: by their look, or by the option before them.
fn covered(words: &[String]) -> Vec<String> {
    let mut after_option = false;
    let cover = |word: &String| {
        let is_after = std::mem::replace(&mut after_option, false);
        let is_option = word.starts_with('-');
        match word.split_once('=') {
            Some((name, _)) if is_sensitive_name(name) => format!("{name}={COVER}"),
            _ if holds_credential(word) || (is_after && !is_option) => COVER.to_owned(),
            _ => {
                after_option = is_option && is_sensitive_name(word);
                word.clone()
            }
        }
    };
    words.iter().map(cover).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_told_where_it_is_used() {
        let check = |host: &str, is_plain: bool, variables: &[(&str, &str)], expected: Option<&str>| {
            let set = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let proxy = proxy_of_environment(host, is_plain, &set);
            assert_eq!(proxy.as_ref().map(|proxy| proxy.value.as_str()), expected, "{host} {variables:?}");
        };
        let both = [("HTTP_PROXY", "http://p:1"), ("HTTPS_PROXY", "http://p:2")];
        check("h.example.com", true, &both, Some("http://p:1"));
        check("h.example.com", false, &both, Some("http://p:2"));
        check("h.example.com", false, &[("all_proxy", "socks5://p:3")], Some("socks5://p:3"));
        check("h.example.com", false, &[("HTTPS_PROXY", ""), ("https_proxy", "http://p:2")], None);
        for host in ["localhost", "127.0.0.1", "::1"] {
            check(host, true, &both, None);
        }
        let no = |no: &'static str| [both[0], both[1], ("NO_PROXY", no)];
        check("h.example.com", false, &no("other.com, .example.com"), None);
        check("10.1.2.3", false, &no("10.0.0.0/8"), None);
        check("h.example.com", false, &no("*"), None);
        check("h.example.com", false, &no("other.com"), Some("http://p:2"));
    }

    #[test]
    fn secrets_are_covered() {
        let check = |url: &str, expected: &str| assert_eq!(without_password(url), expected);
        check("http://me:canary@proxy:3128/x", "http://me:***@proxy:3128/x");
        check("me:canary@proxy", "me:***@proxy");
        check("http://proxy:3128", "http://proxy:3128");
        check("http://p/a@b:c", "http://p/a@b:c");
        let line = |words: &[&str]| covered(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(line(&["x", "--token", "canary", "--audience", "y"]), ["x", "--token", "***", "--audience", "y"]);
        assert_eq!(line(&["x", "--api-key=canary", "ghp_canary0123456789"]), ["x", "--api-key=***", "***"]);
        assert_eq!(line(&["get-token", "--flush-token", "-v"]), ["get-token", "--flush-token", "-v"]);
    }
}
