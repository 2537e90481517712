//! Changes and policy to a plan: ordered steps with gates, and what was held back and why.
//!
//! A plan is plain data that leaves nothing to decide at apply.

mod deploy;
mod honoured;
mod needs;
mod offline;
mod operate;
mod step;
pub mod stored;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use deploy::plan;
pub use needs::{READY_WITHIN, await_others, counts_on_code, tell_stopped};
pub use offline::offline;
pub use operate::{Operation, operate};
pub use step::{Action, After, Gate, Precondition, Step, StepId};

use crate::bundle::Bundle;
use crate::diagnostic::{Diagnostics, Severity};
use crate::diff::{CodeChange, FieldChange, KnownBy, Owner};
use crate::model::{Activation, AppName, BundleRef, Commit, Mask, Scope, State, Version};

/// The number of the plan's JSON form.
pub const FORMAT: u32 = 1;

/// What the user allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Take over apps that belong to nobody or to another manifest.
    pub adopt: bool,
    /// Delete our apps that are no longer declared.
    pub prune: bool,
    /// Treat every app as `activation = "auto"`.
    pub activate: bool,
}

/// Everything that would be done, and everything that would not.
#[derive(Debug, Clone)]
pub struct Plan {
    pub owner: String,
    /// What must not be seen of the specs.
    pub mask: Mask,
    pub scope: Scope,
    /// The target's name and address.
    pub target: String,
    pub endpoint: String,
    pub compared_with: ComparedWith,
    /// Of the manifest and the sources, where they lie in a git work tree.
    pub commit: Option<Commit>,
    /// Declared apps in dependency order, then orphans.
    pub apps: Vec<AppPlan>,
    pub steps: Vec<Step>,
    /// Where code lies that apps of ours run already: it is not sent again.
    pub stored: BTreeMap<BundleRef, String>,
    /// The texts that fields point into, and warnings about them.
    pub diagnostics: Diagnostics,
}

/// What the declared apps were compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedWith {
    /// What runs.
    Live,
    /// What was last applied, by the records alone.
    Records,
}

/// What is planned for one app, and why.
#[derive(Debug, Clone)]
pub struct AppPlan {
    pub name: AppName,
    pub verb: Verb,
    pub reasons: Vec<Reason>,
    pub fields: Vec<FieldChange>,
    /// What is left to others: `old` runs and stays, `new` is declared.
    pub kept: Vec<FieldChange>,
    pub code: Option<CodeChange>,
    /// What a reader should know besides: effects, and what was held back.
    pub notes: Vec<Note>,
    /// What runs is not what we last wrote.
    pub drifted: bool,
    /// As declared: for the record.
    pub activation: Option<Activation>,
    /// What it is declared to depend on: for the record.
    pub depends_on: BTreeSet<AppName>,
    /// Whether a release on record is brought back.
    pub restores: bool,
    /// The code that would run, where it is packed.
    pub bundle: Option<Arc<Bundle>>,
    /// What would run; `None` for apps that are only kept, stopped or deleted.
    pub version: Option<Version>,
    /// What runs now.
    pub live: Option<LiveSummary>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSummary {
    /// The mark; `None` for apps that are not ours.
    pub version: Option<String>,
    pub revision: crate::model::Revision,
    pub state: State,
    pub url: Option<String>,
}

/// What happens to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Create,
    Update,
    Activate,
    Deactivate,
    Delete,
    Unchanged,
    /// Ours, no longer declared, and not deleted.
    Orphan,
    /// Would be written, but must not be; nothing of the plan can be applied.
    Refused,
}

