//! Fields that are left to others: what runs is written again, whatever is declared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::attribution::ChangedBy;
use super::field::{self, Context, Difference, FieldChange, key, walk};
use super::take::take;
use super::{ChangeSet, LiveSet};
use crate::canonical::canonical;
use crate::desired::{Desired, DesiredSet};
use crate::diagnostic::did_you_mean;
use crate::model::{AppName, LiveApp};
use crate::resolve::Project;
use crate::schema::Schema;

/// The keys of the code.
const CODE: [&str; 2] = ["source", "code_bundle"];

/// The fields that are left to others and run otherwise than they are declared: `old` runs, `new` is declared.
#[derive(Debug, Clone, Default)]
pub struct Kept(BTreeMap<AppName, Vec<FieldChange>>);

/// Why a field cannot be left to others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    #[error("`--keep-drift {text}` names no field: it is written APP.FIELD")]
    Form { text: String },
    #[error("`--keep-drift {text}`: there is no app `{app}` here")]
    NoSuchApp { text: String, app: String, suggestion: Option<String> },
    #[error("`--keep-drift {app}.{field}`: `{app}` has no field `{field}`")]
    NoSuchField { app: AppName, field: String, suggestion: Option<String>, differing: Vec<String> },
    /// What runs there is not here to be written again.
    #[error("`--keep-drift {app}.{field}`: code cannot be left to others")]
    Code { app: AppName, field: String },
    /// It does not stand for itself in the message.
    #[error("`--keep-drift {app}.{field}`: it cannot be left to others by itself")]
    Inseparable { app: AppName, field: String },
}

/// What is asked for, less the fields that are left to others (`APP.FIELD`, a key of the manifest or a table of keys):
/// these are as they run, or where they do not yet, as declared.
///
/// # Errors
/// See [`KeepError`].
pub fn keep(
    project: &Project,
    mut desired: DesiredSet,
    live: &LiveSet,
    asked: &[String],
) -> Result<(DesiredSet, Kept), KeepError> {
    let mut by_app: BTreeMap<AppName, Vec<&str>> = BTreeMap::new();
    for text in asked {
        let form = || KeepError::Form { text: text.clone() };
        let (app, field) = text.split_once('.').filter(|(_, field)| !field.is_empty()).ok_or_else(form)?;
        let known = project.declared.iter().find(|declared| declared.as_str() == app);
        let known = known.ok_or_else(|| {
            let near = did_you_mean(app, project.declared.iter().map(AppName::as_str)).map(str::to_owned);
            KeepError::NoSuchApp { text: text.clone(), app: app.to_owned(), suggestion: near }
        })?;
        by_app.entry(known.clone()).or_default().push(field);
    }
    let mut kept = Kept::default();
    for (name, fields) in by_app {
        // One that is declared and not selected is not looked at.
        let Some(app) = desired.apps.get_mut(&name) else { continue };
        let (left, differing) = leave(project, app, live.apps.get(&name), &fields)?;
        *app = left;
        kept.0.insert(name, differing);
    }
    Ok((desired, kept))
}

impl ChangeSet {
    /// Tells with each app what of it is left to others.
    #[must_use]
    pub fn keeping(mut self, mut kept: Kept) -> Self {
        for app in &mut self.apps {
            app.kept = kept.0.remove(app.name()).unwrap_or_default();
        }
        self
    }
}

fn leave(
    project: &Project,
    desired: &Desired,
    live: Option<&LiveApp>,
    fields: &[&str],
) -> Result<(Desired, Vec<FieldChange>), KeepError> {
    let app = &desired.id.name;
    let declared = canonical(&desired.spec.0);
    let runs = live.map_or_else(|| declared.clone(), |live| canonical(&live.0));
    let mut places = BTreeMap::new();
    for version in [&declared, &runs] {
        let all = walk(&Value::Object(Map::new()), version);
        places.extend(all.into_iter().map(|place| (place.pointer.clone(), name(&place))));
    }
    let differences = walk(&runs, &declared);
    let mut left = BTreeSet::new();
    for field in fields {
        if CODE.iter().any(|code| field.split('.').next() == Some(code)) {
            return Err(KeepError::Code { app: app.clone(), field: (*field).to_owned() });
        }
        let field = bare(field);
        let is_below = |key: &str, around: &str| key.strip_prefix(around).is_some_and(|rest| rest.starts_with('.'));
        let is_meant = |key: &str| key == field || is_below(key, &field);
        let meant: Vec<String> =
            places.iter().filter(|(_, key)| is_meant(&bare(key))).map(|(pointer, _)| pointer.clone()).collect();
        // What stands in the message as a whole is told by its members, and left as a whole.
        if meant.is_empty() && places.values().any(|key| is_below(&field, &bare(key))) {
            return Err(KeepError::Inseparable { app: app.clone(), field });
        }
        if meant.is_empty() && !is_key(&field) {
            return Err(no_such_field(app, &field, &differences, places.values()));
        }
        // An endpoint is a parameter and an input of the same name.
        left.extend(
            meant.iter().filter_map(|at| at.strip_prefix("/parameters/").map(|name| format!("/inputs/{name}"))),
        );
        left.extend(meant);
    }
    if left.is_empty() {
        return Ok((desired.clone(), Vec::new()));
    }
    let left: Vec<String> = left.into_iter().collect();
    let message = match live {
        Some(live) => take(&desired.spec.0, &live.0, &left)
            .ok_or_else(|| KeepError::Inseparable { app: app.clone(), field: fields.join(", ") })?,
        None => desired.spec.0.clone(),
    };
    let kept = differences.into_iter().filter(|difference| left.contains(&difference.pointer)).collect();
    let context = Context { spans: &desired.spans, pins: &desired.pins, mask: &project.mask };
    let kept = field::describe(kept, context, |_| (ChangedBy::Them, None));
    Ok((desired.leaving(message, &project.owner, &left), kept))
}

fn name(difference: &Difference) -> String {
    let values = [&difference.old, &difference.new].into_iter().flatten();
    key(&difference.path, values, Schema::load())
}

/// A path of keys as a shell hands it over: without quotes.
fn bare(field: &str) -> String {
    field.replace('"', "")
}

/// The table around a key.
fn outer<'a>(key: &&'a str) -> Option<&'a str> {
    key.rsplit_once('.').map(|(outer, _)| outer)
}

/// Whether it is a key of an app, set or not. Names in maps are not known before they are there.
fn is_key(field: &str) -> bool {
    let last = field.rsplit('.').next();
    Schema::load().lookup(&format!("app.{field}")).is_some_and(|key| Some(key.name.as_str()) == last)
}

fn no_such_field<'a>(
    app: &AppName,
    field: &str,
    differences: &[Difference],
    all: impl Iterator<Item = &'a String>,
) -> KeepError {
    let differing: BTreeSet<String> = differences.iter().map(name).collect();
    let near = did_you_mean(field, differing.iter().map(String::as_str));
    // Tables are named too.
    let all: BTreeSet<&str> = all.flat_map(|key| std::iter::successors(Some(key.as_str()), |key| outer(key))).collect();
    let near = near.or_else(|| did_you_mean(field, all)).map(str::to_owned);
    KeepError::NoSuchField {
        app: app.clone(),
        field: field.to_owned(),
        suggestion: near,
        differing: differing.into_iter().collect(),
    }
}
