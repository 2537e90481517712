//! The form in which specs are compared and named: canonical JSON of the wire message, with the same text for
//! everything that behaves the same.
//!
//! The members are those of `flyteidl2.app.Spec` under their proto names, but for what [`rules`] says,
//! and members that are lifted out of the command of `fserve`, where they are encoded: `code_bundle`, the digest or
//! else the address of the code, `code_dest` and `code_is_pickled`, the `python` object, and `parameters`, by name. Of a
//! pod, the app's container stands under `container` too, as if it were not in a pod; the pod is the rest, with the
//! `order` of its containers where it counts. A variable whose place counts is an object, with its value and the
//! variables that it `stands_before`.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flate2::read::GzDecoder;
use flyte_schema::flyteidl2::app::App;
use serde_json::{Map, Value, json};

mod order;
mod pod;
pub mod rules;
pub mod secrets;
use crate::model::{Digest, Fingerprint, Marks, quantity, shell, spec, stretched};
pub use order::references;

/// The format of version digests. A change of it gives every app a new version.
pub const FORMAT: u32 = 1;

/// The greatest size of decoded parameters in bytes.
const MAX_PARAMETERS: u64 = 1 << 20;

/// What an app does, in the form of comparison: marks, state and what servers fill in are not in it, and fields that
/// we do not know count for nothing.
///
/// A spec that has no JSON form (a duration out of range) becomes an object with the one member `unreadable`, the
/// digest of its bytes.
pub fn canonical(app: &App) -> Value {
    let Ok(Value::Object(mut spec)) = flyte_schema::to_json(&*app.spec) else {
        return json!({ "unreadable": Digest::of(&app.spec.encode_to_vec()) });
    };
    for path in rules::DROPPED {
        take(&mut spec, path);
    }
    for (path, default) in rules::DEFAULTS {
        if at(&mut spec, path).is_some_and(|value| value == default) {
            take(&mut spec, path);
        }
    }
    prune(&mut spec, &mut Vec::new());
    if let Some(Value::Array(env)) = at(&mut spec, &["container", "env"]) {
        order::mark_variables(env, "key");
    }
    pod::lift(&mut spec);
    for path in rules::QUANTITIES {
        if let Some(Value::String(text)) = at(&mut spec, path) {
            *text = quantity::canonical(text);
        }
    }
    for keyed in rules::KEYED {
        if let Some(list) = at(&mut spec, keyed.path)
            && let Value::Array(items) = list
        {
            *list = Value::Object((keyed.collect)(items.iter().map(keyed.entry).collect()));
        }
    }
    // One level less: the list is all there is in the message.
    if let Some(inputs) = at(&mut spec, &["inputs"])
        && let Some(items) = inputs.get_mut("items").map(Value::take)
    {
        *inputs = items;
    }
    if let Some(Value::Object(env)) = at(&mut spec, &["container", "env"]) {
        env.retain(|name, _| !Marks::is_mark(name) && name != Marks::BUNDLE);
    }
    lift_options(&mut spec);
    if let Some(bundle) = bundle(app) {
        spec.insert("code_bundle".to_owned(), bundle);
    }
    prune(&mut spec, &mut Vec::new());
    Value::Object(spec)
}

/// The digest of a value: the same whatever the order of members.
pub fn digest(value: &Value) -> Digest {
    digest_hiding(value, &BTreeMap::new())
}

/// The same with digests in the place of some texts, each made slowly: digests of specs are no secrets, and nobody should
/// find out a password by trying likely ones.
fn digest_hiding(value: &Value, secrets: &BTreeMap<String, String>) -> Digest {
    let mut text = format!("flyte canonical spec {FORMAT}\n");
    write_sorted(value, secrets, &mut text);
    Digest::of(text.as_bytes())
}

/// The digest that names a version: of what the app does, less what it leaves to others.
pub fn version(app: &App) -> Digest {
    version_of(&canonical(app), &Marks::kept(&app.spec))
}

/// The same of a canonical form. `kept` are JSON pointers into it.
pub fn version_of(canonical: &Value, kept: &[String]) -> Digest {
    if kept.is_empty() {
        return digest_hiding(canonical, &secrets::secrets(canonical));
    }
    let mut canonical = canonical.clone();
    for pointer in kept {
        let Some((outer, name)) = pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(outer)) = canonical.pointer_mut(outer) {
            outer.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
        }
    }
    if let Value::Object(members) = &mut canonical {
        prune(members, &mut Vec::new());
    }
    digest_hiding(&canonical, &secrets::secrets(&canonical))
}

/// The digest of everything that someone else may change between a plan and its apply: what the app does, whether it
/// runs, and whose it is.
pub fn fingerprint(app: &App) -> Fingerprint {
    let mark = |name| spec::variable(&app.spec, name);
    let mut marks = vec![mark(Marks::OWNER), mark(Marks::VERSION), mark(Marks::DIGEST)];
    marks.extend(mark(Marks::KEPT).map(Some));
    let spec = canonical(app);
    let secrets = secrets::secrets(&spec);
    let whole = json!({
        "spec": spec,
        "stopped": app.spec.desired_state == flyte_schema::flyteidl2::app::spec::DesiredState::DESIRED_STATE_STOPPED,
        "marks": marks,
    });
    Fingerprint(digest_hiding(&whole, &secrets))
}

