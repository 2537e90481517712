//! A plan to its stored form and back.

use std::collections::BTreeMap;
use std::time::Duration;

use flyte_schema::flyteidl2::app::spec::DesiredState;

use super::form::{
    Choices, StoredAction, StoredAfter, StoredApp, StoredCode, StoredField, StoredGate, StoredPlan, StoredPrecondition,
    StoredSpan, StoredStep, StoredTarget, Tool,
};
use crate::bundle::{self, BundleSet};
use crate::canonical::{self, fingerprint};
use crate::desired::DesiredSet;
use crate::diagnostic::{SourceMap, Span};
use crate::diff::{CodeChange, FieldChange, Flat, LiveSet, conceal};
use crate::model::parameter::Resolved;
use crate::model::{AppName, AppSpec, Digest, sensitive, stretched};
use crate::plan::deploy::summary;
use crate::plan::{Action, After, AppPlan, ComparedWith, Gate, Plan, Policy, Precondition, Step};
use crate::resolve::{Project, Selection};

/// What a plan was made on, as the stages had it.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    pub project: &'a Project,
    pub selection: &'a Selection,
    pub policy: Policy,
    pub label: Option<&'a str>,
    /// `--keep-drift`
    pub keep_drift: &'a [String],
    /// Of the manifest: what else findings point into is not part of it.
    pub texts: &'a BTreeMap<String, Digest>,
    /// What `[vars]` names, with its values.
    pub environment: &'a BTreeMap<String, Option<String>>,
    pub pins: &'a BTreeMap<AppName, BTreeMap<String, Resolved>>,
    pub live: &'a LiveSet,
}

impl Tool {
    pub fn here() -> Self {
        Self {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            spec_format: canonical::FORMAT,
            bundle_format: bundle::FORMAT,
        }
    }
}

impl StoredPlan {
    pub fn new(plan: &Plan, basis: &Basis<'_>) -> Self {
        let bundles = plan.apps.iter().filter_map(|app| app.bundle.as_ref());
        Self {
            tool: Tool::here(),
            manifest: plan.owner.clone(),
            scope: plan.scope.clone(),
            target: StoredTarget::of(basis.project),
            choices: Choices::of(basis.selection),
            policy: basis.policy,
            label: basis.label.map(str::to_owned),
            keep_drift: basis.keep_drift.to_vec(),
            files: basis.texts.clone(),
            environment: recognised(basis.environment, &plan.owner),
            pins: shown(basis),
            bundles: bundles.map(|bundle| (bundle.digest, bundle.files.clone())).collect(),
            apps: plan.apps.iter().map(|app| stored_app(plan, basis, app)).collect(),
            steps: plan.steps.iter().map(|step| stored_step(plan, step)).collect(),
            stored: plan.stored.clone(),
        }
    }

    /// What is declared, under the labels that the plan kept.
    pub fn labelled(&self, mut desired: DesiredSet, owner: &str) -> DesiredSet {
        for (name, app) in std::mem::take(&mut desired.apps) {
            let planned = self.apps.iter().find(|planned| planned.name == name);
            let app = app.keeping_label(owner, planned.and_then(|planned| planned.version.as_ref()));
            desired.apps.insert(name, app);
        }
        desired
    }

    /// The plan again, once nothing of it is stale: `bundles` and `desired` are those it was made of. Of apps that it
    /// does not touch it tells what they are now.
    pub fn plan(
        &self,
        project: &Project,
        endpoint: &str,
        bundles: &BundleSet,
        desired: &DesiredSet,
        live: &LiveSet,
    ) -> Plan {
        let sources = &project.diagnostics.sources;
        Plan {
            owner: self.manifest.clone(),
            mask: project.mask.clone(),
            scope: self.scope.clone(),
            target: self.target.name.clone(),
            endpoint: endpoint.to_owned(),
            compared_with: ComparedWith::Live,
            commit: desired.commit.clone(),
            apps: self.apps.iter().map(|app| app.plan(sources, bundles, desired, live)).collect(),
            steps: self.steps.iter().filter_map(|step| step.step(bundles, desired)).collect(),
            stored: self.stored.clone(),
            diagnostics: project.diagnostics.clone(),
        }
    }
}

impl StoredTarget {
    pub fn of(project: &Project) -> Self {
        let endpoint = project.target.connection.as_ref().map(|connection| connection.endpoint.clone());
        Self { name: project.target.name.clone(), endpoint }
    }
}

/// The digest of every text of the manifest, by its path below the root.
pub fn texts(sources: &SourceMap) -> BTreeMap<String, Digest> {
    let name = |file: &crate::diagnostic::SourceFile| file.name.to_string_lossy().into_owned();
    sources.iter().map(|(_, file)| (name(file), Digest::of(file.text.as_bytes()))).collect()
}

