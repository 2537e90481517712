//! What is wrong with single texts and numbers, by what the schema says of them.

use super::Value;
use super::format::{self, Fault};
use crate::diagnostic::{codes, did_you_mean};
use crate::schema::{Format, RESERVED_PORTS};

pub fn text_fault(
    text: &str,
    format: Format,
    min: Option<u64>,
    max: Option<u64>,
    choices: &[String],
    path: &str,
) -> Option<Fault> {
    let fault = |code, message: String, label: String, help: String| Some(Fault { code, message, label, help });
    if !choices.is_empty() {
        if choices.iter().any(|choice| choice == text) {
            return None;
        }
        let listed: Vec<String> = choices.iter().map(|choice| format!("`\"{choice}\"`")).collect();
        let help = match did_you_mean(text, choices.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `\"{near}\"`?"),
            None => format!("write {}", listed.join(" or ")),
        };
        return fault(
            codes::INVALID_VALUE,
            format!("`{path}` cannot be `{text}`"),
            format!("must be {}", listed.join(" or ")),
            help,
        );
    }
    if let Err(found) = format::check(format, text) {
        return Some(found);
    }
    if format == Format::Duration {
        let seconds = format::duration(text).map_or(0.0, |duration| duration.as_secs_f64());
        if max.is_some_and(|max| seconds > max as f64) {
            let max = max.unwrap_or(0);
            let limit = if max.is_multiple_of(3600) { format!("{}h", max / 3600) } else { format!("{max}s") };
            return fault(
                codes::OUT_OF_RANGE,
                format!("`{path}` is too long"),
                format!("more than {limit}"),
                format!("write at most `\"{limit}\"`"),
            );
        }
        if min.is_some_and(|min| min > 0) && seconds == 0.0 {
            return fault(
                codes::OUT_OF_RANGE,
                format!("`{path}` is zero"),
                "no time at all".into(),
                "write a time above zero, or leave the key out".into(),
            );
        }
        return None;
    }
    let characters = text.chars().count() as u64;
    if min.is_some_and(|min| characters < min) {
        let (message, help) = (format!("`{path}` is empty"), "write a text, or leave the key out".to_owned());
        return fault(codes::OUT_OF_RANGE, message, "nothing in it".into(), help);
    }
    if let Some(max) = max.filter(|max| characters > *max) {
        return fault(
            codes::OUT_OF_RANGE,
            format!("`{path}` is too long"),
            format!("{characters} characters"),
            format!("use at most {max}"),
        );
    }
    None
}

pub fn integer_fault(number: i64, format: Format, min: i64, max: i64, path: &str) -> Option<Fault> {
    let fault = |code, message: String, label: String, help: String| Some(Fault { code, message, label, help });
    if number < min || number > max {
        let label = if number < min { format!("below {min}") } else { format!("above {max}") };
        let range = if max == 4_294_967_295 {
            format!("a number of at least {min}")
        } else {
            format!("a number from {min} to {max}")
        };
        return fault(codes::OUT_OF_RANGE, format!("`{path}` cannot be {number}"), label, format!("write {range}"));
    }
    if format == Format::Port && RESERVED_PORTS.iter().any(|port| i64::from(*port) == number) {
        let listed: Vec<String> = RESERVED_PORTS.iter().map(u16::to_string).collect();
        return fault(
            codes::RESERVED_PORT,
            format!("port {number} belongs to the platform"),
            "reserved".into(),
            format!("choose another port, such as 8080; reserved are {}", listed.join(", ")),
        );
    }
    None
}

pub fn number_fault(value: &Value, format: Format) -> Option<Fault> {
    format::check(format, &value.number_text()?).err()
}

/// What JSON cannot say.
pub fn any_fault(value: &Value, path: &str) -> Option<Fault> {
    let fault = |message: String, label: &str, help: &str| {
        Some(Fault { code: codes::INVALID_VALUE, message, label: label.to_owned(), help: help.to_owned() })
    };
    match value {
        Value::Datetime(date) => fault(
            format!("`{path}` is a date"),
            "Kubernetes has no dates",
            &format!("write it as a text: `\"{date}\"`"),
        ),
        Value::Float(text) if text.parse::<f64>().is_ok_and(|number| !number.is_finite()) => {
            fault(format!("`{path}` is not a number that can be sent"), "not finite", "write a finite number")
        }
        _ => None,
    }
}
