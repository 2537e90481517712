//! What single texts must look like: names, paths, image references, command lines.

pub use super::duration::duration;
use super::{address, kubernetes};
use crate::diagnostic::{Code, codes};
use crate::model::{AppName, InvalidName, SECRET_NAME, is_of_secret_name};
use crate::schema::Format;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub message: String,
    /// Beside the text.
    pub label: String,
    pub help: String,
}

pub(super) fn fault<T>(
    code: Code,
    message: impl Into<String>,
    label: &str,
    help: impl Into<String>,
) -> Result<T, Fault> {
    Err(Fault { code, message: message.into(), label: label.to_owned(), help: help.into() })
}

/// Whether `text` is of `format`.
///
/// # Errors
/// The first thing wrong with it.
pub fn check(format: Format, text: &str) -> Result<(), Fault> {
    match format {
        Format::Any | Format::Port => Ok(()),
        Format::Accelerator => kubernetes::accelerator(text).map(drop),
        Format::ArtifactName => named(text, "name of an artifact", "letters, digits, `-`, `_` and `.`", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
        })
        .and_then(|()| within(text, 255)),
        Format::Bytes => kubernetes::bytes(text),
        Format::Cpu => kubernetes::cpu(text),
        Format::Host => kubernetes::host(text),
        Format::LabelKey => kubernetes::label_key(text),
        Format::LabelValue => kubernetes::label_value(text),
        Format::Mount => kubernetes::mount(text),
        Format::ParameterName => {
            named(text, "name of a parameter", "anything but control characters", |c| !c.is_control())
        }
        Format::PythonObject => kubernetes::python_object(text),
        Format::ServiceAccount => kubernetes::service_account(text),
        Format::SharedMemory if text == "auto" => Ok(()),
        Format::SharedMemory => kubernetes::bytes(text),
        Format::ReleaseStore => release_store(text),
        Format::Url => url(text),
        Format::Subdomain => kubernetes::subdomain(text),
        Format::AppName => app_name(text),
        Format::Duration => duration(text).map(drop),
        Format::Endpoint => address::endpoint(text),
        Format::File => address::file(text),
        Format::Glob => glob(text),
        Format::HttpPath => http_path(text),
        Format::Image => image(text),
        Format::Path => path(text),
        Format::PortName => named(text, "port name", "1 to 15 characters of `a-z`, `0-9` and `-`", |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        })
        .and_then(|()| within(text, 15)),
        Format::ScopeName => named(text, "name", "letters, digits, `-`, `_` and `.`", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
        })
        .and_then(|()| within(text, 63)),
        Format::SecretVariable => address::secret_variable(text),
        Format::SecretKey => named(text, "secret name", SECRET_NAME, is_of_secret_name),
        Format::ShellWords => words(text).map(drop),
        Format::EnvName => kubernetes::env_name(text),
        Format::Variable => variable(text),
        Format::Word => {
            named(text, "name", "letters, digits, `-` and `_`", |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        }
    }
}

fn app_name(text: &str) -> Result<(), Fault> {
    let Err(error) = AppName::new(text) else { return Ok(()) };
    let help = match suggested_name(text) {
        Some(name) => format!("write `{name}`, for instance: at most 30 characters of `a-z`, `0-9` and `-`"),
        None => "a name has 1 to 30 characters of `a-z`, `0-9` and `-`, with a letter or digit at both ends".to_owned(),
    };
    let message = match error {
        InvalidName::Empty => "an app without a name".to_owned(),
        _ => format!("`{text}` cannot be the name of an app"),
    };
    fault(codes::BAD_NAME, message, &error.to_string(), help)
}

/// The nearest allowed name.
fn suggested_name(text: &str) -> Option<String> {
    let mut name: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(AppName::MAX_LENGTH)
        .collect();
    name = name.trim_matches('-').to_owned();
    AppName::new(name.as_str()).is_ok().then_some(name)
}

fn named(text: &str, what: &str, allowed: &str, is_allowed: impl Fn(char) -> bool) -> Result<(), Fault> {
    let help = format!("use {allowed}");
    if text.is_empty() {
        return fault(codes::BAD_NAME, format!("the {what} is empty"), "empty", help);
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(bad) => {
            let shown = if bad.is_whitespace() { "white space".to_owned() } else { format!("`{bad}`") };
            let label = format!("{shown} is not allowed here");
            fault(codes::BAD_NAME, format!("`{text}` is not a {what}"), &label, help)
        }
        None => Ok(()),
    }
}

