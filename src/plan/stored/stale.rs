//! How what is there now differs from what a stored plan was made on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::convert::{recognised, spec_now};
use super::form::{Choices, StoredAction, StoredPlan, StoredPrecondition, StoredStep, StoredTarget, Tool};
use crate::bundle::{BundleSet, compare};
use crate::canonical::fingerprint;
use crate::desired::DesiredSet;
use crate::diagnostic::printable;
use crate::diff::{Flat, LiveSet, differing};
use crate::model::{AppName, BundleRef, Digest, LiveApp, Mask};
use crate::resolve::{Project, Selection};

/// How many files or fields a reason names.
const NAMED: usize = 8;

/// A plan that must not be applied any more. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the plan is stale: what it was made on has changed since")]
pub struct Stale(pub Vec<Staleness>);

/// One way in which a plan is stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "stale", rename_all = "snake_case")]
pub enum Staleness {
    /// Another release made it, whose versions and digests are of another form.
    Tool { made_by: String, here: String },
    /// A flag asks for something else than the plan was made for.
    Choice { flag: &'static str, planned: String, asked: String },
    /// The same target is at another address.
    Endpoint { target: String, planned: String, now: String },
    /// A text of the manifest.
    Manifest { file: String, how: How },
    /// A variable of the environment that `[vars]` takes.
    Environment { variable: String, how: How },
    /// The code of an app.
    Sources { app: AppName, files: Vec<String> },
    /// The code of an app, which is not sent again.
    CodeGone { app: AppName },
    /// The spec that the same manifest and code now stand for.
    Spec { app: AppName, fields: Vec<String> },
    /// The label stands for other content on record, by the first digits of its digest.
    Label { app: AppName, label: String, stands_for: String, planned: String },
    /// The app exists, though it did not.
    Appeared { app: AppName, owner: Option<String>, applied: bool },
    /// The app is gone, though it existed.
    Vanished { app: AppName },
    /// What has to run for an app, and ran, is stopped or gone.
    Dependency { app: AppName, of: AppName, gone: bool },
    /// The live spec. `applied`: it is what the plan would make of it.
    Changed { app: AppName, fields: Vec<String>, applied: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Changed,
    Appeared,
    Vanished,
}

impl How {
    fn of<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<Self> {
        match (old, new) {
            (Some(old), Some(new)) => (old != new).then_some(Self::Changed),
            (None, Some(_)) => Some(Self::Appeared),
            (Some(_), None) => Some(Self::Vanished),
            (None, None) => None,
        }
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool { made_by, here } => {
                write!(f, "flyte {made_by} made it, which names versions otherwise than this release, {here}")
            }
            Self::Choice { flag, planned, asked } => write!(f, "it was made for {flag} {planned}, not for {asked}"),
            Self::Endpoint { target, planned, now } => {
                write!(f, "the target `{target}` was at {planned} and is at {now} now")
            }
            Self::Manifest { file, how: How::Changed } => write!(f, "{} was changed", printable(file)),
            Self::Manifest { file, how: How::Appeared } => write!(f, "{} is new in the manifest", printable(file)),
            Self::Manifest { file, how: How::Vanished } => {
                write!(f, "{} is no longer part of the manifest", printable(file))
            }
            Self::Environment { variable, how: How::Changed } => {
                write!(f, "the environment variable `{variable}` has another value")
            }
            Self::Environment { variable, how: How::Appeared } => {
                write!(f, "the environment variable `{variable}` is set, and was not")
            }
            Self::Environment { variable, how: How::Vanished } => {
                write!(f, "the environment variable `{variable}` is not set any more")
            }
            Self::Sources { app, files } => write!(f, "the code of `{app}` was changed: {}", list(files)),
            Self::CodeGone { app } => write!(f, "the code of `{app}`, which was stored already, no longer is"),
            Self::Spec { app, fields } => write!(f, "`{app}` would be deployed with another {}", list(fields)),
            Self::Label { app, label, stands_for, planned } => {
                write!(f, "the label {label} of `{app}` stands for {stands_for} on record now, not for {planned}")
            }
            Self::Appeared { app, applied: true, .. } => {
                write!(f, "`{app}` exists as planned already: was this plan applied before?")
            }
            Self::Appeared { app, owner: Some(owner), .. } => {
                write!(f, "`{app}` exists now: somebody created it from the manifest `{owner}`")
            }
            Self::Appeared { app, owner: None, .. } => write!(f, "`{app}` exists now: somebody created it"),
            Self::Vanished { app } => write!(f, "`{app}` is gone: somebody deleted it"),
            Self::Dependency { app, of, gone: true } => {
                write!(f, "`{app}`, which `{of}` depends on, is gone: somebody deleted it")
            }
            Self::Dependency { app, of, gone: false } => {
                write!(f, "`{app}`, which `{of}` depends on, is stopped: somebody deactivated it")
            }
            Self::Changed { app, applied: true, .. } => {
                write!(f, "`{app}` is as planned already: was this plan applied before?")
            }
            Self::Changed { app, fields, .. } => write!(f, "somebody changed `{app}`: {}", list(fields)),
        }
    }
}

fn list(items: &[String]) -> String {
    let named = items.iter().take(NAMED).map(|item| printable(item)).collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{named} and {more} more"),
        None => named,
    }
}

