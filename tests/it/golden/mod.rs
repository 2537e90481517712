//! What the published SDK sends for an app, and what it refuses: `tests/golden/apps.json`, made by the SDK itself.
//!
//! Every case is written as a `flyte.toml` by rules that know no case by name ([`manifest`]), goes through the whole way
//! from text to message, and must be equal to what the SDK sends ([`message`]). What we refuse, or accept, against the
//! SDK's judgement stands in `tests/golden/differences.toml`, each with its reason.

mod manifest;
mod message;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    sdk_version: String,
    /// Of the machine that made the cases, as in `3.11`.
    python: String,
    cases: Vec<Case>,
    negative: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    name: String,
    context: Value,
    app: Value,
    /// Absent where the SDK refuses.
    #[serde(default)]
    expect: Value,
    /// The image that `auto` stood for where the cases were made: flyte-sdk's `Image.from_debian_base`.
    #[serde(skip)]
    auto_image: String,
}

/// What we decide otherwise than the SDK, by case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    /// The SDK sends it, we do not.
    refused: BTreeMap<String, Difference>,
    /// The SDK refuses it, we do not.
    accepted: BTreeMap<String, Reason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// Of the finding, or `context` for a deploy that has no equal here.
    code: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden() -> Golden {
    let text = std::fs::read_to_string(directory().join("apps.json")).expect("the cases are committed");
    let mut golden: Golden = serde_json::from_str(&text).expect("the cases are as their format says");
    let auto_image = format!("ghcr.io/flyteorg/flyte:py{}-v{}", golden.python, golden.sdk_version);
    golden.cases.iter_mut().chain(&mut golden.negative).for_each(|case| case.auto_image.clone_from(&auto_image));
    golden
}

fn differences() -> Differences {
    let text = std::fs::read_to_string(directory().join("differences.toml")).expect("the list is committed");
    toml::from_str(&text).expect("the list is as its format says")
}

#[test]
fn what_the_sdk_sends_we_send() {
    let listed = differences().refused;
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for case in golden().cases {
        let sent = message::sent(&case);
        seen.push(case.name.clone());
        match (sent, listed.get(&case.name)) {
            (Ok(message), None) => {
                let (ours, theirs) = (message::comparable(&message), message::expected(&case));
                if ours != theirs {
                    let text = |value: &Value| serde_json::to_string_pretty(value).expect("it is JSON");
                    let (old, new) = (text(&theirs), text(&ours));
                    let diff = similar::TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string();
                    wrong.push(format!("{}: differs from the SDK\n{diff}", case.name));
                }
            }
            (Err(refusal), Some(difference)) if refusal.code == difference.code => {}
            (Err(refusal), Some(difference)) => {
                wrong.push(format!("{}: refused as {}, listed as {}", case.name, refusal.code, difference.code));
            }
            (Err(refusal), None) => wrong.push(format!("{}: refused as {}\n{}", case.name, refusal.code, refusal.text)),
            (Ok(_), Some(_)) => wrong.push(format!("{}: listed as refused, and is not", case.name)),
        }
    }
    wrong.extend(listed.keys().filter(|name| !seen.contains(name)).map(|name| format!("{name}: no such case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_the_sdk_refuses_we_refuse() {
    let listed = differences().accepted;
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for case in golden().negative {
        seen.push(case.name.clone());
        match (message::sent(&case), listed.contains_key(&case.name)) {
            (Err(refusal), false) if refusal.has_place => {}
            (Err(refusal), false) => wrong.push(format!("{}: told without a place\n{}", case.name, refusal.text)),
            (Ok(_), false) => wrong.push(format!("{}: accepted", case.name)),
            (Err(_), true) => wrong.push(format!("{}: listed as accepted, and is not", case.name)),
            (Ok(_), true) => {}
        }
    }
    wrong.extend(listed.keys().filter(|name| !seen.contains(name)).map(|name| format!("{name}: no such case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_difference_has_a_reason() {
    let differences = differences();
    let reasons = differences.refused.values().map(|one| &one.reason);
    for reason in reasons.chain(differences.accepted.values().map(|one| &one.reason)) {
        assert!(reason.len() >= 20, "{reason}");
    }
}

/// The cases are a copy where the original is at hand.
#[test]
fn the_cases_are_the_sdks() {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden/apps.json");
    if let Ok(original) = std::fs::read_to_string(original) {
        let copy = std::fs::read_to_string(directory().join("apps.json")).expect("the cases are committed");
        assert!(copy == original, "tests/golden/apps.json is not what the SDK made");
    }
}
