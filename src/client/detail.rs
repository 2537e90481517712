//! The details of an error, decoded where their type is known.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use buffa_descriptor::DynamicMessage;
use connectrpc::ErrorDetail;
use flyte_schema::descriptor_pool;
use serde_json::Value;

use super::text::clean;

/// Details that are shown; a server that sends more is not read to its end.
const MOST: usize = 8;

/// How much of a detail is shown, in characters.
const SHOWN: usize = 300;

/// Senders leave out the padding, but need not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// ` [google.rpc.ErrorInfo: reason QUOTA, domain flyte.org]`, once for each; a type that is not known only by name.
pub fn told(details: &[ErrorDetail]) -> String {
    let mut text = String::new();
    for detail in details.iter().take(MOST) {
        let kind = clean(kind(detail), 100);
        match decode(detail).map(|value| clean(&plain(&value), SHOWN)) {
            Some(value) if !value.is_empty() => text += &format!(" [{kind}: {value}]"),
            _ => text += &format!(" [{kind}]"),
        }
    }
    if details.len() > MOST {
        text += &format!(" [{} more]", details.len() - MOST);
    }
    text
}

/// How long the server asks to wait, in a `google.rpc.RetryInfo`.
pub fn retry_delay(details: &[ErrorDetail]) -> Option<Duration> {
    let info = details.iter().find(|detail| kind(detail) == "google.rpc.RetryInfo").and_then(decode)?;
    let text = info.get("retry_delay")?.as_str()?;
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// The type's name. Connect sends it bare, gRPC behind a host.
fn kind(detail: &ErrorDetail) -> &str {
    detail.type_url.rsplit('/').next().unwrap_or_default()
}

fn decode(detail: &ErrorDetail) -> Option<Value> {
    let pool = descriptor_pool();
    let index = pool.message_index(kind(detail))?;
    let bytes = BASE64.decode(detail.value.as_deref()?).ok()?;
    let message = DynamicMessage::decode(pool.clone(), index, &bytes).ok()?;
    serde_json::to_value(message).ok()
}

/// A value without the signs of JSON: `reason QUOTA, metadata (limit 5)`.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name} ({})", plain(value)),
                _ => format!("{name} {}", plain(value)),
            };
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