impl StoredPlan {
    /// Whether this program gives things the same names as the one that made the plan.
    pub fn tool(&self) -> Option<Staleness> {
        let here = Tool::here();
        let same = (self.tool.spec_format, self.tool.bundle_format) == (here.spec_format, here.bundle_format);
        (!same).then(|| Staleness::Tool { made_by: self.tool.release.clone(), here: here.release })
    }

    /// Flags that ask for something else. One that is not given asks for what was planned.
    pub fn choices(&self, asked: &Selection) -> Vec<Staleness> {
        let asked = Choices::of(asked);
        let flags = [
            ("--target", Some(&self.target.name), &asked.target),
            ("--endpoint", self.choices.endpoint.as_ref(), &asked.endpoint),
            ("--project", Some(&self.scope.project), &asked.project),
            ("--domain", Some(&self.scope.domain), &asked.domain),
            ("--org", Some(&self.scope.org), &asked.org),
            ("--profile", self.choices.profile.as_ref(), &asked.profile),
        ];
        let differs = |(flag, planned, asked): (&'static str, Option<&String>, &Option<String>)| {
            let asked = asked.as_ref().filter(|asked| Some(*asked) != planned)?;
            let planned = planned.filter(|text| !text.is_empty()).map_or("(none)".to_owned(), Clone::clone);
            Some(Staleness::Choice { flag, planned, asked: asked.clone() })
        };
        flags.into_iter().filter_map(differs).collect()
    }

    /// Texts of the manifest and what it takes from the environment.
    pub fn texts(
        &self,
        texts: &BTreeMap<String, Digest>,
        environment: &BTreeMap<String, Option<String>>,
    ) -> Vec<Staleness> {
        let files: BTreeSet<&String> = self.files.keys().chain(texts.keys()).collect();
        let manifest = files.into_iter().filter_map(|file| {
            let how = How::of(self.files.get(file), texts.get(file))?;
            Some(Staleness::Manifest { file: file.clone(), how })
        });
        let now = recognised(environment, &self.manifest);
        let set = |of: &BTreeMap<String, Option<String>>, name: &str| of.get(name).cloned().flatten();
        // A variable that is named anew is told by the text that names it.
        let environment = self.environment.keys().filter_map(|name| {
            let how = How::of(set(&self.environment, name).as_ref(), set(&now, name).as_ref())?;
            Some(Staleness::Environment { variable: name.clone(), how })
        });
        manifest.chain(environment).collect()
    }

    /// Where the manifest leads now.
    pub fn target(&self, project: &Project) -> Vec<Staleness> {
        let now = StoredTarget::of(project);
        let named = |flag, planned: &str, now: &str| {
            let (planned, asked) = (planned.to_owned(), now.to_owned());
            (planned != asked).then_some(Staleness::Choice { flag, planned, asked })
        };
        let mut stale: Vec<Staleness> = [
            named("--target", &self.target.name, &now.name),
            named("--org", &self.scope.org, &project.scope.org),
            named("--project", &self.scope.project, &project.scope.project),
            named("--domain", &self.scope.domain, &project.scope.domain),
        ]
        .into_iter()
        .flatten()
        .collect();
        if self.target.name == now.name && self.target.endpoint != now.endpoint {
            let text = |endpoint: &Option<String>| endpoint.clone().unwrap_or_else(|| "this machine".to_owned());
            let (planned, now) = (text(&self.target.endpoint), text(&now.endpoint));
            stale.push(Staleness::Endpoint { target: self.target.name.clone(), planned, now });
        }
        stale
    }

    /// The code of the apps that are written.
    pub fn sources(&self, bundles: &BundleSet) -> Vec<Staleness> {
        let written: BTreeSet<&AppName> = self.written().map(|(step, ..)| &step.app).collect();
        let changed = |app: &super::form::StoredApp| {
            let now = bundles.get(&app.name);
            if !written.contains(&app.name) || app.bundle == now.map(|bundle| bundle.digest) {
                return None;
            }
            let old = app.bundle.and_then(|bundle| self.bundles.get(&bundle)).map_or(&[][..], Vec::as_slice);
            let files = compare(old, now.map_or(&[][..], |bundle| &bundle.files));
            let files = files.into_iter().map(|file| file.path).collect();
            Some(Staleness::Sources { app: app.name.clone(), files })
        };
        self.apps.iter().filter_map(changed).collect()
    }

