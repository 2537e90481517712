//! The rules of the interface definition.
//!
//! Source: the validation options in `flyteidl2/app/app_definition.proto` and `flyteidl2/app/app_payload.proto`.

use flyte_schema::flyteidl2::app::{App, Spec, input, scaling_metric, spec};

use super::StateError;

/// The greatest number of characters of a description and of the reason of an update.
const MAX_TEXT: usize = 100;
/// The greatest request timeout, in seconds.
const MAX_REQUEST_TIMEOUT_SECONDS: i64 = 3600;

/// What no server does without; `strict` adds the rules that not every server enforces.
pub fn app(app: &App, strict: bool) -> Result<(), StateError> {
    if app.spec.is_unset() {
        return Err(StateError::Missing("spec"));
    }
    if app.spec.app_payload.is_none() {
        return Err(StateError::Missing("spec.container or spec.pod"));
    }
    if strict { limits(&app.spec) } else { Ok(()) }
}

pub fn reason(reason: &str) -> Result<(), StateError> {
    at_most("reason", reason)
}

/// A project or domain: it becomes part of paths.
pub fn segment(field: &'static str, text: &str) -> Result<String, StateError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text {
        "" => Err(StateError::Missing(field)),
        _ if text.len() > 63 => Err(StateError::invalid(field, "at most 63 characters are allowed")),
        _ if !text.chars().all(good) || text.starts_with('.') => {
            Err(StateError::invalid(field, format!("`{text}` has characters that are not allowed")))
        }
        _ => Ok(text.to_owned()),
    }
}

fn limits(spec: &Spec) -> Result<(), StateError> {
    if let Some(spec::AppPayload::Container(container)) = &spec.app_payload {
        for port in &container.ports {
            if !(1..=65535).contains(&port.container_port) {
                let reason = format!("{} is not between 1 and 65535", port.container_port);
                return Err(StateError::invalid("spec.container.ports", reason));
            }
        }
    }
    let replicas = &spec.autoscaling.replicas;
    if replicas.min > replicas.max {
        let reason = format!("min {} is greater than max {}", replicas.min, replicas.max);
        return Err(StateError::invalid("spec.autoscaling.replicas", reason));
    }
    if let Some(metric) = spec.autoscaling.scaling_metric.as_option() {
        match &metric.metric {
            None => return Err(StateError::Missing("spec.autoscaling.scaling_metric.metric")),
            Some(scaling_metric::Metric::Concurrency(target)) if target.target_value == 0 => {
                return Err(StateError::invalid("spec.autoscaling.scaling_metric.concurrency", "must be at least 1"));
            }
            Some(_) => {}
        }
    }
    at_most("spec.profile.short_description", &spec.profile.short_description)?;
    for input in &spec.inputs.items {
        if input.name.is_empty() {
            return Err(StateError::Missing("spec.inputs.items.name"));
        }
        match &input.value {
            None => return Err(StateError::Missing("spec.inputs.items.value")),
            Some(input::Value::StringValue(text)) if text.is_empty() => {
                return Err(StateError::Missing("spec.inputs.items.string_value"));
            }
            Some(_) => {}
        }
    }
    if spec.links.iter().any(|link| link.path.is_empty()) {
        return Err(StateError::Missing("spec.links.path"));
    }
    if let Some(timeout) = spec.timeouts.request_timeout.as_option() {
        let within = 0..=MAX_REQUEST_TIMEOUT_SECONDS;
        let over = timeout.seconds == MAX_REQUEST_TIMEOUT_SECONDS && timeout.nanos > 0;
        if !within.contains(&timeout.seconds) || timeout.nanos < 0 || over {
            return Err(StateError::invalid("spec.timeouts.request_timeout", "must be between 0s and 3600s"));
        }
    }
    Ok(())
}

fn at_most(field: &'static str, text: &str) -> Result<(), StateError> {
    match text.chars().count() {
        count if count > MAX_TEXT => {
            Err(StateError::invalid(field, format!("{count} characters, at most {MAX_TEXT} are allowed")))
        }
        _ => Ok(()),
    }
}
