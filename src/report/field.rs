//! One field of an app as people read it: its key, its values, whose change it is, and where it is written.

use std::borrow::Cow;

use serde_json::Value;

use super::paint::Paint;
use crate::diff::{ChangedBy, FieldChange};
use crate::model::key_path;
use crate::plan::{AppPlan, Plan, Verb};

/// The fields that are told one by one: not what nobody wrote, and not the code where it is told by file.
pub(super) fn shown_fields(app: &AppPlan) -> Vec<Cow<'_, FieldChange>> {
    if !matches!(app.verb, Verb::Create | Verb::Update | Verb::Refused) {
        return Vec::new();
    }
    let by_file = app.code.is_some() || app.bundle.is_some();
    let told = app.fields.iter().filter(|field| !(field.is_boilerplate() || by_file && field.is_code()));
    told.flat_map(by_member).collect()
}

/// A field, or where it was and becomes a table, the members that differ.
fn by_member(field: &FieldChange) -> Vec<Cow<'_, FieldChange>> {
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (&field.old, &field.new) else {
        return vec![Cow::Borrowed(field)];
    };
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let differing: Vec<_> = names
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            let [old, new] = [old, new].map(|side| side.get(name).cloned());
            let released = field.released.as_ref().and_then(|released| released.get(name)).cloned();
            let changed_by = match field.changed_by {
                ChangedBy::Both if released == old => ChangedBy::Us,
                ChangedBy::Both if released == new => ChangedBy::Them,
                by => by,
            };
            let pin = field.pin.clone().filter(|_| ["value", "file", "directory"].contains(&name.as_str()));
            let key = key_path(&field.key, name);
            Cow::Owned(FieldChange { key, old, new, changed_by, released, pin, ..field.clone() })
        })
        .collect();
    // Other values may have the same placeholders.
    if differing.is_empty() { vec![Cow::Borrowed(field)] } else { differing }
}

/// `key  old → new  place`
pub(super) fn field_text(plan: &Plan, app: &AppPlan, field: &FieldChange, width: usize, paint: Paint) -> String {
    let key = format!("{:<width$}", field.key);
    let place = field.span.map(|span| plan.diagnostics.sources.locate(span)).filter(|_| app.verb == Verb::Update);
    let place = place.map_or(String::new(), |place| format!("  {}", paint.dim(place)));
    let change = match (&field.old, &field.new) {
        (None, Some(new)) if app.verb == Verb::Create => value(new),
        (None, Some(new)) => paint.good(format!("+ {}", value(new))),
        (Some(old), None) => paint.bad(format!("- {}", value(old))),
        (Some(Value::Array(old)), Some(Value::Array(new))) => elements(old, new, paint),
        (Some(old), Some(new)) => format!("{} → {}", paint.bad(value(old)), paint.good(value(new))),
        (None, None) => String::new(),
    };
    let pin = field.pin.as_ref().map_or(String::new(), |pin| format!("  {}", paint.dim(format!("({pin})"))));
    let outside = whose(field.changed_by, field.released.as_ref());
    let outside = outside.map_or(String::new(), |outside| paint.bad(outside));
    format!("{key}  {change}{outside}{pin}{place}")
}

/// Who changed a field, where it was not we alone.
pub(super) fn whose(by: ChangedBy, released: Option<&Value>) -> Option<String> {
    match by {
        ChangedBy::Them => Some("  changed outside".to_owned()),
        ChangedBy::Both => {
            let was = released.map_or_else(|| "was not set".to_owned(), |was| format!("was {}", value(was)));
            Some(format!("  changed outside and here; {was}"))
        }
        ChangedBy::Us | ChangedBy::Unknown => None,
    }
}

/// The same of a field that is left to others.
pub(super) fn kept_text(plan: &Plan, field: &FieldChange, paint: Paint) -> String {
    let place = field.span.map(|span| format!("  {}", paint.dim(plan.diagnostics.sources.locate(span))));
    format!("{}{}", kept_words(field), place.unwrap_or_default())
}

/// What stays as it runs, and what is declared.
pub(super) fn kept_words(field: &FieldChange) -> String {
    let told = |side: &Option<Value>| side.as_ref().map_or("nothing".to_owned(), value);
    format!("{}  {} left to others; {} is declared", field.key, told(&field.old), told(&field.new))
}

/// A list by element: what stays is not repeated.
fn elements(old: &[Value], new: &[Value], paint: Paint) -> String {
    let show = |(sign, item): (char, &Value)| match sign {
        '-' => paint.bad(format!("- {}", value(item))),
        _ => paint.good(format!("+ {}", value(item))),
    };
    changed_elements(old, new).into_iter().map(show).collect::<Vec<_>>().join(" ")
}

/// The elements that go, with `-`, and those that come, with `+`.
pub(super) fn changed_elements<'a>(old: &'a [Value], new: &'a [Value]) -> Vec<(char, &'a Value)> {
    let (left, right): (Vec<String>, Vec<String>) =
        (old.iter().map(Value::to_string).collect(), new.iter().map(Value::to_string).collect());
    let operations = similar::capture_diff_slices(similar::Algorithm::Myers, &left, &right);
    let mut changed = Vec::new();
    for operation in operations.iter().filter(|operation| operation.tag() != similar::DiffTag::Equal) {
        changed.extend(old[operation.old_range()].iter().map(|item| ('-', item)));
        changed.extend(new[operation.new_range()].iter().map(|item| ('+', item)));
    }
    changed
}

pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with("(sensitive #") => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let member = |(key, item): (&String, &Value)| format!("{key} = {}", self::value(item));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
