//! Where the runtime's files lie.

use std::fmt::Write;
use std::path::PathBuf;

use crate::model::AppId;

/// The paths below the state directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// `apps/<project>/<domain>/<name>/`: a directory per revision.
    pub fn app(&self, app: &AppId) -> PathBuf {
        self.scoped("apps", app).join(component(app.name.as_str()))
    }

    /// The working directory of a revision: the unpacked bundle, or empty.
    pub fn revision(&self, app: &AppId, revision: u64) -> PathBuf {
        self.app(app).join(revision.to_string())
    }

    /// `logs/<project>/<domain>/<name>.log`.
    pub fn log(&self, app: &AppId) -> PathBuf {
        self.scoped("logs", app).join(format!("{}.log", component(app.name.as_str())))
    }

    /// One record per running process.
    pub fn records(&self) -> PathBuf {
        self.root.join("processes")
    }

    /// Programs that stand in for missing ones.
    pub fn shims(&self) -> PathBuf {
        self.root.join("shims")
    }

    fn scoped(&self, kind: &str, app: &AppId) -> PathBuf {
        let mut path = self.root.join(kind);
        if !app.scope.org.is_empty() {
            path.push(format!("@{}", component(&app.scope.org)));
        }
        path.push(component(&app.scope.project));
        path.push(component(&app.scope.domain));
        path
    }
}

/// A text that came over the wire as one path component, different for different texts.
fn component(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (byte == b'.' && index > 0) {
            name.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.is_empty() { "%".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components() {
        let check = |text: &str, expected: &str| assert_eq!(component(text), expected);
        check("flytesnacks", "flytesnacks");
        check("a.b-c_D", "a.b-c_D");
        check("..", "%2e.");
        check("../../etc", "%2e.%2f..%2fetc");
        check("", "%");
        check("%", "%25");
    }
}
