//! The way to a control plane, as a `[target.NAME]` or the SDK's configuration has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::choose::Choice;
use super::{Layer, Origin, Selection, Target};
use crate::config::{self, Part, Parts, Sourced};
use crate::diagnostic::{Diagnostic, FileId, Span, codes};
use crate::manifest::check::{Phase, check_table};
use crate::manifest::rules::targets;
use crate::manifest::{Manifest, Node, Table, address, normal};
use crate::model::target::{self, AuthKind, SecretSource};
use crate::schema::Schema;

/// How a control plane is reached, part by part.
#[derive(Debug, Clone, Default)]
pub struct Way {
    pub parts: Parts<Origin>,
    /// It is that of the SDK's configuration, whatever flags replace in it.
    pub is_sdk: bool,
    /// The file of the SDK that the target names, as it is written.
    pub file: Option<String>,
    /// What was read otherwise than the SDK reads it.
    pub notes: Vec<String>,
    /// What is wrong with the whole, where each part is right.
    pub findings: Vec<Diagnostic>,
}

/// The control plane of the SDK's configuration; flags replace parts of it, as with the SDK.
pub fn of_sdk(selection: &Selection, file: FileId) -> Way {
    let parts = selection.config.parts.clone().map_origin(|from| origin(&from, file));
    let mut way = Way { parts, is_sdk: true, notes: selection.config.notes.clone(), ..Way::default() };
    if let Some(endpoint) = &selection.endpoint {
        way.parts.endpoint = Some(Sourced::new(endpoint.clone(), Origin::Flag("--endpoint")));
    }
    if selection.insecure {
        way.parts.insecure = Some(Sourced::new(true, Origin::Flag("--insecure")));
    }
    // What the file allows its own endpoint it does not allow another.
    let elsewhere =
        way.parts.endpoint.as_ref().is_some_and(|named| matches!(named.origin, Origin::Flag(_) | Origin::ApiKey(_)));
    let of_file = |skip: &mut Sourced<bool, Origin>| skip.value && matches!(skip.origin, Origin::Config { .. });
    if elsewhere && way.parts.insecure_skip_verify.take_if(of_file).is_some() {
        way.notes.push(
            "`insecureSkipVerify` of the file is for the endpoint of the file: the certificate of this one is checked; the \
             SDK would not check it"
                .to_owned(),
        );
    }
    way.settle();
    way
}

/// A table of the manifest, over the file that it names. Variables are filled in.
pub fn of_table(manifest: &Manifest, table: &Table, selection: &Selection) -> Way {
    let mut way = Way::default();
    if let Some((path, (file, config))) = table.text("config").and_then(|path| manifest.configs.get_key_value(path)) {
        way.parts = config.parts.clone().map_origin(|from| origin(&from, *file));
        way.notes.clone_from(&config.notes);
        way.file = Some(path.clone());
    }
    let written = written(table, &manifest.root, &selection.environment);
    if written.endpoint.is_some() {
        // What the file allows its own endpoint it does not allow another.
        way.parts.insecure = None;
        way.parts.insecure_skip_verify = None;
    }
    way.parts = written.over(way.parts);
    if selection.insecure {
        way.parts.insecure = Some(Sourced::new(true, Origin::Flag("--insecure")));
        way.parts.kind = Some(Sourced::new(AuthKind::None, Origin::Flag("--insecure")));
    }
    way.settle();
    way
}

impl Way {
    /// Where the SDK's rules about plain HTTP are traps, what is meant. To be called with all parts in place: a trap
    /// may be made of a part of the file and one of the table.
    fn settle(&mut self) {
        self.leave_user_out();
        let parts = &mut self.parts;
        let endpoint = parts.endpoint.as_ref().map_or("", |endpoint| endpoint.value.as_str());
        let is_of_sdk = |origin: &Origin| !matches!(origin, Origin::Text { .. });
        if target::says_tls(endpoint)
            && let Some(insecure) = parts.insecure.take_if(|insecure| insecure.value)
        {
            if let Origin::Flag(flag) = insecure.origin {
                self.findings.push(
                    Diagnostic::error(
                        codes::INVALID_VALUE,
                        format!("{flag} asks for plain HTTP, and the endpoint says https://"),
                    )
                    .help(format!("leave {flag} out, or name the control plane by an address with `http://`")),
                );
            } else {
                self.notes.push(
                    "the endpoint says https://, so `insecure` does not count; the SDK would use plain HTTP".to_owned(),
                );
            }
        }
        let is_insecure = parts.insecure.as_ref().is_some_and(|insecure| insecure.value);
        let is_as_sdk = parts.endpoint.as_ref().is_some_and(|endpoint| is_of_sdk(&endpoint.origin));
        if endpoint.starts_with("http://") && !is_insecure && is_as_sdk {
            let note = "the endpoint says http:// and is spoken to in plain HTTP; the SDK would use https";
            self.notes.push(note.to_owned());
        }
        if let (Some(Sourced { value: true, origin }), Some(kind)) = (&parts.insecure, &mut parts.kind)
            && kind.value != AuthKind::None
            && is_of_sdk(&kind.origin)
        {
            self.notes.push(format!(
                "`insecure` is set: nothing is sent to prove who is calling, as with the SDK, although `{}` is configured",
                config::auth_type(kind.value)
            ));
            *kind = Sourced::new(AuthKind::None, origin.clone());
        }
        let finding = self.in_the_clear();
        self.findings.extend(finding);
    }