/// Values as they are known again: by the beginning of their digest, sensitive ones by their placeholder, which tells
/// less.
pub fn recognised(environment: &BTreeMap<String, Option<String>>, salt: &str) -> BTreeMap<String, Option<String>> {
    let of = |name: &String, value: &String| {
        if sensitive::is_sensitive_name(name) || sensitive::looks_like_credential(value) {
            sensitive::placeholder(salt, value)
        } else {
            // It may be the value of something that is named like a credential.
            stretched(salt, value).short()
        }
    };
    environment.iter().map(|(name, value)| (name.clone(), value.as_ref().map(|value| of(name, value)))).collect()
}

/// Without the values that must not be seen: these are looked up again.
fn shown(basis: &Basis<'_>) -> BTreeMap<AppName, BTreeMap<String, Resolved>> {
    let may_be_seen = |app: &AppName, name: &str, resolved: &Resolved| {
        let declared = basis.project.apps.get(app).into_iter().flat_map(|app| &app.parameters);
        let receiver =
            declared.filter(|parameter| parameter.name == name).find_map(|parameter| parameter.env.as_deref());
        let value = serde_json::json!({ "env": receiver, "value": resolved.value });
        conceal(&format!("spec.parameters[{name}]"), value.clone(), &basis.project.mask) == value
    };
    let of = |(app, parameters): (&AppName, &BTreeMap<String, Resolved>)| {
        let parameters = parameters.iter().filter(|(name, resolved)| may_be_seen(app, name, resolved));
        (app.clone(), parameters.map(|(name, resolved)| (name.clone(), resolved.clone())).collect())
    };
    basis.pins.iter().map(of).collect()
}

fn stored_app(plan: &Plan, basis: &Basis<'_>, app: &AppPlan) -> StoredApp {
    let sources = &plan.diagnostics.sources;
    let field = |field: &FieldChange| StoredField::of(field, sources);
    let on = |step: &Step| step.app == app.name && matches!(step.expects, Precondition::Same(_));
    let live = basis.live.apps.get(&app.name).filter(|_| plan.steps.iter().any(on));
    let code = |code: &CodeChange| StoredCode { old: code.old, new: code.new, files: code.files.clone() };
    StoredApp {
        name: app.name.clone(),
        action: app.verb,
        reasons: app.reasons.clone(),
        fields: app.fields.iter().map(field).collect(),
        kept: app.kept.iter().map(field).collect(),
        code: app.code.as_ref().map(code),
        notes: app.notes.clone(),
        drifted: app.drifted,
        bundle: app.bundle.as_ref().map(|bundle| bundle.digest),
        version: app.version.clone(),
        planned_on: live.map(|live| {
            let written = plan.steps.iter().filter(|step| step.app == app.name).find_map(|step| match &step.action {
                Action::Create(spec) | Action::Update(spec) => Some(Flat::of(&spec.0, &plan.mask)),
                _ => None,
            });
            Flat::of(&live.0, &plan.mask).hidden_as(&written.unwrap_or_default(), &plan.mask)
        }),
        relies_on: relied_on(plan, basis, app),
    }
}

fn relied_on(plan: &Plan, basis: &Basis<'_>, app: &AppPlan) -> Vec<AppName> {
    let is_started = |step: &Step| {
        step.app == app.name && matches!(step.action, Action::Create(_) | Action::Update(_) | Action::Activate)
    };
    if !plan.steps.iter().any(is_started) {
        return Vec::new();
    }
    let declared = basis.project.apps.get(&app.name).into_iter().flat_map(|app| &app.depends_on);
    let waited_for = declared.filter(|dependency| dependency.wait).map(|dependency| &dependency.app);
    let untouched = |name: &&AppName| !plan.steps.iter().any(|step| step.app == **name);
    let runs = |name: &&AppName| basis.live.apps.get(*name).is_some_and(|live| !live.is_stopped());
    waited_for.filter(untouched).filter(runs).cloned().collect()
}

impl StoredApp {
    fn plan(&self, sources: &SourceMap, bundles: &BundleSet, desired: &DesiredSet, live: &LiveSet) -> AppPlan {
        let field = |field: &StoredField| field.change(sources);
        let code = |code: &StoredCode| CodeChange { old: code.old, new: code.new, files: code.files.clone() };
        AppPlan {
            name: self.name.clone(),
            verb: self.action,
            reasons: self.reasons.clone(),
            fields: self.fields.iter().map(field).collect(),
            kept: self.kept.iter().map(field).collect(),
            code: self.code.as_ref().map(code),
            notes: self.notes.clone(),
            drifted: self.drifted,
            activation: desired.apps.get(&self.name).map(|desired| desired.activation),
            restores: None,
            bundle: self.bundle.and_then(|_| bundles.get(&self.name).cloned()),
            version: self.version.clone(),
            live: live.apps.get(&self.name).map(summary),
        }
    }
}

impl StoredField {
    fn of(field: &FieldChange, sources: &SourceMap) -> Self {
        let FieldChange { key, path, old, new, changed_by, released, pin, span } = field.clone();
        let at = span.map(|span| StoredSpan {
            file: sources.file(span.file).name.to_string_lossy().into_owned(),
            start: span.start,
            end: span.end,
        });
        Self { key, path, old, new, changed_by, released, pin, at }
    }

