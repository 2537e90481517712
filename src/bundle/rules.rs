//! What is never wanted in a bundle, before any ignore file is asked.

/// Directories and files of version control, tools and editors, and our own. A `.flyteignore` may take back any but
/// `.git`.
const SKIPPED: [&str; 17] = [
    ".git",
    // They say what is packed, so a change of them alone is none.
    ".gitignore",
    ".flyteignore",
    // The manifest describes many apps: a change of it must not change the code of all.
    "flyte.toml",
    ".flyte",
    "venv",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".ipynb_checkpoints",
    ".tox",
    "node_modules",
    ".idea",
    ".vscode",
    ".DS_Store",
];

/// The last is for saved plans, which say what is packed.
const SKIPPED_ENDINGS: [&str; 4] = [".pyc", ".pyo", ".egg-info", ".flyteplan"];

/// A directory that holds this file is a virtual environment, whatever it is called.
pub const VIRTUAL_ENVIRONMENT: &str = "pyvenv.cfg";

const KEY_FILES: [&str; 11] = [
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
];

const KEY_ENDINGS: [&str; 9] = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".agekey"];

/// Whether a file or directory of this name is left out unless an ignore file or `include` takes it back.
pub fn is_skipped(name: &str) -> bool {
    SKIPPED.contains(&name) || SKIPPED_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file of this name may hold credentials. It is packed only where `include` names it exactly, and said to be
/// left out otherwise.
pub fn may_hold_credentials(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with(".env")
        || KEY_FILES.contains(&lower.as_str())
        || KEY_ENDINGS.iter().any(|ending| lower.ends_with(ending))
}