    /// A user in an endpoint is never used, and what stands beside it may be a password: nobody gets to see either.
    fn leave_user_out(&mut self) {
        let Some(endpoint) = &mut self.parts.endpoint else { return };
        let Some(bare) = target::without_user(&endpoint.value) else { return };
        endpoint.value = bare;
        let found = |what: &str| format!("{what} has {}", address::USER);
        let ignored = |what: &str| {
            let help = "nothing of it is used; take it out of the address";
            Diagnostic::warning(codes::LITERAL_SECRET, found(what)).help(help)
        };
        let finding = match &endpoint.origin {
            Origin::Flag(flag) => Diagnostic::error(codes::LITERAL_SECRET, found(flag)).help(address::WITHOUT_USER),
            Origin::Config { span, key } => ignored(key).label(*span, "not used").conceal(*span),
            Origin::Variable(name) => ignored(name),
            Origin::ApiKey(name) => ignored(name),
            // The checks told of it.
            Origin::Text { .. } | Origin::Default | Origin::Guessed => return,
        };
        self.findings.push(finding);
    }

    /// Credentials of the table over a file that asks for plain HTTP. What a table says alone is told by the rules.
    fn in_the_clear(&self) -> Option<Diagnostic> {
        let (endpoint, kind) = (self.parts.endpoint.as_ref()?, self.parts.kind.as_ref()?);
        let host = target::host(&endpoint.value);
        if self.is_sdk || kind.value == AuthKind::None || target::is_loopback(host) || !self.parts.is_plain() {
            return None;
        }
        let insecure = self.parts.insecure.as_ref().filter(|insecure| insecure.value);
        let plain = insecure.map_or(&endpoint.origin, |insecure| &insecure.origin);
        let is_of_table = |origin: &Origin| matches!(origin, Origin::Text { .. });
        let is_told = [&endpoint.origin, plain, &kind.origin].into_iter().all(is_of_table);
        let encrypt = if insecure.is_some() { "remove `insecure = true`" } else { "use `https://`" };
        let finding = || Some(targets::plain_credentials(host, plain.span()?, kind.origin.span()?, encrypt));
        if is_told { None } else { finding() }
    }
}

/// Where the SDK takes a part of an address for an organisation.
pub fn notes_on_org(parts: &Parts<Origin>, org: &Choice) -> Option<String> {
    let host = target::host(&parts.endpoint.as_ref()?.value).to_owned();
    let first = host.split('.').next().filter(|_| org.value.is_none() && host.matches('.').count() > 1)?;
    Some(format!("{host} is an address and tells of no organisation; the SDK takes `{first}` for one"))
}

/// A name for an endpoint of the command line.
pub fn name_of(endpoint: &str) -> String {
    let host = target::host(endpoint);
    let first = if target::is_address(host) { "" } else { host.split('.').next().unwrap_or_default() };
    let name: String = first.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    match name.as_str() {
        "" | Target::LOCAL | Target::CONFIG => "remote".to_owned(),
        _ => name,
    }
}

