//! The documents of `--json` are those that `docs/json.md` describes: no key comes that is not there, and none is there
//! that never comes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::cli::Desk;

/// What is run for its document, in order. `|` keeps what comes before it from being looked at.
const LINES: &[&str] = &[
    "flyte validate --json",
    "flyte plan --json --out first.flyteplan",
    "flyte apply first.flyteplan --json",
    "flyte apply --json",
    "flyte apply first.flyteplan --json",
    "sed -i 's/^import os$/import os, sys/' serve.py && touch new.py",
    "GREETING=hi flyte plan --json --diff",
    "GREETING=hi flyte apply --json --yes --version v2",
    "flyte status --json",
    "flyte logs catalogue --json",
    "flyte history --json",
    "flyte versions catalogue --json",
    "flyte rollback catalogue --yes --json",
    "flyte versions clean --keep 1 --yes --json",
    "flyte deactivate web --json",
    "flyte activate web --json",
    "flyte render --json",
    "flyte bundle catalogue --json",
    "flyte graph --json",
    "flyte config show --json",
    "flyte config show --app web --json",
    "flyte explain app.port --json",
    "flyte schema --json",
    "flyte import --project flytesnacks --domain development --json --out imported",
    "flyte completions bash --json",
    "flyte man --json",
    "flyte local status --json",
    "flyte deploy . --yes --json",
    "sed -i 's/^tag/x/; s/^args = .*/args = [\"false\"]/' flyte.toml",
    "flyte apply --yes --json",
    "flyte delete web --yes --json",
    "mkdir -p new && cd new && flyte init --json",
    "flyte local stop --json",
    "flyte local start --json",
    "flyte local reset --yes --json",
    "flyte plan --nonsense --json",
    "sed -i 's/args/arsg/' flyte.toml && flyte validate --json",
];

/// Documents of one command: the paths of keys, `[]` for the elements of a list.
type Keys = BTreeMap<String, BTreeSet<String>>;

fn add(document: &Value, into: &mut Keys) {
    let command = document["command"].as_str().expect("a document says its command").to_owned();
    walk(document, "", into.entry(command).or_default());
}

fn walk(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                keys.insert(path.clone());
                walk(member, &path, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), keys)),
        _ => {}
    }
}

/// What is printed by the commands, run on a tree.
fn printed() -> Keys {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/trees/shop");
    let desk = Desk::new(&Some(shop)).unwrap();
    let mut keys = Keys::new();
    for line in LINES {
        let ran = desk.run(line).unwrap();
        if line.contains("--json") {
            let document = serde_json::from_str(&ran.stdout);
            let document: Value =
                document.unwrap_or_else(|error| panic!("{line}: {error}\n{}{}", ran.stdout, ran.stderr));
            add(&document, &mut keys);
        }
    }
    keys
}

/// What the cases print, where it can be read once the names that stand for numbers are numbers again.
fn of_cases(keys: &mut Keys) {
    let number = regex::Regex::new(r#"": \[[a-z]+\]"#).unwrap();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/cli");
    for entry in fs::read_dir(cases).unwrap() {
        let Ok(text) = fs::read_to_string(entry.unwrap().path().join("stdout.txt")) else { continue };
        for part in text.split("\n{\n").skip(1) {
            let Some((inner, _)) = part.split_once("\n}\n") else { continue };
            let text = number.replace_all(inner, r#"": 0"#);
            if let Ok(document) = serde_json::from_str::<Value>(&format!("{{{text}}}"))
                && document["command"].is_string()
            {
                add(&document, keys);
            }
        }
    }
}

/// What the page says of one key.
struct Told {
    /// Whatever is below it is not described.
    open: bool,
    /// It is described by another section.
    as_section: Option<String>,
}

/// What the page says of one kind of document.
#[derive(Default)]
struct Section {
    keys: BTreeMap<String, Told>,
    /// The section that describes its other keys.
    like: Option<String>,
}

/// Section by section; `every document` is the one about all.
fn described() -> BTreeMap<String, Section> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    let line = regex::Regex::new(r"^- `([^`]+)`: (.*)$").unwrap();
    let link = regex::Regex::new(r"\[[^]]+\]\(#([a-z-]+)\)").unwrap();
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut section = String::new();
    for text in text.lines() {
        if let Some(head) = text.strip_prefix("## ") {
            section = head.to_owned();
            sections.entry(section.clone()).or_default();
        } else if text.starts_with("The keys of [") {
            let like = link.captures(text).map(|link| link[1].replace('-', " "));
            sections.entry(section.clone()).or_default().like = like;
        } else if let Some(found) = line.captures(text) {
            let as_section = link.captures(&found[2]).map(|link| link[1].replace('-', " "));
            let told = Told { open: found[2].contains("(any JSON)"), as_section };
            let known = sections.entry(section.clone()).or_default().keys.insert(found[1].to_owned(), told);
            assert!(known.is_none(), "{section}: {} is described twice", &found[1]);
        }
    }
    sections
}

/// The places that describe a key of a command's document: section and key. `None` where nothing does.
fn describe<'a>(sections: &'a BTreeMap<String, Section>, section: &str, key: &str) -> Option<Vec<(&'a str, &'a str)>> {
    const EVERYWHERE: &str = "every document";
    let mut next = sections.get_key_value(section);
    while let Some((name, here)) = next {
        if let Some((known, _)) = here.keys.get_key_value(key) {
            return Some(vec![(name, known)]);
        }
        let below = |known: &str| key.strip_prefix(known).is_some_and(|rest| rest.starts_with(['.', '[']));
        if let Some((known, told)) =
            here.keys.iter().find(|(known, told)| below(known) && (told.open || told.as_section.is_some()))
        {
            return match &told.as_section {
                None => Some(vec![(name, known)]),
                Some(other) => {
                    let rest = key[known.len()..].trim_start_matches(['[', ']', '.']);
                    let mut told = describe(sections, other, rest)?;
                    told.push((name, known));
                    Some(told)
                }
            };
        }
        let after = here.like.as_deref().or((name != EVERYWHERE).then_some(EVERYWHERE));
        next = after.and_then(|after| sections.get_key_value(after));
    }
    None
}

#[test]
fn every_key_is_described_and_every_described_key_comes() {
    let sections = described();
    let mut keys = printed();
    of_cases(&mut keys);
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (command, keys) in &keys {
        for key in keys {
            let told = describe(&sections, command, key);
            let Some(told) = told else {
                wrong.push(format!("{command}: `{key}` comes and is not described"));
                continue;
            };
            for (section, name) in told {
                seen.entry(section).or_default().insert(name);
            }
        }
    }
    for (section, told) in &sections {
        let seen = seen.get(section.as_str()).cloned().unwrap_or_default();
        let unseen = told.keys.keys().filter(|name| !seen.contains(name.as_str()));
        wrong.extend(unseen.map(|name| format!("{section}: `{name}` is described and never comes")));
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "docs/json.md:\n{}", wrong.join("\n"));
}
