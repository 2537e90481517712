//! Why something is done to an app, or must not be, and what a reader should know of changes made outside.

use super::{Note, Policy, Reason, Verb, owner_name};
use crate::bundle;
use crate::diff::{AppChange, ChangedBy, FieldChange, KnownBy, Owner};
use crate::model::{LiveApp, Marks};

/// Why an app must not be written.
pub(super) fn refusal(change: &AppChange, policy: Policy) -> Option<Note> {
    if change.owner != Owner::Us && !policy.adopt {
        return Some(Note::NotOurs { owner: owner_name(&change.owner) });
    }
    let label = change.desired.version.label.as_ref()?;
    if let Some(taken) = &change.taken {
        return Some(Note::LabelInUse {
            label: label.clone(),
            live: taken.version.digest.short(),
            planned: change.desired.version.digest.short(),
            on_record: true,
        });
    }
    let marks = change.live.as_ref().and_then(LiveApp::marks)?;
    let in_use = marks.owner == change_owner(change)?
        && marks.version == *label
        && marks.digest != change.desired.version.digest;
    in_use.then(|| Note::LabelInUse {
        label: label.clone(),
        live: marks.digest.short(),
        planned: change.desired.version.digest.short(),
        on_record: false,
    })
}

fn change_owner(change: &AppChange) -> Option<String> {
    Marks::read(change.desired.spec.spec()).map(|marks| marks.owner)
}

pub(super) fn reasons(change: &AppChange, verb: Verb) -> Vec<Reason> {
    match verb {
        Verb::Create if change.desired.restores => return vec![Reason::RolledBack],
        Verb::Create if change.gone => return vec![Reason::Gone],
        Verb::Create => return vec![Reason::New],
        Verb::Activate => return vec![Reason::Inactive],
        Verb::Deactivate => return vec![Reason::LeftRunning],
        Verb::Update => {}
        _ => return Vec::new(),
    }
    let mut reasons = Vec::new();
    if change.desired.restores {
        reasons.push(Reason::RolledBack);
    }
    if change.owner != Owner::Us {
        reasons.push(Reason::Adopted { from: owner_name(&change.owner) });
    } else if change.drifted {
        reasons.push(drift(change));
    }
    reasons.extend(changed(change));
    reasons.extend(change.code_gone.then_some(Reason::CodeGone));
    if reasons.is_empty() {
        let marks = change.live.as_ref().and_then(LiveApp::marks);
        let (kept, version) = marks.map(|marks| (marks.kept, marks.version)).unwrap_or_default();
        reasons.push(choice(&kept, &version, change));
    }
    reasons
}

/// What is changed of the spec itself.
pub(super) fn changed(change: &AppChange) -> Vec<Reason> {
    let (code, fields): (Vec<_>, Vec<_>) = change.fields.iter().partition(|field| field.is_code());
    let code = (!code.is_empty()).then_some(Reason::CodeChanged);
    let fields = (!fields.is_empty()).then_some(Reason::FieldsChanged { count: fields.len() });
    code.into_iter().chain(fields).collect()
}

/// What is changed where only the marks differ: what was left to others, and what the version was called.
pub(super) fn choice(kept: &[String], version: &str, change: &AppChange) -> Reason {
    if kept != Marks::kept(change.desired.spec.spec()) {
        return Reason::OthersChosen;
    }
    Reason::Relabelled { from: version.to_owned(), to: change.desired.version.mark() }
}

fn drift(change: &AppChange) -> Reason {
    let is_outside = |field: &FieldChange| field.changed_by.is_drift() || field.changed_by == ChangedBy::Unknown;
    match change.live.as_ref().and_then(LiveApp::marks) {
        _ if change.fields.iter().any(is_outside) => Reason::Drifted,
        Some(_) => Reason::ChangedAlike,
        None => Reason::MarksGone,
    }
}

/// What a reader should know of what was left to others, and of what is perhaps nobody's doing.
pub(super) fn of_others(change: &AppChange) -> Vec<Note> {
    let again = (!change.again.is_empty()).then(|| Note::DeclaredAgain { fields: change.again.clone() });
    let filled = &change.perhaps_filled;
    let filled = (!filled.is_empty()).then(|| Note::PerhapsFilled { fields: filled.clone() });
    again.into_iter().chain(filled).collect()
}

/// What a reader should know of changes made outside.
pub(super) fn of_drift(change: &AppChange) -> Vec<Note> {
    if !change.drifted || change.owner != Owner::Us || change.live.is_none() {
        return Vec::new();
    }
    let known_by = Some(change.known_by).filter(|known_by| *known_by != KnownBy::Marks);
    let known_by = known_by.map(|known_by| Note::KnownBy { known_by });
    let no_record = (!change.is_attributed && !change.fields.is_empty()).then_some(Note::NoRecord);
    let alike = (!change.alike.is_empty()).then(|| Note::Alike { fields: change.alike.clone() });
    known_by.into_iter().chain(no_record).chain(alike).collect()
}

/// Told of code that is new: who reads the plan may count on these files.
pub(super) fn not_packed(change: &AppChange, verb: Verb) -> Option<Note> {
    let bundle = change.desired.bundle.as_ref().filter(|_| verb == Verb::Create || change.code.is_some())?;
    let secret = bundle.left_out.iter().filter(|left| left.reason == bundle::Reason::Secret);
    let paths: Vec<String> = secret.map(|left| left.path.clone()).collect();
    (!paths.is_empty()).then_some(Note::NotPacked { paths })
}
