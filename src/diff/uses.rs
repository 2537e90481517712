//! Which apps a message refers to by their endpoints.

use std::collections::BTreeSet;

use flyte_schema::flyteidl2::app::{App, input};
use serde_json::Value;

use crate::canonical::canonical;
use crate::model::AppName;

/// The apps whose endpoints an app is given. A text among its parameters may be called like an app and is none: where
/// the parameters tell what kind each is, only endpoints count.
pub fn endpoints(app: &App) -> BTreeSet<AppName> {
    let inputs = &app.spec.inputs.items;
    if inputs.is_empty() {
        return BTreeSet::new();
    }
    let spec = canonical(app);
    let kinds = spec.get("parameters").and_then(Value::as_object);
    let is_endpoint = |name: &str| {
        kinds.is_none_or(|kinds| kinds.get(name).is_some_and(|parameter| parameter["type"] == "app_endpoint"))
    };
    let name = |input: &flyte_schema::flyteidl2::app::Input| match &input.value {
        Some(input::Value::AppId(id)) => AppName::new(id.name.clone()).ok(),
        Some(input::Value::StringValue(name)) if is_endpoint(&input.name) => AppName::new(name.clone()).ok(),
        _ => None,
    };
    inputs.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;
    use crate::bundle::gzip::gzip;

    #[test]
    fn a_text_that_is_called_like_an_app_is_none() {
        let parameters = json!({ "parameters": [
            { "name": "MODEL", "value": "llama", "type": "string" },
            { "name": "API", "value": "{\"type\":\"string\",\"app_name\":\"backend\"}", "type": "app_endpoint" },
        ] });
        let transported = STANDARD.encode(gzip(parameters.to_string().as_bytes()).unwrap());
        let items = json!([
            { "name": "MODEL", "string_value": "llama" },
            { "name": "API", "string_value": "backend" },
            { "name": "OTHER", "app_id": { "name": "other" } },
        ]);
        let used = |command: Value| {
            let app = json!({ "spec": { "container": { "command": command }, "inputs": { "items": items.clone() } } });
            let names = endpoints(&flyte_schema::from_json(app).unwrap());
            names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(used(json!(["fserve", "--parameters", transported, "--"])), "backend other");
        assert_eq!(used(json!(["serve"])), "backend llama other");
    }
}