fn within(text: &str, max: usize) -> Result<(), Fault> {
    if text.len() <= max {
        return Ok(());
    }
    let label = format!("{} characters", text.len());
    fault(codes::BAD_NAME, "the name is too long", &label, format!("at most {max} characters are allowed"))
}

pub(super) fn variable(text: &str) -> Result<(), Fault> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    fault(
        codes::BAD_NAME,
        format!("`{text}` cannot be the name of an environment variable"),
        "not a variable name",
        "use letters, digits and `_`, and no digit at the start",
    )
}

/// Splits a command line as a POSIX shell would; nothing is expanded.
///
/// # Errors
/// When a quote is not closed or a backslash ends the text.
pub fn words(text: &str) -> Result<Vec<String>, Fault> {
    match shlex::split(text) {
        Some(words) if words.is_empty() => fault(
            codes::BAD_COMMAND_LINE,
            "the command line is empty",
            "no words",
            "name the program and its arguments, or leave the key out",
        ),
        Some(words) => Ok(words),
        None => fault(
            codes::BAD_COMMAND_LINE,
            "the command line cannot be split into words",
            "a quote is not closed, or a backslash ends it",
            "close the quote, or write a list, in whose words quotes mean nothing: `[\"echo\", \"it's here\"]`",
        ),
    }
}

fn http_path(text: &str) -> Result<(), Fault> {
    if text.starts_with('/') && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    let help = if text.contains("://") {
        "write only the path: the app itself is asked".to_owned()
    } else {
        format!("write `\"/{}\"`", text.trim_start_matches('/').trim())
    };
    fault(codes::INVALID_VALUE, format!("`{text}` is not the path of a URL"), "must begin with `/`", help)
}

fn url(text: &str) -> Result<(), Fault> {
    let host = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)) {
        return Ok(());
    }
    let help = "write `\"https://minio.example.com\"`, for instance";
    fault(codes::INVALID_VALUE, format!("`{text}` is not a URL"), "no `http://` or `https://` and a host", help)
}

fn release_store(text: &str) -> Result<(), Fault> {
    let Some((scheme, place)) = text.split_once("://") else {
        if text.is_empty() {
            let help = "name a directory, such as `\".flyte/releases\"`, or a bucket, such as `\"s3://bucket/prefix\"`";
            return fault(codes::INVALID_VALUE, "the store of releases is empty", "empty", help);
        }
        return path(text);
    };
    if !["s3", "gs", "az"].contains(&scheme) {
        let help = "write `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or a relative path";
        return fault(codes::INVALID_VALUE, format!("`{scheme}://` is no store of releases"), "another scheme", help);
    }
    let mut segments = place.trim_end_matches('/').split('/');
    let bad = |segment: &str| {
        segment.is_empty()
            || segment.starts_with('.')
            || segment.contains(|c: char| c.is_whitespace() || "?#%*\\".contains(c))
    };
    if segments.any(bad) {
        let help = format!("write `{scheme}://bucket/prefix`: names separated by single `/`");
        return fault(codes::INVALID_VALUE, format!("`{text}` does not name a place in a bucket"), "not names", help);
    }
    Ok(())
}

/// Paths are relative, and a `..` is judged where the path is used.
fn path(text: &str) -> Result<(), Fault> {
    if text.starts_with('/') || text.starts_with('~') || text.contains('\\') {
        return fault(
            codes::OUTSIDE_ROOT,
            format!("`{text}` is not a path relative to the manifest"),
            if text.contains('\\') { "has a backslash" } else { "an absolute path" },
            "write a path below the manifest's directory, with `/` between its parts: another machine has other directories",
        );
    }
    Ok(())
}

fn glob(text: &str) -> Result<(), Fault> {
    path(text)?;
    if text.split('/').any(|part| part == "..") {
        return fault(
            codes::OUTSIDE_ROOT,
            format!("`{text}` leaves its directory"),
            "`..` leads out",
            "name what lies below the directory, without `..`",
        );
    }
    match globset::Glob::new(text) {
        Ok(_) => Ok(()),
        Err(error) => fault(
            codes::INVALID_VALUE,
            format!("`{text}` is not a glob"),
            &error.kind().to_string(),
            "close every `[` and `{`, or write `[[]` for the character itself",
        ),
    }
}

