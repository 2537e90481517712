//! What somebody else does to apps.

use std::collections::BTreeMap;

use flyte::model::LiveApp;
use flyte::server::simulator::Simulator;
use serde::Deserialize;
use serde_json::{Value, json};

type Result<T> = datatest_stable::Result<T>;

/// Somebody else changes an app, or with `owner` gives it away.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    app: String,
    /// JSON pointer into the app's canonical protobuf JSON.
    pointer: String,
    value: Value,
    /// Rewrites our owner mark; empty text takes marks and labels away.
    owner: Option<String>,
    /// Sets variables.
    set: BTreeMap<String, String>,
    /// Creates the app under this name as a copy.
    copy_to: Option<String>,
    /// Deletes it.
    vanish: bool,
}

impl Edit {
    /// Makes it.
    pub fn make(&self, simulator: &Simulator) -> Result<()> {
        let found = simulator.apps().into_iter().find(|app| app.metadata.id.name == self.app);
        let mut app = found.ok_or_else(|| format!("no such app: {}", self.app))?;
        if self.vanish {
            simulator.remove(&LiveApp(app).id().ok_or("no name of ours")?)?;
            return Ok(());
        }
        app.status = Default::default();
        let mut json = flyte_schema::to_json(&app)?;
        if !self.pointer.is_empty() {
            *json.pointer_mut(&self.pointer).ok_or("no such place")? = self.value.clone();
        }
        if self.owner.is_some() || !self.set.is_empty() {
            let env = json.pointer_mut("/spec/container/env").and_then(Value::as_array_mut).ok_or("no variables")?;
            self.change_variables(env);
        }
        if self.owner.as_ref().is_some_and(String::is_empty) {
            json["metadata"]["labels"] = json!({});
        }
        if let Some(name) = &self.copy_to {
            json["metadata"]["id"]["name"] = name.as_str().into();
        }
        simulator.put(flyte_schema::from_json(json)?)?;
        Ok(())
    }

    fn change_variables(&self, env: &mut Vec<Value>) {
        for (key, value) in &self.set {
            env.retain(|pair| pair["key"] != key.as_str());
            env.push(json!({ "key": key, "value": value }));
        }
        let Some(owner) = &self.owner else { return };
        if owner.is_empty() {
            env.retain(|pair| !pair["key"].as_str().unwrap_or("").starts_with("FLYTE_DEPLOY_"));
        }
        for pair in env.iter_mut().filter(|pair| pair["key"] == "FLYTE_DEPLOY_MANIFEST") {
            pair["value"] = owner.as_str().into();
        }
    }
}