/// Why something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It does not exist yet.
    New,
    /// No release of it is on record; nobody was asked whether it runs.
    NotOnRecord,
    /// It was written to this target, and is not there any more.
    Gone,
    /// So many fields of the spec changed.
    FieldsChanged {
        count: usize,
    },
    CodeChanged,
    /// The code is the same, and is no longer stored: it is sent again.
    CodeGone,
    /// The live spec was changed outside; the plan brings back what is declared.
    Drifted,
    /// It was changed outside to what is declared now.
    ChangedAlike,
    /// Our marks were taken away, and nothing else changed.
    MarksGone,
    /// Another choice of what is left to others.
    OthersChosen,
    /// It belonged to another manifest, or to nobody (`None`).
    Adopted {
        from: Option<String>,
    },
    /// A release of before is brought back.
    RolledBack,
    /// Another label for the same content.
    Relabelled {
        from: String,
        to: String,
    },
    /// `activation = "auto"` or `--activate`, and it is stopped.
    Inactive,
    /// It runs, though it was to be stopped: a former apply was interrupted, or its server started it.
    LeftRunning,
    /// The command asked for it by name.
    Asked,
    NotInManifest,
}

/// What a reader should know besides the change itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// It is active, so the new version takes effect at once.
    TakesEffectAtOnce,
    /// Manual activation: it is created, or stays, stopped.
    StaysStopped,
    /// It belongs to another manifest (or nobody); `--adopt` takes it over.
    NotOurs { owner: Option<String> },
    /// Our marks are gone; this is why it is ours all the same.
    KnownBy { known_by: KnownBy },
    /// It was changed outside, and what we last wrote is not on record: the changes have no author.
    NoRecord,
    /// These were changed outside to what is declared now.
    Alike { fields: Vec<String> },
    /// These are not ours. Whether this server fills them in has not been seen; nobody is said to have set them.
    PerhapsFilled { fields: Vec<String> },
    /// These were left to others, and are declared again.
    DeclaredAgain { fields: Vec<String> },
    /// What is on record of it.
    LastApplied { version: String, at: jiff::Timestamp, by: String },
    /// What these refer to is looked up when nothing is offline.
    NotLookedUp { parameters: Vec<String> },
    /// The label is in use for other content. `on_record`: of a release before; the fields are compared with that, and
    /// not with what runs.
    LabelInUse { label: String, live: String, planned: String, on_record: bool },
    /// Written after this app, which will not be running then.
    DependsOnStopped { app: AppName },
    /// Started by this plan, and given the endpoint of this app of others, which is stopped.
    UsesStopped { app: AppName },
    /// Started by this plan, and this one is not there.
    DependsOnMissing { app: AppName },
    /// The record of what is brought back does not tell what it depended on: that is its endpoints, and what is declared
    /// now.
    DependenciesUnknown,
    /// Stopped or deleted by this plan, and this one depends on it, runs, and is left as it is.
    LeftRunning { app: AppName },
    /// Unchanged, but it does not run as it should.
    Unhealthy { status: String },
    /// Unchanged and not ready yet; the apps that depend on it wait for it.
    AwaitedFirst,
    /// Unchanged and not ready yet; apply waits for it.
    Awaited,
    /// `--prune` deletes it.
    NotPruned,
    /// No longer declared, and this declared app is given its endpoint as that of an app deployed elsewhere.
    UsedAsExternal { by: AppName },
    /// It is ours by its label or our records alone, so that `--prune` leaves it.
    MarksLost,
    /// Asked for with all others, and not there.
    NotDeployed,
    /// To be deleted, and not there.
    AlreadyGone,
    /// The embedded control plane runs processes; the image is not used.
    ImageNotUsed,
    /// The embedded control plane has a Python object served by the SDK that is installed beside it.
    ServedBySdk,
    /// Files of its code that are left out, since they may hold credentials.
    NotPacked { paths: Vec<String> },
    /// It is to stay stopped, and this server keeps a spec only as it runs it: it is stopped right afterwards.
    RunsForAMoment,
    /// The same, where it is not known yet what this server does.
    MayRunForAMoment,
    /// This server keeps these keys and does not act on them.
    NotActedOn { keys: Vec<String> },
}

/// How often each verb occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub create: usize,
    pub update: usize,
    pub activate: usize,
    pub deactivate: usize,
    pub delete: usize,
    pub unchanged: usize,
    pub orphan: usize,
    pub refused: usize,
}

