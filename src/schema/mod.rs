//! `schema/manifest.kdl` as a value: every key with its type, default, limits, unit and manual text.

pub mod docs;
mod path;
mod read;

use std::sync::{Arc, LazyLock};

pub use read::SchemaError;

/// Everything a manifest may say.
#[derive(Debug)]
pub struct Schema {
    pub root: Arc<TableType>,
    /// Tables used in more than one place, `root` not among them.
    pub defined: Vec<Arc<TableType>>,
}

/// A table with known keys.
#[derive(Debug)]
pub struct TableType {
    /// The name it was defined under.
    pub name: Option<String>,
    pub keys: Vec<Key>,
    /// Exactly one of the keys is set.
    pub one_of: bool,
    /// Laid over another of its kind it replaces it: key by key it would mix two things.
    pub whole: bool,
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    pub name: String,
    pub required: bool,
    /// Reserved for a later release: using it is refused.
    pub planned: bool,
    /// As TOML, without the quotes of a text.
    pub default: Option<String>,
    pub unit: Option<String>,
    /// Of the keys of one group one is set.
    pub group: Option<String>,
    /// What it is called elsewhere, by the SDK or Kubernetes. Not accepted: a finding says what to write.
    pub aliases: Vec<String>,
    /// The keys of a group that it says more of.
    pub beside: Vec<String>,
    /// One line, no full stop.
    pub summary: String,
    pub about: String,
    /// TOML that is accepted.
    pub example: String,
    /// Paths in the app message; `name[]` is a list told apart by a key.
    pub wire: Vec<String>,
    /// The ways to write the value; empty for a planned key.
    pub forms: Vec<Form>,
}

/// A way to write a value.
#[derive(Debug)]
pub enum Form {
    /// `min` and `max` count characters; for durations seconds.
    Text {
        format: Format,
        min: Option<u64>,
        max: Option<u64>,
        choices: Vec<String>,
    },
    Integer {
        format: Format,
        min: i64,
        max: i64,
    },
    /// An integer or a decimal.
    Number {
        format: Format,
    },
    Boolean,
    /// Whatever JSON can say.
    Any,
    List {
        min: usize,
        element: Vec<Form>,
    },
    Table(Arc<TableType>),
    /// Any keys of a format.
    Map {
        keys: Format,
        element: Vec<Form>,
    },
}

/// Ports that the platform's own containers use beside the app. Source: the published SDK's check of `AppEnvironment.port`.
pub const RESERVED_PORTS: [u16; 5] = [8012, 8022, 8112, 9090, 9091];

/// What a text or a number must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Any,
    /// `NAME:COUNT`.
    Accelerator,
    AppName,
    ArtifactName,
    /// A Kubernetes quantity of whole bytes.
    Bytes,
    /// A Kubernetes quantity of thousandths of a processor.
    Cpu,
    Duration,
    Endpoint,
    /// An environment variable of a container.
    EnvName,
    /// A path: relative to the manifest, absolute, or below `~/`.
    File,
    Glob,
    /// A DNS name of at least two parts.
    Host,
    HttpPath,
    Image,
    /// Of a Kubernetes label or annotation.
    LabelKey,
    LabelValue,
    /// A directory or file in a container.
    Mount,
    ParameterName,
    Path,
    /// Not one of the ports the platform keeps.
    Port,
    PortName,
    /// `module:attribute`.
    PythonObject,
    /// A relative path, or the address of a bucket.
    ReleaseStore,
    /// A project, domain or organisation.
    ScopeName,
    SecretKey,
    /// The name of an environment variable that holds a secret. Whatever stands there is not shown.
    SecretVariable,
    ServiceAccount,
    /// Bytes, or `auto`.
    SharedMemory,
    ShellWords,
    /// A part of a DNS name.
    Subdomain,
    /// `http://` or `https://`.
    Url,
    /// An environment variable.
    Variable,
    /// A name inside the manifest: of a variable, a profile, a target, the manifest itself.
    Word,
}

