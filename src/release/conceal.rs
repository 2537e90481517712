//! Messages without the values that may be credentials, and back.
//!
//! A value is replaced by its stable placeholder, so that equal values stay recognisable, and it is told by name: a
//! variable or parameter called like a credential, or a text that looks like one. Values come back from another message
//! that has the same ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa_descriptor::reflect::{DynamicMessage, MapKey, MapValue, ReflectMessage, Value};
use flyte_schema::flyteidl2::app::App;
use serde_json::Value as Json;

use crate::bundle::gzip::gzip;
use crate::canonical;
use crate::model::mask::credentials_among;
use crate::model::sensitive::{is_placeholder, is_secret_name, is_sensitive_name};
use crate::model::{Digest, Mask, spec};

/// What the option before encoded parameters is called.
const PARAMETERS: &str = "--parameters";

/// The message with placeholders, and the places where they are: `spec.container.env[DB_PASSWORD]`. Only what was
/// concealed with the salt of the same owner compares.
pub fn conceal(app: &App, mask: &Mask) -> (App, Vec<String>) {
    let mut places = Vec::new();
    let mask = known_by(app, mask);
    let concealed = each_text(app, &mut |place, text| {
        if place.holds_secret(text, &mask) && !is_placeholder(text) {
            places.push(place.path.to_owned());
            *text = mask.placeholder(text);
        }
    });
    places.sort();
    places.dedup();
    (concealed, places)
}

/// The mask that hides what a message holds as a credential wherever else it stands in it.
fn known_by(app: &App, mask: &Mask) -> Mask {
    let mut values = Vec::new();
    each_text(app, &mut |place, text| {
        if place.named == Named::Surely && !is_placeholder(text) {
            values.push(text.clone());
        }
    });
    mask.and(values)
}

/// Why a record cannot be written again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    /// The values of these places are nowhere to be had.
    #[error("the values of {} are not on record, and what runs or is declared now has others", .0.join(", "))]
    Values(Vec<String>),
    /// What came together is not what the version says.
    #[error("what is on record is not the version {0}")]
    Version(String),
}

/// The message with its values again: placeholders are filled from `others`, the first that fits. Without placeholders
/// it is the message itself.
///
/// # Errors
/// See [`NotRestored`].
pub fn restore(message: &App, version: Digest, mask: &Mask, others: &[&App]) -> Result<App, NotRestored> {
    let mut known: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for other in others {
        let mask = known_by(other, mask);
        each_text(other, &mut |place, text| {
            if place.holds_secret(text, &mask) {
                let values = known.entry(mask.placeholder(text)).or_default();
                values.entry(place.path.to_owned()).or_insert_with(|| text.clone());
            }
        });
    }
    let (mut missing, mut filled) = (Vec::new(), false);
    let restored = each_text(message, &mut |place, text| {
        if !is_placeholder(text) {
            return;
        }
        let values = known.get(text.as_str());
        match values.and_then(|values| values.get(place.path).or_else(|| values.values().next())) {
            Some(value) => {
                text.clone_from(value);
                filled = true;
            }
            None => missing.push(place.path.to_owned()),
        }
    });
    if !missing.is_empty() {
        return Err(NotRestored::Values(missing));
    }
    if filled && canonical::version(&restored) != version {
        return Err(NotRestored::Version(version.short()));
    }
    Ok(restored)
}

/// Where a text stands.
struct Place<'a> {
    path: &'a str,
    named: Named,
}

/// Whether the name beside a text says that it is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    No,
    Perhaps,
    Surely,
}

impl Named {
    fn of(name: &str) -> Self {
        match (is_secret_name(name), is_sensitive_name(name)) {
            (true, _) => Self::Surely,
            (_, true) => Self::Perhaps,
            _ => Self::No,
        }
    }
}

impl Place<'_> {
    fn holds_secret(&self, text: &str, mask: &Mask) -> bool {
        !text.is_empty() && (self.named > Named::No || mask.hides(text))
    }
}

