//! A case through the whole way from text to message, and both messages in a form to compare.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flyte::bundle::{Bundle, BundleSet};
use flyte::desired::{LowerOptions, lower};
use flyte::diagnostic::{Diagnostics, Severity, Style, render};
use flyte::manifest;
use flyte::model::parameter::{ArtifactVersion, ParameterKind, Pin, Resolved};
use flyte::model::{AppName, BundleRef, Digest};
use flyte::port::memory::MemoryFiles;
use flyte::resolve::{Selection, resolve};
use flyte_schema::flyteidl2::app::App;
use serde_json::{Value, json};

use super::{Case, manifest as written};

/// Why a case does not become a message.
pub struct Refusal {
    /// Of the first finding, or `context`.
    pub code: String,
    pub text: String,
    /// Every finding says where.
    pub has_place: bool,
}

/// The message we would send.
pub fn sent(case: &Case) -> Result<App, Refusal> {
    let version = version(case)?;
    // The address of packed code is the context's.
    let address = case.context["code_bundle"]["tgz"].as_str();
    let text = written::text(case);
    let mut files = MemoryFiles::default();
    files.insert("/golden/flyte.toml", text.as_str());
    for path in written::files(case) {
        files.insert(Path::new("/golden").join(path), "");
    }
    let manifest = manifest::load(&files, Path::new("/golden/flyte.toml")).expect("the text is there");
    let project = resolve(&manifest, &Selection::default()).map_err(|invalid| told(&invalid.0, &text))?;
    let name: AppName = case.app["name"].as_str().unwrap_or_default().parse().expect("the project has the app");
    // The bundle only keeps the place of the address.
    let bundle =
        Bundle { digest: BundleRef(Digest::of(b"code")), ..Bundle::new("/golden".into(), Vec::new(), Vec::new()) };
    let by_app = address.iter().map(|_| (name.clone(), Arc::new(bundle.clone()))).collect();
    let options = LowerOptions {
        label: Some(version),
        commit: None,
        source_link: source_link(case),
        resolved: BTreeMap::from([(name.clone(), resolved(case))]),
    };
    let mut desired = lower(&project, &BundleSet { by_app }, &options).map_err(|error| Refusal {
        code: "lower".to_owned(),
        text: error.to_string(),
        has_place: false,
    })?;
    let spec = desired.apps.remove(&name).expect("every app is lowered").spec;
    Ok(match address {
        Some(address) => spec.with_bundle_address(address).0,
        None => spec.0,
    })
}

fn told(diagnostics: &Diagnostics, text: &str) -> Refusal {
    let mut errors = diagnostics.list.iter().filter(|finding| finding.severity == Severity::Error);
    Refusal {
        has_place: errors.clone().all(|finding| !finding.labels.is_empty()),
        code: errors
            .next()
            .map_or_else(String::new, |finding| finding.code.0.trim_start_matches("manifest::").to_owned()),
        text: format!("{text}\n{}", render(diagnostics, Style::PLAIN)),
    }
}

fn outside(what: &str) -> Refusal {
    Refusal { code: "context".to_owned(), text: what.to_owned(), has_place: true }
}

/// The SDK names a version without a name by its bundle.
fn version(case: &Case) -> Result<String, Refusal> {
    let named = case.context["version"].as_str().or_else(|| case.context["code_bundle"]["computed_version"].as_str());
    named.filter(|version| !version.is_empty()).map(str::to_owned).ok_or_else(|| outside("a version without a name"))
}

fn source_link(case: &Case) -> Option<String> {
    let git = &case.context["git"];
    Some(format!("{}/tree/{}", git["remote_url"].as_str()?, git["commit"].as_str()?))
}

