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

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(kind: &str, value: &[u8]) -> ErrorDetail {
        let value = Some(BASE64.encode(value).trim_end_matches('=').to_owned());
        ErrorDetail { type_url: kind.to_owned(), value, debug: None }
    }

    #[test]
    fn details_are_shown_as_far_as_they_are_known() {
        let check = |kind: &str, value: &[u8], expected: &str| assert_eq!(told(&[detail(kind, value)]), expected);
        check(
            "type.googleapis.com/google.rpc.ErrorInfo",
            b"\x0a\x05QUOTA\x12\x05flyte\x1a\x0a\x0a\x05limit\x12\x015",
            " [google.rpc.ErrorInfo: reason QUOTA, domain flyte, metadata (limit 5)]",
        );
        check(
            "google.rpc.BadRequest",
            b"\x0a\x11\x0a\x04port\x12\x09too large\x0a\x0c\x0a\x05image\x12\x03\x1b[m",
            " [google.rpc.BadRequest: field_violations field port, description too large; field image, description [m]",
        );
        check("flyteidl2.app.Identifier", b"\x22\x03web", " [flyteidl2.app.Identifier: name web]");
        check("acme.Unknown", b"\x0a\x01a", " [acme.Unknown]");
        check("google.rpc.ErrorInfo", b"\xff\xff", " [google.rpc.ErrorInfo]");
        check("google.rpc.Help", b"", " [google.rpc.Help]");
        let long = detail("google.rpc.DebugInfo", &[&b"\x12\xf4\x03"[..], &[b'x'; 500]].concat());
        assert_eq!(told(&[long]).len(), " [google.rpc.DebugInfo: ]".len() + SHOWN + "… (507 bytes in all)".len());
        let many: Vec<_> = (0..20).map(|_| detail("a.B", b"")).collect();
        assert!(told(&many).ends_with(" [a.B] [12 more]"));
    }

    #[test]
    fn a_delay_is_read() {
        let wait = |value: &[u8]| retry_delay(&[detail("a.B", b""), detail("google.rpc.RetryInfo", value)]);
        assert_eq!(wait(b"\x0a\x02\x08\x05"), Some(Duration::from_secs(5)));
        assert_eq!(wait(b"\x0a\x06\x10\x80\xca\xb5\xee\x01"), Some(Duration::from_millis(500)));
        assert_eq!(wait(b""), None);
    }
}
