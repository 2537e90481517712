//! The values: a variable beats the file, key by key, and the API key beats both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::finding::Finding;
use super::yaml::{Node, Value};
use super::{API_KEY, Config, Directories, Origin, Part, Parts, Sourced, keys};
use crate::diagnostic::{codes, did_you_mean};
use crate::model::ApiKey;
use crate::model::target::{AuthKind, SecretSource};

/// The SDK's names of the ways to log in.
const AUTH_TYPES: [(&str, AuthKind); 5] = [
    ("Pkce", AuthKind::Pkce),
    ("ClientSecret", AuthKind::ClientCredentials),
    ("DeviceFlow", AuthKind::Device),
    ("ExternalCommand", AuthKind::Command),
    ("Passthrough", AuthKind::Passthrough),
];

/// The SDK's name of a way to log in; the manifest's where it has none.
pub fn auth_type(kind: AuthKind) -> &'static str {
    AUTH_TYPES.iter().find(|(_, known)| *known == kind).map_or(kind.word(), |(name, _)| name)
}

/// Reads every key. No `environment`: variables do not count.
pub fn read(
    tree: Option<&Node>,
    environment: Option<&BTreeMap<String, String>>,
    directories: &Directories,
    config: &mut Config,
) {
    let mut reader =
        Reader { tree, environment, directories, findings: Vec::new(), notes: Vec::new(), without_file: Vec::new() };
    let (client_id, secret, is_found) = reader.client();
    let kind = reader.auth_type();
    config.parts = Parts {
        endpoint: reader.text("admin.endpoint"),
        insecure: reader.boolean("admin.insecure"),
        insecure_skip_verify: reader.boolean("admin.insecureSkipVerify"),
        ca_file: reader.path("admin.caCertFilePath"),
        proxy: reader.text("admin.httpProxyURL"),
        kind: reader.kind(kind, secret.as_ref().filter(|_| is_found)),
        client_id,
        secret,
        command: reader.list("admin.command", words),
        variable: None,
        scopes: reader.list("admin.scopes", split),
        keep_tokens: reader.boolean("admin.disableKeyring").map(|disable| disable.map(|disable| !disable)),
        org: reader.text("task.org"),
    };
    config.project = reader.text("task.project");
    config.domain = reader.text("task.domain");
    config.images = reader.texts("image.image_refs");
    if reader.list("admin.proxyCommand", words).is_some() {
        reader.note("admin.proxyCommand is not used; with the SDK 2.12.1 no call succeeds that has it");
    }
    reader.api_key(&mut config.parts);
    if config.file.is_none() && !reader.without_file.is_empty() {
        let names = reader.without_file.join(", ");
        let verb = if reader.without_file.len() == 1 { "counts" } else { "count" };
        reader.note(format!("{names} {verb} without a configuration file; the SDK reads variables only beside one"));
    }
    config.findings.append(&mut reader.findings);
    config.notes.append(&mut reader.notes);
}

struct Reader<'a> {
    tree: Option<&'a Node>,
    environment: Option<&'a BTreeMap<String, String>>,
    directories: &'a Directories,
    findings: Vec<Finding>,
    notes: Vec<String>,
    /// Variables that set something.
    without_file: Vec<String>,
}