type Visit<'a> = &'a mut dyn FnMut(&Place<'_>, &mut String);

/// The message with every text seen by `visit`, at every depth; fields that we do not know stay. A message that cannot
/// be reflected has none.
fn each_text(app: &App, visit: Visit<'_>) -> App {
    let mut app = app.clone();
    let receivers = parameters(&mut app, visit);
    let Ok(mut dynamic) = flyte_schema::to_dynamic(&app) else {
        // Too deep for the decoder, which no server takes either: nothing of it may be kept.
        return App::default();
    };
    each_of_message(&mut dynamic, "", &receivers, visit);
    dynamic.to_message().unwrap_or_default()
}

/// Visits what is encoded in the command, and tells the names of the parameters that variables named like credentials
/// receive.
fn parameters(app: &mut App, visit: Visit<'_>) -> Vec<String> {
    let mut receivers = Vec::new();
    let mut words = spec::command_mut(app).into_iter().skip_while(|word| **word != PARAMETERS);
    let Some(word) = words.nth(1) else { return receivers };
    let Some(mut decoded) = canonical::transported(word) else { return receivers };
    let before = decoded.clone();
    for parameter in decoded.get_mut("parameters").and_then(Json::as_array_mut).into_iter().flatten() {
        let text = |member: &str| parameter.get(member).and_then(Json::as_str).unwrap_or_default();
        let name = text("name").to_owned();
        let received = Named::of(text("env_var"));
        if received > Named::No {
            receivers.push(name.clone());
        }
        if let Some(Json::String(value)) = parameter.get_mut("value") {
            let named = received.max(Named::of(&name));
            visit(&Place { path: &format!("spec.parameters[{name}]"), named }, value);
        }
    }
    if decoded != before
        && let Ok(packed) = gzip(decoded.to_string().as_bytes())
    {
        *word = STANDARD.encode(packed);
    }
    receivers
}

fn each_of_message(message: &mut DynamicMessage, path: &str, receivers: &[String], visit: Visit<'_>) {
    let descriptor = message.message_descriptor();
    let full_name = descriptor.full_name().to_owned();
    // Names of secrets are no secrets.
    if full_name == "flyteidl2.core.Secret" {
        return;
    }
    let fields: Vec<(u32, String)> =
        descriptor.fields().iter().map(|field| (field.number(), field.name().to_owned())).collect();
    let text_of = |message: &DynamicMessage, name: &str| {
        let (number, _) = fields.iter().find(|(_, field)| field == name)?;
        match message.field_by_number(*number) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    };
    let name = text_of(message, "key").or_else(|| text_of(message, "name"));
    let named = name.as_deref().map_or(Named::No, |name| match Named::of(name) {
        Named::No if full_name == "flyteidl2.app.Input" && receivers.iter().any(|known| known == name) => {
            Named::Perhaps
        }
        named => named,
    });
    let is_struct = full_name == "google.protobuf.Struct";
    let is_json = matches!(full_name.as_str(), "google.protobuf.Value" | "google.protobuf.ListValue");
    for (number, field) in &fields {
        let Some(value) = message.field_by_number_mut(*number) else { continue };
        if let (true, Value::Map(members)) = (is_struct, &mut *value) {
            each_of_object(members, path, receivers, visit);
            continue;
        }
        let at = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        let is_value = matches!(field.as_str(), "value" | "string_value");
        // JSON inside the message has no members of its own.
        let at = if is_value || is_json { path.to_owned() } else { at };
        each_of_value(value, &at, if is_value { named } else { Named::No }, receivers, visit);
    }
}

fn each_of_value(value: &mut Value, path: &str, named: Named, receivers: &[String], visit: Visit<'_>) {
    match value {
        Value::String(text) => visit(&Place { path, named }, text),
        Value::Message(message) => each_of_message(message, path, receivers, visit),
        Value::List(items) => {
            let words = items.iter().map(|item| match item {
                Value::String(word) => Some(word.as_str()),
                other => text_in(other),
            });
            let among = credentials_among(words);
            for (index, (item, is_credential)) in items.iter_mut().zip(among).enumerate() {
                let named = if is_credential { Named::Surely } else { named };
                let name = name_of(item).unwrap_or_else(|| index.to_string());
                each_of_value(item, &format!("{path}[{name}]"), named, receivers, visit);
            }
        }
        Value::Map(members) => {
            let entries = std::mem::take(members).into_entries();
            let visited = entries.into_iter().map(|(key, mut value)| {
                each_of_value(&mut value, &format!("{path}.{}", text_of_key(&key)), named, receivers, visit);
                (key, value)
            });
            *members = visited.collect();
        }
        _ => {}
    }
}

/// The members of a JSON object: of a pod, which has no message of its own. A variable is an object with `name` and
/// `value`.
fn each_of_object(members: &mut MapValue, path: &str, receivers: &[String], visit: Visit<'_>) {
    let named = members.get_str("name").and_then(text_in).map_or(Named::No, Named::of);
    let entries = std::mem::take(members).into_entries();
    let visited = entries.into_iter().map(|(key, mut value)| {
        let member = text_of_key(&key);
        match (&mut value, named > Named::No && member == "value") {
            (Value::Message(message), true) => {
                if let Some(Value::String(text)) = string_value_mut(message) {
                    visit(&Place { path, named }, text);
                }
            }
            (value, _) => each_of_value(value, &format!("{path}.{member}"), Named::No, receivers, visit),
        }
        (key, value)
    });
    *members = visited.collect();
}

/// The number of `string_value` in `google.protobuf.Value`.
const STRING_VALUE: u32 = 3;
/// The number of `struct_value` there, and of `fields` in `google.protobuf.Struct`.
const STRUCT_VALUE: u32 = 5;
const FIELDS: u32 = 1;

fn string_value_mut(message: &mut DynamicMessage) -> Option<&mut Value> {
    message.field_by_number_mut(STRING_VALUE)
}

/// The text of a JSON string.
fn text_in(value: &Value) -> Option<&str> {
    let Value::Message(message) = value else { return None };
    match message.field_by_number(STRING_VALUE) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn text_of_key(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// What an element of a list is called.
fn name_of(item: &Value) -> Option<String> {
    let Value::Message(message) = item else { return None };
    let named = |name: &str| {
        let descriptor = message.message_descriptor();
        let number = descriptor.fields().iter().find(|field| field.name() == name)?.number();
        match message.field_by_number(number) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    };
    let in_object = || {
        let Some(Value::Message(object)) = message.field_by_number(STRUCT_VALUE) else { return None };
        let Some(Value::Map(members)) = object.field_by_number(FIELDS) else { return None };
        members.get_str("name").and_then(text_in).map(str::to_owned)
    };
    match message.message_descriptor().full_name() {
        "google.protobuf.Value" => in_object(),
        _ => named("key").or_else(|| named("name")),
    }
}