    fn change(&self, sources: &SourceMap) -> FieldChange {
        let Self { key, path, old, new, changed_by, released, pin, at } = self.clone();
        let span = at.and_then(|at| {
            let (file, _) = sources.iter().find(|(_, file)| file.name.to_string_lossy() == at.file)?;
            Some(Span::new(file, at.start..at.end))
        });
        FieldChange { key, path, old, new, changed_by, released, pin, span }
    }
}

fn stored_step(plan: &Plan, step: &Step) -> StoredStep {
    let written = |spec: &AppSpec| (fingerprint(&spec.0), Flat::of(&spec.0, &plan.mask));
    let milliseconds = |within: Duration| u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    StoredStep {
        id: step.id,
        app: step.app.clone(),
        action: match &step.action {
            Action::Upload(bundle) => StoredAction::Upload { bundle: bundle.digest },
            Action::Create(spec) => {
                let (fingerprint, spec) = written(spec);
                StoredAction::Create { fingerprint, spec }
            }
            Action::Update(spec) => {
                let (fingerprint, spec) = written(spec);
                StoredAction::Update { fingerprint, spec }
            }
            Action::Activate => StoredAction::Activate,
            Action::Deactivate => StoredAction::Deactivate,
            Action::Delete => StoredAction::Delete,
            Action::Record => StoredAction::Record,
            Action::Verify => StoredAction::Verify,
        },
        after: step.after.iter().map(|after| StoredAfter { step: after.step, gate: after.gate }).collect(),
        expects: match step.expects {
            Precondition::None => StoredPrecondition::None,
            Precondition::Absent => StoredPrecondition::Absent,
            Precondition::Same(fingerprint) => StoredPrecondition::Same(fingerprint),
            Precondition::AsLeft => StoredPrecondition::AsLeft,
        },
        gate: match step.gate {
            Gate::Open => StoredGate::Nothing,
            Gate::Ready { within } => StoredGate::Ready { within_ms: milliseconds(within) },
            Gate::Stopped { within } => StoredGate::Stopped { within_ms: milliseconds(within) },
            Gate::Gone { within } => StoredGate::Gone { within_ms: milliseconds(within) },
        },
    }
}

impl StoredStep {
    /// `None` where its code or spec is not there any more, which is found out before.
    fn step(&self, bundles: &BundleSet, desired: &DesiredSet) -> Option<Step> {
        let spec = |flat: &Flat| spec_now(desired, &self.app, flat).map(Box::new);
        let action = match &self.action {
            StoredAction::Upload { bundle } => {
                Action::Upload(bundles.by_app.values().find(|packed| packed.digest == *bundle)?.clone())
            }
            StoredAction::Create { spec: flat, .. } => Action::Create(spec(flat)?),
            // Whoever reads it knows that it is to be stopped: in the step that follows.
            StoredAction::Update { spec: flat, .. } if self.gate == StoredGate::Nothing => {
                Action::Update(Box::new(spec(flat)?.with_desired_state(DesiredState::DESIRED_STATE_UNSPECIFIED)))
            }
            StoredAction::Update { spec: flat, .. } => Action::Update(spec(flat)?),
            StoredAction::Activate => Action::Activate,
            StoredAction::Deactivate => Action::Deactivate,
            StoredAction::Delete => Action::Delete,
            StoredAction::Record => Action::Record,
            StoredAction::Verify => Action::Verify,
        };
        Some(Step {
            id: self.id,
            app: self.app.clone(),
            action,
            after: self.after.iter().map(|after| After { step: after.step, gate: after.gate }).collect(),
            expects: match self.expects {
                StoredPrecondition::None => Precondition::None,
                StoredPrecondition::Absent => Precondition::Absent,
                StoredPrecondition::Same(fingerprint) => Precondition::Same(fingerprint),
                StoredPrecondition::AsLeft => Precondition::AsLeft,
            },
            gate: match self.gate {
                StoredGate::Nothing => Gate::Open,
                StoredGate::Ready { within_ms } => Gate::Ready { within: Duration::from_millis(within_ms) },
                StoredGate::Stopped { within_ms } => Gate::Stopped { within: Duration::from_millis(within_ms) },
                StoredGate::Gone { within_ms } => Gate::Gone { within: Duration::from_millis(within_ms) },
            },
        })
    }
}

/// The spec of an app as the manifest says it now, asked to run or not as it was planned.
pub fn spec_now(desired: &DesiredSet, app: &AppName, planned: &Flat) -> Option<AppSpec> {
    let state = match planned.is_stopped() {
        true => DesiredState::DESIRED_STATE_STOPPED,
        false => DesiredState::DESIRED_STATE_ACTIVE,
    };
    Some(desired.apps.get(app)?.spec.clone().with_desired_state(state))
}
