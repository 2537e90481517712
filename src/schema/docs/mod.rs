//! What is generated from the schema: the reference page, the JSON Schema for editors, the text of `flyte explain`.

mod explain;
mod json;
mod markdown;

pub use explain::{explain, reflow};
pub use json::json_schema;
pub use markdown::markdown;

use super::{Form, Format, Key};

/// What a key accepts, in words: `integer from 1 to 65535, or table`.
fn accepts(key: &Key) -> String {
    key.forms.iter().map(form).collect::<Vec<_>>().join(", or ")
}

fn form(form: &Form) -> String {
    match form {
        Form::Text { choices, .. } if !choices.is_empty() => {
            choices.iter().map(|choice| format!("`\"{choice}\"`")).collect::<Vec<_>>().join(" or ")
        }
        Form::Text { format, max, .. } => {
            let limit = match (format, max) {
                (Format::Duration, Some(max)) => format!(" of at most {}", seconds(*max)),
                (_, Some(max)) => format!(" of at most {max} characters"),
                (_, None) => String::new(),
            };
            format!("{}{limit}", text(*format))
        }
        Form::Integer { min, max, .. } => match (*min, *max) {
            (i64::MIN, i64::MAX) => "integer".to_owned(),
            (min, i64::MAX) => format!("integer from {min}"),
            (min, 4_294_967_295) => format!("integer from {min}"),
            (min, max) => format!("integer from {min} to {max}"),
        },
        Form::Number { .. } => "number".to_owned(),
        Form::Boolean => "`true` or `false`".to_owned(),
        Form::Any => "whatever JSON can say".to_owned(),
        Form::List { element, .. } => {
            let elements: Vec<String> = element.iter().map(self::form).collect();
            format!("list of {}", elements.join(" or "))
        }
        Form::Table(_) => "table".to_owned(),
        Form::Map { element, .. } => {
            let elements: Vec<String> = element.iter().map(self::form).collect();
            format!("table with names of your choice, each {}", elements.join(" or "))
        }
    }
}

fn text(format: Format) -> &'static str {
    match format {
        Format::Any | Format::Port => "text",
        Format::Accelerator => "accelerator such as `\"T4:1\"`",
        Format::AppName
        | Format::ArtifactName
        | Format::ParameterName
        | Format::PortName
        | Format::ScopeName
        | Format::ServiceAccount
        | Format::Word => "name",
        Format::Bytes => "quantity such as `\"512Mi\"`",
        Format::Cpu => "quantity such as `\"500m\"`",
        Format::Duration => "duration such as `\"90s\"` or `\"1h30m\"`",
        Format::Endpoint | Format::Url => "address",
        Format::ReleaseStore => "path, or address of a bucket",
        Format::Glob => "path or glob",
        Format::Host => "host name",
        Format::HttpPath => "path that begins with `/`",
        Format::Image => "image reference",
        Format::LabelKey | Format::LabelValue => "text as in a Kubernetes label",
        Format::Mount => "absolute path in the container",
        Format::File | Format::Path => "path",
        Format::PythonObject => "`\"module:attribute\"`",
        Format::SecretKey => "name of a secret",
        Format::SharedMemory => "quantity such as `\"2Gi\"`, or `\"auto\"`",
        Format::ShellWords => "command line",
        Format::Subdomain => "part of a host name",
        Format::EnvName | Format::SecretVariable | Format::Variable => "name of an environment variable",
    }
}

fn seconds(seconds: u64) -> String {
    if seconds.is_multiple_of(3600) { format!("{}h", seconds / 3600) } else { format!("{seconds}s") }
}
