//! The JSON Schema for editors, `schema/flyte.schema.json` (draft 2020-12).

use serde_json::{Map, Value, json};

use super::super::{Form, Format, Key, RESERVED_PORTS, Schema, TableType};

/// `schema/flyte.schema.json`, whole. Reserved keys are left out, so that an editor marks their use.
pub fn json_schema() -> String {
    let schema = Schema::load();
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flyte manifest",
        "description": "Apps on Flyte 2 and what they depend on.",
    });
    let definitions: Map<String, Value> =
        schema.defined.iter().filter_map(|t| Some((t.name.clone()?, own_table(t, false)))).collect();
    // A member of a workspace takes its name from the root.
    let root = own_table(&schema.root, false);
    for (key, value) in root.as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
    document["$defs"] = Value::Object(definitions);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn table(table: &TableType) -> Value {
    match &table.name {
        Some(name) => json!({ "$ref": format!("#/$defs/{name}") }),
        None => own_table(table, true),
    }
}

fn own_table(table: &TableType, require: bool) -> Value {
    let keys = || table.keys.iter().filter(|key| !key.planned);
    let properties: Map<String, Value> = keys().map(|key| (key.name.clone(), property(key))).collect();
    let mut value = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    // An app's own required keys may come from defaults; those of the tables inside are checked where they stand.
    let required: Vec<&str> = keys().filter(|key| key.required).map(|key| key.name.as_str()).collect();
    let inside = require || matches!(table.name.as_deref(), Some("secret" | "dependency" | "variable" | "parameter"));
    if inside && !required.is_empty() {
        value["required"] = json!(required);
    }
    if table.one_of {
        value["minProperties"] = json!(1);
        value["maxProperties"] = json!(1);
    }
    value
}

fn property(key: &Key) -> Value {
    let mut forms: Vec<Value> = key.forms.iter().map(form).collect();
    let mut value = if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) };
    let mut description = key.summary.clone();
    if !key.about.is_empty() {
        description = format!("{description}. {}", key.about);
    }
    value["description"] = json!(description);
    if let Some(default) = key.default.as_ref().and_then(|text| default(key, text)) {
        value["default"] = default;
    }
    value
}

/// A default as JSON; one that is a table is told in the description of its keys.
fn default(key: &Key, text: &str) -> Option<Value> {
    if key.forms.iter().any(|form| matches!(form, Form::Text { .. })) {
        return Some(json!(text));
    }
    serde_json::from_str(text).ok()
}

fn form(form: &Form) -> Value {
    match form {
        Form::Text { choices, .. } if !choices.is_empty() => json!({ "enum": choices }),
        Form::Text { format, min, max, .. } => {
            let mut value = json!({ "type": "string" });
            // A text may name a variable, whose value decides.
            if let Some(pattern) = format.pattern() {
                value["pattern"] = json!(format!("{pattern}|\\$\\{{vars\\."));
            }
            let characters = *format != Format::Duration;
            if let Some(min) = min.filter(|_| characters) {
                value["minLength"] = json!(min);
            }
            if let Some(max) = max.filter(|_| characters) {
                value["maxLength"] = json!(max);
            }
            value
        }
        Form::Integer { format, min, max } => {
            let mut value = json!({ "type": "integer" });
            if *min != i64::MIN {
                value["minimum"] = json!(min);
            }
            if *max != i64::MAX {
                value["maximum"] = json!(max);
            }
            if *format == Format::Port {
                value["not"] = json!({ "enum": RESERVED_PORTS });
            }
            value
        }
        Form::Number { .. } => json!({ "type": "number", "minimum": 0 }),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Any => json!(true),
        Form::List { min, element } => {
            let mut value = json!({ "type": "array", "items": one_of(element) });
            if *min > 0 {
                value["minItems"] = json!(min);
            }
            value
        }
        Form::Table(inner) => table(inner),
        Form::Map { keys, element } => {
            let mut value = json!({ "type": "object", "additionalProperties": one_of(element) });
            if let Some(pattern) = keys.pattern() {
                value["propertyNames"] = json!({ "pattern": pattern });
            }
            value
        }
    }
}

fn one_of(forms: &[Form]) -> Value {
    match forms {
        [only] => form(only),
        _ => json!({ "anyOf": forms.iter().map(form).collect::<Vec<_>>() }),
    }
}