/// A value as it is found.
enum Found<'a> {
    Node(&'a Node),
    Text(&'a str),
}

impl<'a> Reader<'a> {
    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// What sets a key: a variable, else the file.
    fn look(&mut self, key: &'static str) -> Option<(Found<'a>, Origin)> {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        let node = self.tree.and_then(|tree| tree.get(section)?.get(name)).filter(|node| !is_nothing(node));
        if let Some(environment) = self.environment {
            let names = keys::variables(key);
            let mut set = names.iter().filter_map(|name| Some((name, environment.get(name)?)));
            let first = set.by_ref().find(|(name, value)| {
                let is_empty = value.trim().is_empty();
                if is_empty && node.is_some() {
                    self.notes.push(format!(
                        "{name} is empty and counts as not set; the SDK takes it for `{key}` and forgets what the file says"
                    ));
                }
                !is_empty
            });
            if let Some((name, value)) = first {
                if let Some((other, _)) = set.find(|(_, other)| *other != value) {
                    self.notes.push(format!("{name} and {other} differ: {name} counts, as in the SDK"));
                }
                self.without_file.push(name.clone());
                return Some((Found::Text(value), Origin::Variable(name.clone())));
            }
        }
        let node = node?;
        Some((Found::Node(node), Origin::File { key, range: node.range.clone() }))
    }

    fn text(&mut self, key: &'static str) -> Part<String, Origin> {
        let (found, origin) = self.look(key)?;
        match found {
            Found::Text(text) => Some(Sourced::new(text.to_owned(), origin)),
            Found::Node(node) => match node.text() {
                Some(text) => Some(Sourced::new(text, origin)),
                None => self.wrong(key, node, "a text"),
            },
        }
    }

    /// Relative to the working directory, as with the SDK.
    fn path(&mut self, key: &'static str) -> Part<PathBuf, Origin> {
        let directory = self.directories.working.clone();
        self.text(key).map(|path| path.map(|path| directory.join(path)))
    }

    fn boolean(&mut self, key: &'static str) -> Part<bool, Origin> {
        let (found, origin) = self.look(key)?;
        let text = match found {
            Found::Node(Node { value: Value::Boolean(value), .. }) => return Some(Sourced::new(*value, origin)),
            Found::Node(node) => match node.text() {
                Some(text) => text,
                None => return self.wrong(key, node, "`true` or `false`"),
            },
            Found::Text(text) => text.to_owned(),
        };
        let value = match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => {
                let what = match &origin {
                    Origin::Variable(name) => format!("{name}={}", text.trim()),
                    _ => format!("{key}: the text `{}`", text.trim()),
                };
                // YAML 1.1, which the SDK reads, knows these words without quotes.
                let is_plain_word = matches!(origin, Origin::File { .. }) && !matches!(text.trim(), "false" | "0");
                if !is_plain_word {
                    self.note(format!("{what}: read as false; the SDK reads any text as true"));
                }
                false
            }
            _ => {
                let finding = |what: String| {
                    Finding::error(
                        codes::WRONG_SETTING,
                        format!("{what} is neither true nor false"),
                        "write `true` or `false`",
                    )
                };
                self.findings.push(match &origin {
                    Origin::File { range, .. } => finding(format!("`{key}`")).label(range.clone(), "not a truth value"),
                    Origin::Variable(name) => finding(name.clone()),
                    Origin::ApiKey(name) => finding((*name).to_owned()),
                });
                return None;
            }
        };
        Some(Sourced::new(value, origin))
    }

    fn list(&mut self, key: &'static str, read: fn(&str) -> Option<Vec<String>>) -> Part<Vec<String>, Origin> {
        let (found, origin) = self.look(key)?;
        let list = match found {
            Found::Node(node @ Node { value: Value::List(nodes), .. }) => {
                match nodes.iter().map(Node::text).collect() {
                    Some(list) => Some(list),
                    None => return self.wrong(key, node, "a list of texts"),
                }
            }
            Found::Node(node) => match node.text() {
                Some(text) => array(&text).or_else(|| read(&text)),
                None => return self.wrong(key, node, "a list"),
            },
            Found::Text(text) => array(text).or_else(|| read(text)),
        };
        match list {
            Some(list) => (!list.is_empty()).then(|| Sourced::new(list, origin)),
            None => {
                let what = if let Origin::Variable(name) = &origin { name.clone() } else { format!("`{key}`") };
                self.findings.push(Finding::error(
                    codes::WRONG_SETTING,
                    format!("{what} cannot be split into words: a quote is not closed, or a backslash ends it"),
                    "close the quote, or write a JSON array: [\"uctl\", \"get-token\"]",
                ));
                None
            }
        }
    }

    /// A map of texts, which no variable can hold.
    fn texts(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        let node = self.tree.and_then(|tree| tree.get(section)?.get(name)).filter(|node| !is_nothing(node));
        let Some(node) = node else { return BTreeMap::new() };
        let texts = match &node.value {
            Value::Map(entries) => {
                entries.iter().map(|(name, _, value)| Some((name.clone(), value.text()?))).collect::<Option<_>>()
            }
            _ => None,
        };
        texts.unwrap_or_else(|| {
            self.wrong::<()>(key, node, "a text for each name");
            BTreeMap::new()
        })
    }

    /// Nothing of the value is shown: it may be a command with a token in it.
    fn wrong<T>(&mut self, key: &'static str, node: &Node, wanted: &str) -> Part<T, Origin> {
        self.findings.push(
            Finding::error(
                codes::WRONG_SETTING,
                format!("`{key}` of the configuration is {}", node.kind()),
                format!("write {wanted}"),
            )
            .label(node.range.clone(), format!("must be {wanted}"))
            .conceal(node.range.clone()),
        );
        None
    }

    /// The client, where its secret lies, and whether one is there. A variable beats a file.
    fn client(&mut self) -> (Part<String, Origin>, Part<SecretSource, Origin>, bool) {
        let client_id = self.text("admin.clientId");
        let variable = self.text("admin.clientSecretEnvVar");
        let file = self.path("admin.clientSecretLocation");
        let is_set = |name: &str| {
            self.environment.is_none_or(|environment| environment.get(name).is_some_and(|value| !value.is_empty()))
        };
        let is_found = variable.as_ref().is_some_and(|variable| is_set(&variable.value));
        if let (Some(unset), false) = (&variable, is_found) {
            let name = unset.value.clone();
            self.note(format!("the variable {name} that should hold the client's secret is not set"));
        }
        match (variable, file) {
            (Some(variable), file) if is_found || file.is_none() => {
                (client_id, Some(variable.map(SecretSource::Variable)), is_found)
            }
            (_, Some(file)) => (client_id, Some(file.map(SecretSource::File)), true),
            _ => (client_id, None, false),
        }
    }

    fn auth_type(&mut self) -> Part<AuthKind, Origin> {
        let text = self.text("admin.authType")?;
        let known = AUTH_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.value.trim()));
        if let Some((_, kind)) = known {
            return Some(text.map(|_| *kind));
        }
        let names = || AUTH_TYPES.iter().map(|(name, _)| *name);
        let help = match did_you_mean(&text.value, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{}` is no way to log in", text.value);
        let finding = Finding::error(codes::WRONG_SETTING, message, help);
        self.findings.push(match text.origin {
            Origin::File { range, .. } => finding.label(range, "not known"),
            Origin::Variable(name) => Finding { message: format!("{name}: {}", finding.message), ..finding },
            Origin::ApiKey(_) => finding,
        });
        None
    }

    /// A client secret that is there decides. Source: the SDK.
    fn kind(
        &mut self,
        said: Part<AuthKind, Origin>,
        secret: Option<&Sourced<SecretSource, Origin>>,
    ) -> Part<AuthKind, Origin> {
        let Some(secret) = secret else { return said };
        if said.as_ref().is_some_and(|said| said.value == AuthKind::ClientCredentials) {
            return said;
        }
        if said.is_some() {
            self.note("a client secret is there, so admin.authType is not used, as in the SDK");
        }
        Some(Sourced::new(AuthKind::ClientCredentials, secret.origin.clone()))
    }

    /// Takes the place of the endpoint and the credentials, and of what belongs to them.
    fn api_key(&mut self, parts: &mut Parts<Origin>) {
        let Some(text) = self.environment.and_then(|environment| environment.get(API_KEY)) else { return };
        if text.trim().is_empty() {
            return;
        }
        let key = match ApiKey::read(text) {
            Ok(key) => key,
            Err(error) => {
                self.findings.push(Finding::error(
                    codes::BAD_API_KEY,
                    format!("{API_KEY} cannot be read: {error}"),
                    "copy it again from where it was made, or unset it",
                ));
                return;
            }
        };
        if key.endpoint.contains(':') {
            self.note(format!("{API_KEY} has an endpoint with a scheme or a port, which the SDK cannot read"));
        }
        if matches!(&parts.insecure, Some(Sourced { value: true, origin: Origin::File { .. } })) {
            self.note(format!(
                "admin.insecure belongs to the endpoint of the file and is not used with {API_KEY}; the SDK would speak plain HTTP and send no credentials"
            ));
            parts.insecure = None;
        }
        let origin = Origin::ApiKey(API_KEY);
        parts.endpoint = Some(Sourced::new(key.endpoint, origin.clone()));
        parts.kind = Some(Sourced::new(AuthKind::ClientCredentials, origin.clone()));
        parts.client_id = Some(Sourced::new(key.client_id, origin.clone()));
        parts.secret = Some(Sourced::new(SecretSource::ApiKey(API_KEY.to_owned()), origin.clone()));
        if let Some(org) = key.org {
            parts.org = Some(Sourced::new(org, origin));
        }
    }
}

/// The SDK takes these for not written.
fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::List(nodes) => nodes.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Boolean(_) => false,
    }
}

fn array(text: &str) -> Option<Vec<String>> {
    let values: Vec<serde_json::Value> = serde_json::from_str(text.trim()).ok()?;
    Some(values.into_iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect())
}

/// As a shell splits.
fn words(text: &str) -> Option<Vec<String>> {
    shlex::split(text)
}

/// At commas and white space.
fn split(text: &str) -> Option<Vec<String>> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
    Some(parts.map(str::to_owned).collect())
}