impl AppPlan {
    /// Nothing is known yet but what happens to it.
    pub(super) fn of(name: AppName, verb: Verb, live: Option<LiveSummary>) -> Self {
        Self {
            name,
            verb,
            reasons: Vec::new(),
            fields: Vec::new(),
            kept: Vec::new(),
            code: None,
            notes: Vec::new(),
            drifted: false,
            activation: None,
            depends_on: BTreeSet::new(),
            restores: false,
            bundle: None,
            version: None,
            live,
        }
    }

    /// Whether another bundle would run.
    pub fn changes_code(&self) -> bool {
        self.fields.iter().any(FieldChange::is_code)
    }
}

impl Plan {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for app in &self.apps {
            *match app.verb {
                Verb::Create => &mut counts.create,
                Verb::Update => &mut counts.update,
                Verb::Activate => &mut counts.activate,
                Verb::Deactivate => &mut counts.deactivate,
                Verb::Delete => &mut counts.delete,
                Verb::Unchanged => &mut counts.unchanged,
                Verb::Orphan => &mut counts.orphan,
                Verb::Refused => &mut counts.refused,
            } += 1;
        }
        counts
    }

    /// Whether apply would write nothing; by the records, whether nothing changed.
    pub fn is_empty(&self) -> bool {
        let differs = |app: &AppPlan| matches!(app.verb, Verb::Create | Verb::Update);
        if self.compared_with == ComparedWith::Records {
            return !self.apps.iter().any(differs);
        }
        self.steps.iter().all(|step| matches!(step.action, Action::Verify | Action::Record)) && !self.is_refused()
    }

    /// Whether something runs otherwise than we last wrote it.
    pub fn has_drift(&self) -> bool {
        self.apps.iter().any(|app| app.drifted)
    }

    /// Whether apply would only wait for apps that are not ready.
    pub fn only_waits(&self) -> bool {
        self.is_empty() && self.steps.iter().any(|step| matches!(step.action, Action::Verify))
    }

    /// How many apps run as declared and are not on record; apply adds them.
    pub fn unrecorded(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.action, Action::Record)).count()
    }

    /// The only way to something that apply takes.
    ///
    /// # Errors
    /// Some app must not be written; nothing of the plan is.
    pub fn approve(self, _: Consent) -> Result<ApprovedPlan, Refused> {
        let of = |app: &AppPlan| (app.verb == Verb::Refused).then(|| (app.name.clone(), app.notes.clone()));
        let apps: Vec<_> = self.apps.iter().filter_map(of).collect();
        if !self.is_refused() {
            return Ok(ApprovedPlan(self));
        }
        let mut mistakes = self.diagnostics;
        mistakes.list.retain(|finding| finding.severity == Severity::Error);
        Err(Refused { apps, mistakes })
    }

    /// Whether it can never be approved: an app must not be written, or the control plane lacks something.
    pub fn is_refused(&self) -> bool {
        self.counts().refused > 0 || self.diagnostics.has_errors()
    }
}

/// Somebody said yes: at the prompt, or with `--yes`.
#[derive(Debug, Clone, Copy)]
pub struct Consent {
    _private: (),
}

impl Consent {
    /// Only where the user was asked, or said so beforehand.
    pub fn given() -> Self {
        Self { _private: () }
    }
}

/// A plan somebody agreed to.
#[derive(Debug, Clone)]
pub struct ApprovedPlan(Plan);

impl ApprovedPlan {
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// The plan holds apps that must not be written, or needs what the control plane does not have.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the plan is refused because of {}", because(.apps, .mistakes))]
pub struct Refused {
    pub apps: Vec<(AppName, Vec<Note>)>,
    pub mistakes: Diagnostics,
}

fn because(apps: &[(AppName, Vec<Note>)], mistakes: &Diagnostics) -> String {
    let mut parts: Vec<String> = apps.iter().map(|(name, _)| format!("`{name}`")).collect();
    match mistakes.list.len() {
        0 => {}
        1 => parts.push("1 mistake".to_owned()),
        count => parts.push(format!("{count} mistakes")),
    }
    parts.join(", ")
}

/// What a note says of an owner.
pub fn owner_name(owner: &Owner) -> Option<String> {
    match owner {
        Owner::Other(name) => Some(name.clone()),
        Owner::Us | Owner::Nobody => None,
    }
}