/// What the way to log in lacks. A table's own lacks are told by the rules.
pub fn incomplete(parts: &Parts<Origin>, lacking: &str) -> Option<Diagnostic> {
    // Where nothing is asked for, nothing is lacking.
    let asked_for = parts.kind.as_ref().filter(|kind| !matches!(kind.origin, Origin::Text { .. }))?;
    let (what, help) = match lacking {
        "client_id" => ("a client, and none is named", "set `admin.clientId`, or FLYTE_ADMIN_CLIENTID"),
        "secret_env" => (
            "a client secret, and none is named",
            "name the variable that holds it in `admin.clientSecretEnvVar`, or the file in `admin.clientSecretLocation`",
        ),
        "command" => (
            "a command, and none is named",
            "set `admin.command` to the program that prints a token, or FLYTE_AUTH_COMMAND",
        ),
        _ => (
            "a token, and none is passed on",
            "the SDK gets it from the program that calls it; here, declare a `[target.NAME]` with \
             `auth = { kind = \"passthrough\", variable = \"VARIABLE\" }`",
        ),
    };
    let finding = Diagnostic::error(codes::INCOMPLETE_AUTH, format!("{} asks for {what}", asker(asked_for)));
    let finding = match asked_for.origin {
        Origin::Config { span, .. } => finding.label(span, "asked for here"),
        _ => finding,
    };
    Some(finding.help(help))
}

/// What asks for a way to log in, in the SDK's words. A client's secret does so by being there.
fn asker(kind: &Sourced<AuthKind, Origin>) -> String {
    let word = config::auth_type(kind.value);
    match &kind.origin {
        Origin::Variable(name) if config::names_auth_type(name) => format!("{name}={word}"),
        Origin::Variable(name) => name.clone(),
        Origin::Config { key: key @ "admin.authType", .. } => format!("`{key}: {word}`"),
        Origin::Config { key, .. } => format!("`{key}`"),
        _ => "the configuration".to_owned(),
    }
}

/// An origin in the SDK's configuration, where its text is `file`.
pub fn origin(from: &config::Origin, file: FileId) -> Origin {
    match from {
        config::Origin::File { key, range } => Origin::Config { span: Span::new(file, range.clone()), key },
        config::Origin::Variable(name) => Origin::Variable(name.clone()),
        config::Origin::ApiKey(name) => Origin::ApiKey(name),
    }
}

/// What filling in variables brought to light.
pub fn check(table: &mut Table, name: &str) -> Vec<Diagnostic> {
    let kind = Schema::load().table("target").expect("the schema defines it");
    check_table(table, kind, &format!("target.{name}"), Phase::Filled)
}

/// What a table says itself. Paths in it are relative to `directory`.
fn written(table: &Table, directory: &Path, environment: &BTreeMap<String, String>) -> Parts<Origin> {
    let auth = table.table("auth");
    let path = |text: String| absolute(&text, directory, environment);
    let secret_file = part(auth, "secret_file", text).map(|file| file.map(|text| SecretSource::File(path(text))));
    let secret_variable = part(auth, "secret_env", text).map(|name| name.map(SecretSource::Variable));
    Parts {
        endpoint: part(table, "endpoint", text),
        insecure: part(table, "insecure", Node::as_boolean),
        insecure_skip_verify: part(table, "insecure_skip_verify", Node::as_boolean),
        ca_file: part(table, "ca_file", text).map(|file| file.map(path)),
        proxy: part(table, "proxy", text),
        kind: part(auth, "kind", |node| AuthKind::ALL.into_iter().find(|kind| Some(kind.word()) == node.as_text())),
        client_id: part(auth, "client_id", text),
        secret: secret_variable.or(secret_file),
        command: part(auth, "command", words),
        variable: part(auth, "variable", text),
        scopes: part(auth, "scopes", texts),
        keep_tokens: part(auth, "keep_tokens", Node::as_boolean),
        org: part(table, "org", text),
    }
}

fn part<T>(table: &Table, key: &str, read: impl Fn(&Node) -> Option<T>) -> Part<T, Origin> {
    let node = table.get(key)?;
    Some(Sourced::new(read(node)?, Origin::Text { span: node.span, layer: Layer::Root }))
}

fn text(node: &Node) -> Option<String> {
    node.as_text().map(str::to_owned)
}

fn texts(node: &Node) -> Option<Vec<String>> {
    node.elements().iter().map(text).collect()
}

fn words(node: &Node) -> Option<Vec<String>> {
    match node.as_text() {
        Some(line) => shlex::split(line),
        None => texts(node),
    }
}

/// A path of a manifest, where `~/` is the user's home.
fn absolute(path: &str, directory: &Path, environment: &BTreeMap<String, String>) -> PathBuf {
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(rest), Some(home)) => normal(&Path::new(home).join(rest)),
        _ => normal(&directory.join(path)),
    }
}
