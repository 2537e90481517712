//! The members of a plan file, below its seal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::BundleFile;
use crate::diff::{ChangedBy, ChangedFile, Flat};
use crate::model::parameter::{Pin, Resolved};
use crate::model::{AppName, BundleRef, Digest, Fingerprint, Scope, Version};
use crate::plan::{Note, Policy, Reason, StepId, Verb};
use crate::resolve::Selection;

/// A plan as it is kept, with what it was made on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPlan {
    pub tool: Tool,
    /// The `name` of the manifest.
    pub manifest: String,
    pub scope: Scope,
    pub target: StoredTarget,
    /// What was chosen by flags.
    pub choices: Choices,
    pub policy: Policy,
    /// `--version`
    pub label: Option<String>,
    /// `--keep-drift`
    pub keep_drift: Vec<String>,
    /// Every text that was read, by its path below the root.
    pub files: BTreeMap<String, Digest>,
    /// What `[vars]` took from the environment: enough to know a value again. `None`: it was not set.
    pub environment: BTreeMap<String, Option<String>>,
    /// What run outputs and artifacts were, by app and parameter; apply does not look for newer ones.
    pub pins: BTreeMap<AppName, BTreeMap<String, Resolved>>,
    /// The files of the code that is to run.
    pub bundles: BTreeMap<BundleRef, Vec<BundleFile>>,
    pub apps: Vec<StoredApp>,
    pub steps: Vec<StoredStep>,
    /// Where code lies that is not sent again.
    pub stored: BTreeMap<BundleRef, String>,
}

/// The program that made a plan, and the forms of what it calls things by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub release: String,
    /// Of versions and fingerprints.
    pub spec_format: u32,
    /// Of bundle digests.
    pub bundle_format: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTarget {
    pub name: String,
    /// `None` for the embedded control plane, whose address is another each time.
    pub endpoint: Option<String>,
}

/// The flags behind a [`Selection`], without its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    pub profile: Option<String>,
    pub target: Option<String>,
    pub org: Option<String>,
    pub project: Option<String>,
    pub domain: Option<String>,
    pub endpoint: Option<String>,
    pub insecure: bool,
    pub apps: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredApp {
    pub name: AppName,
    pub action: Verb,
    pub reasons: Vec<Reason>,
    pub fields: Vec<StoredField>,
    pub kept: Vec<StoredField>,
    pub code: Option<StoredCode>,
    pub notes: Vec<Note>,
    pub drifted: bool,
    /// The code that would run.
    pub bundle: Option<BundleRef>,
    pub version: Option<Version>,
    /// The live spec, of apps that are written over it.
    pub planned_on: Option<Flat>,
    /// What ran already and has to run for it: dependencies that the plan does not touch.
    pub relies_on: Vec<AppName>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredField {
    pub key: String,
    pub path: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub changed_by: ChangedBy,
    pub released: Option<Value>,
    pub pin: Option<Pin>,
    pub at: Option<StoredSpan>,
}

/// A range of bytes, `end` exclusive, in a text that is named in `files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSpan {
    pub file: String,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCode {
    pub old: BundleRef,
    pub new: BundleRef,
    pub files: Vec<ChangedFile>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredStep {
    pub id: StepId,
    pub app: AppName,
    pub action: StoredAction,
    pub after: Vec<StoredAfter>,
    pub expects: StoredPrecondition,
    pub gate: StoredGate,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum StoredAction {
    Upload {
        bundle: BundleRef,
    },
    /// `fingerprint` is that of the whole spec, `spec` shows it without what is sensitive.
    Create {
        fingerprint: Fingerprint,
        spec: Flat,
    },
    Update {
        fingerprint: Fingerprint,
        spec: Flat,
    },
    Activate,
    Deactivate,
    Delete,
    Record,
    Verify,
}

/// An edge: `gate` tells whether the gate of the step before must have passed, or its write is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAfter {
    pub step: StepId,
    pub gate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredPrecondition {
    None,
    Absent,
    Same(Fingerprint),
    AsLeft,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum StoredGate {
    Nothing,
    Ready { within_ms: u64 },
    Stopped { within_ms: u64 },
    Gone { within_ms: u64 },
}

impl Choices {
    pub fn of(selection: &Selection) -> Self {
        Self {
            profile: selection.profile.clone(),
            target: selection.target.clone(),
            org: selection.org.clone(),
            project: selection.project.clone(),
            domain: selection.domain.clone(),
            endpoint: selection.endpoint.clone(),
            insecure: selection.insecure,
            apps: selection.apps.clone(),
        }
    }

    /// The same choices where and when `now` was made: in its environment, with its configuration.
    pub fn selection(&self, now: &Selection) -> Selection {
        let Self { profile, target, org, project, domain, endpoint, insecure, apps } = self.clone();
        let (config, environment) = (now.config.clone(), now.environment.clone());
        Selection { profile, target, org, project, domain, endpoint, insecure, config, apps, environment }
    }
}