/// The answers that look-ups would give.
fn resolved(case: &Case) -> BTreeMap<String, Resolved> {
    let parameters = case.app["parameters"].as_array().into_iter().flatten();
    let resolved = |parameter: &Value| {
        let answer = &parameter["value"]["resolves_to"];
        let kinds = [("string", ParameterKind::Text), ("file", ParameterKind::File), ("dir", ParameterKind::Directory)];
        let (value, kind) =
            kinds.into_iter().find_map(|(name, kind)| Some((answer[name].as_str()?.to_owned(), kind)))?;
        let id = &answer["artifact_id"];
        let text = |name: &str| id["key"][name].as_str().unwrap_or_default().to_owned();
        let artifact = id["version"].as_str().map(|version| ArtifactVersion {
            org: text("org"),
            project: text("project"),
            domain: text("domain"),
            name: text("name"),
            version: version.to_owned(),
        });
        let origin = artifact.map_or(Pin::Run { run: "r".to_owned(), task: None }, Pin::Artifact);
        Some((parameter["name"].as_str()?.to_owned(), Resolved { value, kind, origin }))
    };
    parameters.filter_map(resolved).collect()
}

/// What the SDK sends, in the form of [`comparable`].
pub fn expected(case: &Case) -> Value {
    let bytes = STANDARD.decode(case.expect["app_b64"].as_str().unwrap_or_default()).expect("it is base64");
    let mut value = flyte_schema::to_json(&App::decode_from_slice(&bytes).expect("it is an app")).expect("it has JSON");
    value["spec"].as_object_mut().expect("it has a spec").remove("runtime_metadata");
    decode_transports(&mut value);
    value
}

/// Without what is ours alone (marks and the name of the program), transports decoded, and the words of the process as
/// they arrive: the SDK sends them as they are for a shell to take apart, we quote those that would not survive.
pub fn comparable(message: &App) -> Value {
    let mut value = flyte_schema::to_json(message).expect("it has JSON");
    value["spec"].as_object_mut().expect("it has a spec").remove("runtime_metadata");
    value["metadata"].as_object_mut().expect("it has metadata").remove("labels");
    let is_ours = |variable: &Value| {
        let name = variable["key"].as_str().or_else(|| variable["name"].as_str());
        name.is_some_and(|name| name.starts_with("FLYTE_DEPLOY_"))
    };
    each_container(&mut value, |container| {
        if let Some(Value::Array(env)) = container.get_mut("env") {
            env.retain(|variable| !is_ours(variable));
        }
        if container["env"] == json!([]) {
            container.as_object_mut().expect("containers are objects").remove("env");
        }
        let through_shell = container["command"][0] == "fserve" && container["command"][1] == "--version";
        if let (true, Some(args)) = (through_shell, container.get_mut("args").filter(|args| *args != &json!([]))) {
            let words: Vec<&str> = args.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            *args = shlex::split(&words.join(" ")).expect("a shell can read them").into();
        }
        // Reading `env` made it.
        container.as_object_mut().expect("containers are objects").retain(|_, value| !value.is_null());
    });
    decode_transports(&mut value);
    value
}

fn each_container(value: &mut Value, change: impl Fn(&mut Value)) {
    if let Some(container) = value.pointer_mut("/spec/container") {
        change(container);
    }
    let containers = value.pointer_mut("/spec/pod/pod_spec/containers").and_then(Value::as_array_mut);
    containers.into_iter().flatten().for_each(change);
}

/// Compressed options as what they say. The image cache is left out: `fserve` reads and ignores it, and the image that
/// it led to stands in the message.
fn decode_transports(value: &mut Value) {
    each_container(value, |container| {
        let Some(Value::Array(command)) = container.get_mut("command") else { return };
        if let Some(at) = command.iter().position(|word| word == "--image-cache") {
            command.drain(at..at + 2);
        }
        if let Some(at) = command.iter().position(|word| word == "--parameters") {
            let bytes = STANDARD.decode(command[at + 1].as_str().unwrap_or_default()).expect("it is base64");
            let mut text = String::new();
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("it is gzip");
            command[at + 1] = serde_json::from_str(&text).expect("it is JSON");
        }
    });
}