    /// Where the code lies that apps start by and that is not sent again, as it was planned.
    pub fn counts_on(&self, live: &LiveSet) -> Vec<(AppName, String)> {
        let is_sent = |bundle: BundleRef| {
            let sends =
                |step: &StoredStep| matches!(step.action, StoredAction::Upload { bundle: sent } if sent == bundle);
            self.steps.iter().any(sends)
        };
        let starts = |step: &StoredStep| {
            use StoredAction::{Activate, Create, Update};
            matches!(step.action, Create { .. } | Update { .. } | Activate)
        };
        let place = |app: &super::form::StoredApp| {
            let bundle = app.bundle.filter(|bundle| !is_sent(*bundle))?;
            let runs = || live.apps.get(&app.name)?.bundle_address().map(str::to_owned);
            Some((app.name.clone(), self.stored.get(&bundle).cloned().or_else(runs)?))
        };
        let started: BTreeSet<&AppName> = self.steps.iter().filter(|step| starts(step)).map(|step| &step.app).collect();
        self.apps.iter().filter(|app| started.contains(&app.name)).filter_map(place).collect()
    }

    /// What would be sent. The same code and manifest may stand for another spec: an output of a run is another.
    pub fn specs(&self, desired: &DesiredSet, mask: &Mask) -> Vec<Staleness> {
        let stale = |(step, expected, flat): (&StoredStep, crate::model::Fingerprint, &Flat)| {
            let now = spec_now(desired, &step.app, flat);
            if now.as_ref().is_some_and(|spec| fingerprint(&spec.0) == expected) {
                return None;
            }
            let now = now.map(|spec| Flat::of(&spec.0, mask)).unwrap_or_default();
            Some(Staleness::Spec { app: step.app.clone(), fields: differing(flat, &now) })
        };
        self.written().filter_map(stale).collect()
    }

    /// The label of what is written: `taken` tells of which apps it is on record for other content, and which.
    pub fn labels(&self, desired: &DesiredSet, taken: &BTreeMap<AppName, Digest>) -> Vec<Staleness> {
        let stale = |(step, ..): (&StoredStep, crate::model::Fingerprint, &Flat)| {
            let planned = &desired.apps.get(&step.app)?.version;
            let (label, stands_for) = (planned.label.clone()?, taken.get(&step.app)?.short());
            Some(Staleness::Label { app: step.app.clone(), label, stands_for, planned: planned.digest.short() })
        };
        self.written().filter_map(stale).collect()
    }

    /// The live apps that steps were planned on, and those that have to run for them.
    pub fn live(&self, live: &LiveSet, mask: &Mask) -> Vec<Staleness> {
        let steps = self.steps.iter().filter_map(|step| self.precondition(step, live.apps.get(&step.app), mask));
        let relied_on = self.apps.iter().flat_map(|app| app.relies_on.iter().map(|on| (app.name.clone(), on)));
        let dependencies = relied_on.filter_map(|(of, on)| match live.apps.get(on) {
            Some(live) if !live.is_stopped() => None,
            found => Some(Staleness::Dependency { app: on.clone(), of, gone: found.is_none() }),
        });
        steps.chain(dependencies).collect()
    }

    fn precondition(&self, step: &StoredStep, live: Option<&LiveApp>, mask: &Mask) -> Option<Staleness> {
        let app = step.app.clone();
        let is_planned = |live: &LiveApp| match step.action {
            StoredAction::Create { fingerprint: planned, .. } | StoredAction::Update { fingerprint: planned, .. } => {
                fingerprint(&live.0) == planned
            }
            _ => false,
        };
        match (step.expects, live) {
            (StoredPrecondition::None | StoredPrecondition::AsLeft, _) | (StoredPrecondition::Absent, None) => None,
            (StoredPrecondition::Absent, Some(live)) => {
                let owner = live.marks().map(|marks| marks.owner);
                Some(Staleness::Appeared { app, owner, applied: is_planned(live) })
            }
            (StoredPrecondition::Same(_), None) => Some(Staleness::Vanished { app }),
            (StoredPrecondition::Same(expected), Some(live)) if fingerprint(&live.0) == expected => None,
            (StoredPrecondition::Same(_), Some(live)) => {
                let on = self.apps.iter().find(|planned| planned.name == app)?.planned_on.clone().unwrap_or_default();
                let fields = differing(&on, &Flat::of(&live.0, mask).hidden_as(&on, mask));
                Some(Staleness::Changed { app, fields, applied: is_planned(live) })
            }
        }
    }

    /// The steps that write a spec, with the spec.
    fn written(&self) -> impl Iterator<Item = (&StoredStep, crate::model::Fingerprint, &Flat)> {
        self.steps.iter().filter_map(|step| match &step.action {
            StoredAction::Create { fingerprint, spec } | StoredAction::Update { fingerprint, spec } => {
                Some((step, *fingerprint, spec))
            }
            _ => None,
        })
    }
}
