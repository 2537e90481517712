//! Records, file lists and events as the text they are stored as.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use flyte_schema::flyteidl2::app::App;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::Event;
use super::record::{Code, Release, Written};
use crate::bundle::{BundleFile, MAX_FILES};
use crate::model::{Activation, AppId, AppName, Commit, Version};

/// The number of the format. It grows when a reader of the older form would misread the newer.
pub const FORMAT: u32 = 1;

/// The greatest size of a stored object in bytes; a list of the most files that a bundle may have fits.
pub const MAX_SIZE: u64 = 32 << 20;

/// Why a stored object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it has format {found}; this program knows format {FORMAT}: a newer flyte reads it")]
    Newer { found: u64 },
    #[error("it has {size} bytes, more than the {MAX_SIZE} that are allowed")]
    TooLarge { size: u64 },
    #[error("it is not what its name says: it was changed or cut off")]
    Damaged,
    #[error("{0}")]
    Malformed(String),
}

/// A record as JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    app: AppId,
    manifest: String,
    version: Version,
    activation: Activation,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    depends_on: Option<BTreeSet<AppName>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    commit: Option<Commit>,
    written: Written,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    filled: Option<BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    concealed: Vec<String>,
    message: Value,
    /// The message in full, where it has fields that have no JSON form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    bytes: Option<String>,
}

/// The text of a record, which names it. A message that has no JSON form (a duration out of range) is kept as bytes
/// alone.
pub fn encode(release: &Release) -> Vec<u8> {
    let message = flyte_schema::to_json(&release.message).unwrap_or(Value::Null);
    let read_again = flyte_schema::from_json::<App>(message.clone());
    let whole = read_again.is_ok_and(|read| read == release.message);
    text(&Stored {
        format: FORMAT,
        app: release.app.clone(),
        manifest: release.owner.clone(),
        version: release.version.clone(),
        activation: release.activation,
        depends_on: release.depends_on.clone(),
        image: release.image().map(str::to_owned),
        code: release.code.clone(),
        commit: release.commit.clone(),
        written: release.written.clone(),
        filled: release.filled.clone(),
        concealed: release.concealed.clone(),
        message,
        bytes: (!whole).then(|| STANDARD.encode(release.message.encode_to_vec())),
    })
}

/// # Errors
/// See [`Unreadable`].
pub fn decode(content: &[u8]) -> Result<Release, Unreadable> {
    let stored: Stored = read(content)?;
    let message = match &stored.bytes {
        Some(bytes) => {
            let bytes = STANDARD.decode(bytes).map_err(|error| malformed(&error))?;
            App::decode_from_slice(&bytes).map_err(|error| malformed(&error))?
        }
        None => flyte_schema::from_json(stored.message).map_err(|error| malformed(&error))?,
    };
    Ok(Release {
        app: stored.app,
        owner: stored.manifest,
        version: stored.version,
        activation: stored.activation,
        depends_on: stored.depends_on,
        code: stored.code,
        commit: stored.commit,
        written: stored.written,
        filled: stored.filled,
        concealed: stored.concealed,
        message,
    })
}

#[derive(Serialize, Deserialize)]
struct StoredFiles {
    format: u32,
    files: Vec<BundleFile>,
}

/// The text of the file list of a bundle.
pub fn encode_files(files: &[BundleFile]) -> Vec<u8> {
    text(&StoredFiles { format: FORMAT, files: files.to_vec() })
}

/// # Errors
/// See [`Unreadable`].
pub fn decode_files(content: &[u8]) -> Result<Vec<BundleFile>, Unreadable> {
    let stored: StoredFiles = read(content)?;
    match stored.files.len() {
        0..=MAX_FILES => Ok(stored.files),
        many => {
            Err(Unreadable::Malformed(format!("it lists {many} files, more than the {MAX_FILES} that are allowed")))
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredEvent {
    format: u32,
    #[serde(flatten)]
    event: Event,
}

/// The text of an event.
pub fn encode_event(event: &Event) -> Vec<u8> {
    text(&StoredEvent { format: FORMAT, event: event.clone() })
}

/// # Errors
/// See [`Unreadable`].
pub fn decode_event(content: &[u8]) -> Result<Event, Unreadable> {
    Ok(read::<StoredEvent>(content)?.event)
}

/// Lines of JSON: what is committed to git is read by people.
fn text(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data has a JSON form");
    text.push(b'\n');
    text
}

fn read<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Form {
        format: u64,
    }
    let size = content.len() as u64;
    if size > MAX_SIZE {
        return Err(Unreadable::TooLarge { size });
    }
    let form: Form = serde_json::from_slice(content).map_err(|error| malformed(&error))?;
    if form.format != u64::from(FORMAT) {
        return Err(Unreadable::Newer { found: form.format });
    }
    serde_json::from_slice(content).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::fmt::Display) -> Unreadable {
    Unreadable::Malformed(error.to_string())
}
