//! The keys that the SDK's configuration file may have.

use super::finding::Finding;
use super::yaml::{Node, Value};
use crate::diagnostic::{codes, did_you_mean};

/// The sections, with the keys the SDK reads in each. Source: `flyte.config._internal` of the SDK 2.12.1.
const SECTIONS: [(&str, &[&str]); 5] = [
    (
        "admin",
        &[
            "endpoint",
            "insecure",
            "insecureSkipVerify",
            "caCertFilePath",
            "httpProxyURL",
            "disableKeyring",
            "authType",
            "command",
            "proxyCommand",
            "clientId",
            "clientSecretLocation",
            "clientSecretEnvVar",
            "scopes",
        ],
    ),
    ("console", &["endpoint"]),
    ("image", &["builder", "image_refs", "registry"]),
    ("local", &["persistence", "tracked", "tracked_strict"]),
    ("task", &["org", "project", "domain"]),
];

/// What `flyctl`-like tools of Flyte keep in the same file: the SDK passes over it, and so do we.
const OF_OTHERS: [&str; 18] = [
    "admin.authorizationHeader",
    "admin.authorizationServerUrl",
    "admin.defaultOrg",
    "admin.defaultServiceConfig",
    "admin.deviceFlowConfig",
    "admin.maxBackoffDelay",
    "admin.maxMessageSizeBytes",
    "admin.maxRetries",
    "admin.perRetryTimeout",
    "admin.pkceConfig",
    "admin.tokenRefreshWindow",
    "admin.tokenUrl",
    "admin.useAudienceFromAdmin",
    "admin.useAuth",
    "files",
    "logger",
    "storage",
    "union",
];

/// The variable names of a key, the first listed wins. Source: the SDK: `FLYTE_` and the key in capitals, after names of
/// its own for three keys.
pub fn variables(key: &str) -> Vec<String> {
    let own = match key {
        "admin.authType" => Some("FLYTE_AUTH_TYPE"),
        "admin.command" => Some("FLYTE_AUTH_COMMAND"),
        "admin.proxyCommand" => Some("FLYTE_AUTH_PROXY_COMMAND"),
        _ => None,
    };
    let derived = format!("FLYTE_{}", key.to_ascii_uppercase().replace('.', "_"));
    own.map(str::to_owned).into_iter().chain([derived]).collect()
}

/// Whether a file is Flyte's: it has one of the sections, as a map.
pub fn looks_like_flyte(tree: &Node) -> bool {
    SECTIONS.iter().any(|(section, _)| matches!(tree.get(section).map(|node| &node.value), Some(Value::Map(_))))
}

/// The same of a text that is no YAML: a line begins with a section.
pub fn mentions_flyte(text: &str) -> bool {
    text.lines().any(|line| {
        line.trim_end().strip_suffix(':').is_some_and(|key| SECTIONS.iter().any(|(section, _)| *section == key))
    })
}

/// Names the sections, for people.
pub fn sections() -> String {
    SECTIONS.iter().map(|(section, _)| format!("`{section}`")).collect::<Vec<_>>().join(", ")
}

/// Keys that mean nothing, and sections of the wrong shape.
pub fn check(tree: &Node, findings: &mut Vec<Finding>) {
    let entries = match &tree.value {
        Value::Map(entries) => entries,
        Value::Null => return,
        _ => {
            findings.push(
                Finding::error(
                    codes::WRONG_SETTING,
                    format!("the configuration is {}", tree.kind()),
                    "write sections with keys, as in `admin:` and below it `  endpoint: dns:///flyte.example.com`",
                )
                .label(tree.range.clone(), "no sections")
                .conceal(tree.range.clone()),
            );
            return;
        }
    };
    for (name, range, node) in entries {
        let Some((_, keys)) = SECTIONS.iter().find(|(section, _)| section == name) else {
            if !OF_OTHERS.contains(&name.as_str()) {
                let names = SECTIONS.iter().map(|(section, _)| *section);
                findings.push(unknown(name, "", names, range, node));
            }
            continue;
        };
        match &node.value {
            Value::Null => {}
            Value::Map(inner) => {
                for (key, range, node) in inner {
                    let is_known =
                        keys.contains(&key.as_str()) || OF_OTHERS.contains(&format!("{name}.{key}").as_str());
                    if !is_known {
                        findings.push(unknown(key, name, keys.iter().copied(), range, node));
                    }
                }
            }
            _ => findings.push(
                Finding::error(
                    codes::WRONG_SETTING,
                    format!("`{name}` of the configuration is {}, and not a section", node.kind()),
                    format!("write its keys below `{name}:`, each on a line of its own, indented"),
                )
                .label(range.clone(), "has no keys")
                .conceal(node.range.clone()),
            ),
        }
    }
}

/// Its value may be a secret that was meant for another key.
fn unknown<'a>(
    key: &str,
    section: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    range: &std::ops::Range<usize>,
    node: &Node,
) -> Finding {
    let place = if section.is_empty() { "configuration".to_owned() } else { format!("section `{section}`") };
    let help = match did_you_mean(key, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
    };
    Finding::warning(codes::UNKNOWN_SETTING, format!("unknown key `{key}` in the {place}"), help)
        .label(range.clone(), "means nothing")
        .conceal(node.range.clone())
}