impl Format {
    const NAMES: [(&'static str, Self); 32] = [
        ("accelerator", Self::Accelerator),
        ("app-name", Self::AppName),
        ("artifact-name", Self::ArtifactName),
        ("bytes", Self::Bytes),
        ("cpu", Self::Cpu),
        ("duration", Self::Duration),
        ("endpoint", Self::Endpoint),
        ("env-name", Self::EnvName),
        ("file", Self::File),
        ("glob", Self::Glob),
        ("host", Self::Host),
        ("http-path", Self::HttpPath),
        ("image", Self::Image),
        ("label-key", Self::LabelKey),
        ("label-value", Self::LabelValue),
        ("mount", Self::Mount),
        ("parameter-name", Self::ParameterName),
        ("path", Self::Path),
        ("port", Self::Port),
        ("port-name", Self::PortName),
        ("python-object", Self::PythonObject),
        ("release-store", Self::ReleaseStore),
        ("scope-name", Self::ScopeName),
        ("secret-key", Self::SecretKey),
        ("secret-variable", Self::SecretVariable),
        ("service-account", Self::ServiceAccount),
        ("shared-memory", Self::SharedMemory),
        ("shell-words", Self::ShellWords),
        ("subdomain", Self::Subdomain),
        ("url", Self::Url),
        ("variable", Self::Variable),
        ("word", Self::Word),
    ];

    /// The expression that texts of this format match, where one is the whole rule or a useful part of it.
    pub fn pattern(self) -> Option<&'static str> {
        match self {
            Self::AppName => Some("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$"),
            Self::ArtifactName => Some("^[A-Za-z0-9._-]{1,255}$"),
            // Parts of a byte or of a thousandth that come to whole ones.
            Self::Bytes => Some(
                "^\\+?(([0-9]+\\.?[0-9]*|\\.[0-9]+)([KMGTPE]i|[kMGTPE]|[eE][+-]?[0-9]+)?|(0+|[0-9]*000)m|(0+|[0-9]*0{6})u|(0+|[0-9]*0{9})n)$",
            ),
            Self::Cpu => Some(
                "^\\+?(([0-9]+\\.?[0-9]*|\\.[0-9]+)([KMGTPE]i|[mkMGTPE]|[eE][+-]?[0-9]+)?|(0+|[0-9]*000)u|(0+|[0-9]*0{6})n)$",
            ),
            Self::Duration => Some("^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"),
            Self::EnvName => Some("^([A-Za-z_-]|\\.[A-Za-z0-9_-])[A-Za-z0-9_.-]*$"),
            Self::Endpoint => Some("^(dns:///|https?://)[^\\s]+$"),
            Self::Host => Some("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
            Self::HttpPath => Some("^/"),
            Self::LabelKey => Some("^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"),
            Self::LabelValue => Some("^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$"),
            Self::Mount => Some("^/."),
            Self::ParameterName => Some("^.+$"),
            Self::PortName => Some("^[a-z0-9-]{1,15}$"),
            Self::PythonObject => Some("^[^\\s.:]+(\\.[^\\s.:]+)*:[^\\s.:]+$"),
            Self::Url => Some("^https?://[^\\s]+$"),
            Self::ScopeName => Some("^[A-Za-z0-9._-]{1,63}$"),
            Self::SecretKey => Some("^[A-Za-z0-9_.-]+$"),
            Self::ServiceAccount => Some("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"),
            Self::Subdomain => Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
            Self::SecretVariable | Self::Variable => Some("^[A-Za-z_][A-Za-z0-9_]*$"),
            Self::Word => Some("^[A-Za-z0-9_-]+$"),
            Self::Any
            | Self::Accelerator
            | Self::File
            | Self::Glob
            | Self::Image
            | Self::Path
            | Self::Port
            | Self::ReleaseStore
            | Self::SharedMemory
            | Self::ShellWords => None,
        }
    }
}

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::read(flyte_schema::MANIFEST_KDL).expect("the embedded schema is checked by a test"));

impl Schema {
    /// The schema of this release.
    pub fn load() -> &'static Self {
        &SCHEMA
    }

    /// The table defined as `name`.
    pub fn table(&self, name: &str) -> Option<&Arc<TableType>> {
        self.defined.iter().find(|table| table.name.as_deref() == Some(name))
    }
}

impl TableType {
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    /// Whether `name` is its own, or what others call it.
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The table form, where there is one.
    pub fn table(&self) -> Option<&Arc<TableType>> {
        table_form(&self.forms)
    }

    /// The forms of a map's values, where there is a map form.
    pub fn map(&self) -> Option<(Format, &[Form])> {
        self.forms.iter().find_map(|form| match form {
            Form::Map { keys, element } => Some((*keys, element.as_slice())),
            _ => None,
        })
    }
}

/// The table among some forms.
pub fn table_form(forms: &[Form]) -> Option<&Arc<TableType>> {
    forms.iter().find_map(|form| if let Form::Table(table) = form { Some(table) } else { None })
}
