//! A target says how it is reached and how to log in: all that its kind of log-in needs, and no secrets.

use super::super::{Entry, Manifest, Table, Value, address};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::model::sensitive::looks_like_credential;
use crate::model::target;

/// The keys of `auth` that belong to one kind of log-in only.
const OF_KIND: [(&str, &str); 5] = [
    ("client_id", "client_credentials"),
    ("secret_env", "client_credentials"),
    ("secret_file", "client_credentials"),
    ("command", "command"),
    ("variable", "passthrough"),
];

pub fn check(manifest: &Manifest) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for entry in &manifest.root_document().table.table("target").entries {
        let Some(table) = entry.node.as_table() else { continue };
        if matches!(entry.key.as_str(), "local" | "config") {
            findings.extend(reserved(entry, table));
            continue;
        }
        if table.get("endpoint").is_none() && table.get("config").is_none() {
            findings.push(
                Diagnostic::error(codes::MISSING_KEY, format!("`target.{}` has no `endpoint`", entry.key))
                    .label(entry.key_span, "where does it listen?")
                    .help("add it, as in `endpoint = \"dns:///flyte.example.com\"`, or name a file of the SDK: `config = \".flyte/config.yaml\"`"),
            );
        }
        literals(table, &mut findings);
        findings.extend(not_so_insecure(table));
        let auth = table.table("auth");
        if let Some(kind) = auth.text("kind") {
            findings.extend(lacking(entry, auth, kind));
            findings.extend(useless(auth, kind));
            findings.extend(in_the_clear(table, kind));
        }
    }
    findings
}

/// `local` and `config` need no table, and take none but to be the default.
fn reserved(entry: &Entry, table: &Table) -> Option<Diagnostic> {
    let other = table.entries.iter().find(|inner| inner.key != "default")?;
    let (name, meaning) = match entry.key.as_str() {
        "local" => ("local", "the embedded control plane of this machine"),
        _ => ("config", "the control plane of the Flyte SDK's configuration"),
    };
    let help = match (name, other.key.as_str()) {
        ("config", "config") => "give the target another name, as in `[target.staging]`",
        _ => "give this control plane another name; `[target.local]` may say `default = true` and nothing else",
    };
    Some(
        Diagnostic::error(codes::RESERVED_TARGET, format!("`{name}` is always {meaning}"))
            .label(entry.key_span, "a reserved name")
            .label(other.key_span, "has no meaning here")
            .help(help),
    )
}

/// What the kind of log-in needs.
fn lacking(entry: &Entry, auth: &Table, kind: &str) -> Option<Diagnostic> {
    let has = |key: &str| auth.get(key).is_some();
    let (message, help) = match kind {
        "client_credentials" if !has("client_id") => ("no `client_id`", "add `client_id = \"…\"`"),
        "client_credentials" if !has("secret_env") && !has("secret_file") => (
            "neither `secret_env` nor `secret_file`",
            "add `secret_env = \"VARIABLE\"`: the environment variable that holds the secret",
        ),
        "command" if !has("command") => {
            ("no `command`", "add the program that prints a token, as in `command = [\"uctl\", \"get-token\"]`")
        }
        "passthrough" if !has("variable") => {
            ("no `variable`", "add `variable = \"VARIABLE\"`: the environment variable that holds the token")
        }
        _ => return None,
    };
    let node = auth.get("kind")?;
    Some(
        Diagnostic::error(codes::MISSING_KEY, format!("`target.{}.auth` has {message}", entry.key))
            .label(node.span, "needs it")
            .help(help),
    )
}

/// What another kind of log-in needs, and a second place of the same secret.
fn useless(auth: &Table, kind: &str) -> Vec<Diagnostic> {
    let Some(node) = auth.get("kind") else { return Vec::new() };
    let mut findings = Vec::new();
    for (key, of) in OF_KIND {
        let Some(entry) = auth.entry(key).filter(|_| of != kind) else { continue };
        findings.push(
            Diagnostic::error(codes::CONFLICTING_KEYS, format!("`{key}` has no meaning with `kind = \"{kind}\"`"))
                .label(entry.key_span, "not used")
                .label(node.span, "this kind")
                .conceal(entry.node.span)
                .help(format!("remove it, or write `kind = \"{of}\"`")),
        );
    }
    if let (Some(variable), Some(file), true) =
        (auth.entry("secret_env"), auth.entry("secret_file"), kind == "client_credentials")
    {
        findings.push(
            Diagnostic::error(codes::CONFLICTING_KEYS, "the client's secret lies in two places")
                .label(variable.key_span, "in a variable")
                .label(file.key_span, "and in a file")
                .help("remove one of the two"),
        );
    }
    findings
}

/// Credentials that anybody on the way can read; on this machine nobody is on the way.
fn in_the_clear(table: &Table, kind: &str) -> Option<Diagnostic> {
    let endpoint = table.get("endpoint")?;
    let address = endpoint.as_text()?;
    let insecure = table.entry("insecure").filter(|entry| entry.node.as_boolean() == Some(true));
    let host = target::host(address);
    if kind == "none" || target::is_loopback(host) || !target::is_plain(address, insecure.is_some()) {
        return None;
    }
    let place = insecure.map_or(endpoint.span, |entry| entry.key_span);
    let encrypt = match (address.starts_with("http://"), insecure) {
        (true, None) => "use `https://`",
        (true, Some(_)) => "use `https://` and remove `insecure = true`",
        (false, _) => "remove `insecure = true`",
    };
    Some(plain_credentials(host, place, table.table("auth").get("kind")?.span, encrypt))
}

/// What asks for plain HTTP, and what sends credentials. `encrypt` says how to ask for encryption.
pub fn plain_credentials(host: &str, plain: Span, sends: Span, encrypt: &str) -> Diagnostic {
    Diagnostic::warning(codes::PLAIN_CREDENTIALS, format!("credentials travel to `{host}` without encryption"))
        .label(plain, "plain HTTP")
        .label(sends, "sends credentials")
        .help(format!("{encrypt}, or write `kind = \"none\"` for a control plane that asks for none"))
}

/// An `insecure` that does not count.
fn not_so_insecure(table: &Table) -> Option<Diagnostic> {
    let endpoint = table.get("endpoint").filter(|endpoint| endpoint.as_text().is_some_and(target::says_tls))?;
    let insecure = table.entry("insecure").filter(|entry| entry.node.as_boolean() == Some(true))?;
    Some(
        Diagnostic::error(codes::CONFLICTING_KEYS, "`insecure` has no meaning where the endpoint says `https://`")
            .label(insecure.key_span, "asks for plain HTTP")
            .label(endpoint.span, "asks for encryption")
            .help("remove it, or write `http://`"),
    )
}

/// Texts that look like secrets, wherever they stand in the table.
fn literals(table: &Table, findings: &mut Vec<Diagnostic>) {
    for entry in &table.entries {
        let help = match entry.key.as_str() {
            "endpoint" => address::WITHOUT_USER,
            "proxy" => "a proxy that asks for a password is named in the environment, as `HTTPS_PROXY`",
            _ => address::NAME_ITS_PLACE,
        };
        for node in entry.node.elements() {
            match &node.value {
                Value::Text(text) if looks_like_credential(text) => findings.push(
                    Diagnostic::error(codes::LITERAL_SECRET, address::NOT_WRITTEN_DOWN)
                        .label(node.span, "looks like a credential")
                        .conceal(node.span)
                        .help(help),
                ),
                Value::Table(table) => literals(table, findings),
                _ => {}
            }
        }
    }
}
