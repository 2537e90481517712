//! Parameters as `fserve` is told them, back to `parameters` and the endpoints in `env`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use flyte_schema::flyteidl2::app::{InputList, input};
use flyte_schema::flyteidl2::core::ArtifactVersionId;
use serde::Deserialize;
use toml::{Table, Value};

use super::Hints;
use crate::model::Scope;
use crate::model::parameter::{ArtifactVersion, ParameterKind, Pin, Resolved};

/// The greatest size of decoded parameters in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What the parameters of an app become.
#[derive(Debug, Default)]
pub struct Parameters {
    /// Variables that hold the URL of another app.
    pub env: Table,
    pub parameters: Table,
    pub resolved: BTreeMap<String, Resolved>,
    /// Those whose name another has before them, as the comparison names them: `x#2`.
    pub repeated: Vec<String>,
}

/// As `fserve` reads it.
#[derive(Deserialize)]
struct Transported {
    name: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    download: bool,
    #[serde(rename = "type")]
    kind: String,
    env_var: Option<String>,
    dest: Option<String>,
    #[serde(default)]
    ignore_patterns: Vec<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    app_name: String,
    #[serde(default)]
    public: bool,
}

/// `None` where they are not as `fserve` takes them.
pub fn parameters(transport: &str, inputs: &InputList, scope: &Scope, hints: &Hints) -> Option<Parameters> {
    #[derive(Deserialize)]
    struct All {
        parameters: Vec<Transported>,
    }
    let bytes = STANDARD.decode(transport).ok()?;
    let mut json = String::new();
    GzDecoder::new(bytes.as_slice()).take(MAX_BYTES).read_to_string(&mut json).ok()?;
    let all: All = serde_json::from_str(&json).ok()?;
    let mut found = Parameters::default();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &all.parameters {
        let count = names.entry(&one.name).or_default();
        *count += 1;
        if *count > 1 {
            found.repeated.push(format!("{}#{count}", one.name));
            continue;
        }
        let artifact = inputs.items.iter().find(|item| item.name == one.name).and_then(|item| match &item.value {
            Some(input::Value::ArtifactId(id)) => Some(&**id),
            _ => None,
        });
        found.add(one, artifact, scope, hints)?;
    }
    Some(found)
}

impl Parameters {
    /// Those that the control plane is told of and the starter is not: texts, as far as anybody can tell.
    pub fn told_to_server(inputs: &InputList) -> Self {
        let text = |value: &Option<input::Value>| match value {
            Some(input::Value::StringValue(text)) => Some(Value::from(text.as_str())),
            _ => None,
        };
        let texts = inputs.items.iter().filter_map(|item| Some((item.name.clone(), text(&item.value)?)));
        Self { parameters: texts.collect(), ..Self::default() }
    }

    /// The apps whose URLs are among them: dependencies by themselves.
    pub fn endpoints(&self) -> BTreeSet<&str> {
        self.env.iter().chain(&self.parameters).filter_map(|(_, value)| value.get("endpoint")?.as_str()).collect()
    }

    fn add(
        &mut self,
        one: &Transported,
        artifact: Option<&ArtifactVersionId>,
        scope: &Scope,
        hints: &Hints,
    ) -> Option<()> {
        let mut table = Table::new();
        let kind = match one.kind.as_str() {
            "string" => ParameterKind::Text,
            "file" => ParameterKind::File,
            "directory" => ParameterKind::Directory,
            "app_endpoint" => ParameterKind::Endpoint,
            _ => return None,
        };
        let asked = hints.asked.get(&one.name);
        if asked.is_some() || artifact.is_some() {
            let (key, question) = match (asked, artifact) {
                (Some((key, question)), _) => (key.clone(), question.clone()),
                (None, Some(id)) => ("artifact".to_owned(), question(id, scope)),
                (None, None) => return None,
            };
            let text = |key: &str| question.get(key).and_then(|value| value.as_str()).map(str::to_owned);
            let origin = match artifact {
                Some(id) => Pin::Artifact(version(id)),
                // Which run of a task it was is not told.
                None => Pin::Run { run: text("run_name").unwrap_or_default(), task: text("task_name") },
            };
            table.insert(key, question.into());
            let resolved = Resolved { value: one.value.clone(), kind, origin };
            self.resolved.insert(one.name.clone(), resolved);
        } else {
            match kind {
                ParameterKind::Endpoint => {
                    let endpoint: Endpoint = serde_json::from_str(&one.value).ok()?;
                    table.insert("endpoint".to_owned(), endpoint.app_name.into());
                    if endpoint.public {
                        table.insert("public".to_owned(), true.into());
                    }
                    if one.env_var.as_deref() == Some(&one.name) && one.dest.is_none() {
                        self.env.insert(one.name.clone(), table.into());
                        return Some(());
                    }
                }
                ParameterKind::Text => drop(table.insert("value".to_owned(), one.value.clone().into())),
                ParameterKind::File => drop(table.insert("file".to_owned(), one.value.clone().into())),
                ParameterKind::Directory => drop(table.insert("directory".to_owned(), one.value.clone().into())),
            }
        }
        if let Some(variable) = &one.env_var {
            table.insert("env".to_owned(), variable.clone().into());
        }
        if kind.is_fetched() && !one.download {
            table.insert("download".to_owned(), false.into());
        }
        if let Some(place) = &one.dest {
            table.insert("mount".to_owned(), place.clone().into());
        }
        if !one.ignore_patterns.is_empty() {
            table.insert("ignore_patterns".to_owned(), one.ignore_patterns.clone().into());
        }
        let plain = (table.len() == 1).then(|| table.get("value").cloned()).flatten();
        self.parameters.insert(one.name.clone(), plain.unwrap_or(Value::Table(table)));
        Some(())
    }
}

/// The same version again, whatever is newest then.
fn question(id: &ArtifactVersionId, scope: &Scope) -> Table {
    let mut table = Table::new();
    table.insert("name".to_owned(), id.key.name.clone().into());
    table.insert("version".to_owned(), id.version.clone().into());
    for (key, value, own) in [("project", &id.key.project, &scope.project), ("domain", &id.key.domain, &scope.domain)] {
        if value != own && !value.is_empty() {
            table.insert(key.to_owned(), value.clone().into());
        }
    }
    table
}

fn version(id: &ArtifactVersionId) -> ArtifactVersion {
    ArtifactVersion {
        org: id.key.org.clone(),
        project: id.key.project.clone(),
        domain: id.key.domain.clone(),
        name: id.key.name.clone(),
        version: id.version.clone(),
    }
}