fn image(text: &str) -> Result<(), Fault> {
    let bad =
        |label: &str, help: String| fault(codes::BAD_IMAGE, format!("`{text}` is not an image reference"), label, help);
    if let Some((scheme, rest)) = text.split_once("://") {
        return bad(&format!("`{scheme}://` does not belong here"), format!("write `{rest}`"));
    }
    if text.is_empty() {
        return bad("empty", "write `registry/name:tag`".to_owned());
    }
    if text == "auto" {
        let help = "name the image: the SDK's own is `ghcr.io/flyteorg/flyte:py3.12-v2.12.1`, for Python 3.12";
        return bad("an image that only the Python SDK can choose", help.to_owned());
    }
    if text.contains(char::is_whitespace) {
        return bad("white space is not allowed", "write `registry/name:tag` without spaces".to_owned());
    }
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    if let Some(digest) = digest {
        let hex = digest.strip_prefix("sha256:").unwrap_or("");
        if hex.len() != 64 || !hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
            return bad("not a digest after `@`", "a digest is `sha256:` and 64 hex digits".to_owned());
        }
    }
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (&rest[..rest.len() - last.len() + name.len()], Some(tag)),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if tag.is_empty() || tag.len() > 128 || !tag.chars().all(word) || tag.starts_with(['.', '-']) {
            return bad(
                "the tag is not allowed",
                "a tag has letters, digits, `_`, `.` and `-`, at most 128".to_owned(),
            );
        }
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    // The first part is a registry when it could not be anything else.
    if parts.len() > 1 && (parts[0].contains(['.', ':']) || parts[0] == "localhost") {
        parts.remove(0);
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    for part in parts {
        if part.is_empty() {
            return bad("a part of the name is empty", "write `registry/name:tag`".to_owned());
        }
        if let Some(c) = part.chars().find(|c| !allowed(*c)) {
            let help = if part.to_ascii_lowercase().chars().all(allowed) {
                format!("registries know only lower case: write `{}`", text.replace(part, &part.to_ascii_lowercase()))
            } else {
                "the name has `a-z`, `0-9`, `.`, `_` and `-`".to_owned()
            };
            return bad(&format!("`{c}` is not allowed in the name"), help);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let digest = format!("ghcr.io/acme/web@sha256:{}", "0a".repeat(32));
        for text in ["python", "python:3.12-slim", "ghcr.io/acme/web:1", "localhost:5000/a/b:x", "localhost/a", &digest]
        {
            assert_eq!(check(Format::Image, text), Ok(()), "{text}");
        }
        for text in ["", "a b", "https://ghcr.io/a", "ghcr.io/Acme/web", "a:", "a@sha256:12", "a//b", "a:b:c", "a:-x"] {
            assert!(check(Format::Image, text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_of_other_formats() {
        let check = |format: Format, good: &[&str], bad: &[&str]| {
            good.iter().for_each(|text| assert_eq!(super::check(format, text), Ok(()), "{format:?} {text:?}"));
            bad.iter().for_each(|text| assert!(super::check(format, text).is_err(), "{format:?} {text:?}"));
        };
        check(Format::Endpoint, &["dns:///a.b", "http://localhost:30080"], &["a.b", "dns://", "https:///", "ftp://a"]);
        check(Format::Glob, &["a/**", "*.py", "{a,b}"], &["/a", "../a", "a/../b", "[a", "~/x"]);
        check(Format::HttpPath, &["/", "/healthz?x=1"], &["healthz", "", "http://a/b"]);
        check(
            Format::EnvName,
            &["A", "_a1", "discovery.type", "a-b", "-a", ".a", "_"],
            &["", "1A", "Ä", "A=B", "a b", ".", "..", "..a"],
        );
        check(Format::Variable, &["A", "_a1"], &["", "1A", "A-B", "Ä"]);
        check(Format::ShellWords, &["python x.py", "sh -c 'a b'"], &["", "sh -c 'a", "a \\"]);
    }
}