/// What an app is, whether it runs or not, and whose it is.
pub fn content(app: &App) -> Fingerprint {
    let mut app = app.clone();
    app.spec.get_or_insert_default().desired_state = Default::default();
    fingerprint(&app)
}

/// By content where the address tells it.
fn bundle(app: &App) -> Option<Value> {
    match spec::bundle(app) {
        Some(bundle) => Some(bundle.placeholder().into()),
        None => spec::bundle_address(app).map(Value::from),
    }
}

/// Takes the options of `fserve` out of the command that name the version and the code, or are encoded.
fn lift_options(spec: &mut Map<String, Value>) {
    let mut parameters = None;
    let mut lifted = Vec::new();
    if let Some(Value::Array(command)) = at(spec, &["container", "command"]) {
        if command.first().is_none_or(|word| word != "fserve") {
            return;
        }
        let words = std::mem::take(command);
        let mut rest = words.into_iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                Some("--") => {
                    command.push(word);
                    break;
                }
                // The version is our mark. Image caches are read and ignored by `fserve`.
                Some("--version" | "--tgz" | "--image-cache") => drop(rest.next()),
                Some("--parameters") => parameters = rest.next(),
                Some("--resolver") => match rest.next() {
                    Some(name) if name == spec::RESOLVER => {}
                    name => command.extend([word].into_iter().chain(name)),
                },
                Some("--resolver-args") => lifted.extend(rest.next().map(|object| ("python", object))),
                Some("--pkl") => {
                    drop(rest.next());
                    lifted.push(("code_is_pickled", Value::Bool(true)));
                }
                Some("--dest") => lifted.extend(rest.next().filter(|at| *at != ".").map(|at| ("code_dest", at))),
                _ => command.push(word),
            }
        }
        command.extend(rest);
        if command.last().is_some_and(|word| word == "--")
            && let Some(args) = at(spec, &["container", "args"])
        {
            spell_alike(args);
        }
    }
    spec.extend(lifted.into_iter().map(|(member, value)| (member.to_owned(), value)));
    if let Some(Value::String(transport)) = parameters {
        let value = decode(&transport).unwrap_or(Value::String(transport));
        spec.insert("parameters".to_owned(), value);
    }
}

/// Arguments for the shell behind `fserve`: it does not care how they are quoted.
fn spell_alike(args: &mut Value) {
    let words: Option<Vec<&str>> = args.as_array().and_then(|words| words.iter().map(Value::as_str).collect());
    if let Some(alike) = words.and_then(|words| shell::alike(&words)) {
        *args = alike.into();
    }
}

/// What is encoded behind `--parameters`. `None` when it is not as `fserve` takes it.
pub fn transported(transport: &str) -> Option<Value> {
    let bytes = STANDARD.decode(transport).ok()?;
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).take(MAX_PARAMETERS).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Parameters by name.
fn decode(transport: &str) -> Option<Value> {
    let value = transported(transport)?;
    let entry = |item: &Value| {
        let (name, mut parameter) = rules::by_name(item);
        if let Some(members) = parameter.as_object_mut() {
            members.retain(|_, value| !value.is_null() && *value != json!(false) && *value != json!([]));
            // JSON inside JSON.
            if members.get("type").is_some_and(|kind| kind == "app_endpoint")
                && let Some(Value::String(text)) = members.get_mut("value")
                && let Ok(Value::Object(endpoint)) = serde_json::from_str(text)
            {
                members.insert("value".to_owned(), Value::Object(endpoint));
            }
        }
        (name, parameter)
    };
    Some(Value::Object(rules::each(value.get("parameters")?.as_array()?.iter().map(entry).collect())))
}

fn at<'a>(object: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.get_mut(*first)?, |value, name| value.get_mut(*name))
}

fn take(object: &mut Map<String, Value>, path: &[&str]) {
    match path {
        [] => {}
        [last] => drop(object.shift_remove(*last)),
        [first, rest @ ..] => {
            if let Some(Value::Object(inner)) = object.get_mut(*first) {
                take(inner, rest);
            }
        }
    }
}

/// Removes members that are empty messages or lists. Elements of lists stay: their place says something.
fn prune(object: &mut Map<String, Value>, path: &mut Vec<String>) {
    object.retain(|name, value| {
        path.push(name.clone());
        let keep = rules::VERBATIM.contains(&path.iter().map(String::as_str).collect::<Vec<_>>().as_slice())
            || match value {
                Value::Object(inner) => {
                    prune(inner, path);
                    !inner.is_empty()
                }
                Value::Array(items) => !items.is_empty(),
                _ => true,
            };
        path.pop();
        keep
    });
}

fn write_sorted(value: &Value, secrets: &BTreeMap<String, String>, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (place, name) in names.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_sorted(&members[name], secrets, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_sorted(item, secrets, text);
            }
            text.push(']');
        }
        Value::String(secret) if secrets.contains_key(secret) => {
            text.push_str(&format!("(stretched {})", stretched(&secrets[secret], secret)));
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
