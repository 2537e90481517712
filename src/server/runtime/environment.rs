//! The variables that an app sees.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::AppId;

/// Variables of the control plane's own environment that reach an app; those that start with `LC_` do too. Nothing
/// else does: an app must not depend on who started the control plane.
pub const INHERITED: [&str; 14] = [
    "CONDA_PREFIX",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "PYENV_ROOT",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
];

/// Used where the control plane has no `PATH` itself.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The part of the environment that is the same for every app.
pub fn base(inherited: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let wanted = |name: &str| INHERITED.contains(&name) || name.starts_with("LC_");
    let mut variables: BTreeMap<String, String> =
        inherited.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    variables.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    // Else the lines of a Python app reach its log when a buffer is full, or never.
    variables.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    variables
}

/// What the platform says about the app. Source: the variables that the open-source server and Knative add.
pub fn platform(app: &AppId, port: u16) -> [(String, String); 3] {
    [
        ("PORT".to_owned(), port.to_string()),
        ("FLYTE_INTERNAL_EXECUTION_PROJECT".to_owned(), app.scope.project.clone()),
        ("FLYTE_INTERNAL_EXECUTION_DOMAIN".to_owned(), app.scope.domain.clone()),
    ]
}

/// Finds a program as a shell would: a name on `PATH`, anything with a `/` from the working directory.
pub fn find_program(name: &str, path: &str, directory: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(directory.join(name)).filter(|found| is_program(found));
    }
    path.split(':').map(|entry| directory.join(entry).join(name)).find(|found| is_program(found))
}

/// Makes `python` callable where only `python3` is: many a manifest says `python`. Returns the `PATH` to use.
///
/// # Errors
/// When the directory for the stand-in cannot be written.
pub fn with_python(path: &str, shims: &Path) -> io::Result<String> {
    let root = Path::new("/");
    if find_program("python", path, root).is_some() {
        return Ok(path.to_owned());
    }
    let Some(python3) = find_program("python3", path, root) else { return Ok(path.to_owned()) };
    let shim = shims.join("python");
    // A link would hide from Python which virtual environment it is in.
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", python3.display().to_string().replace('\'', r"'\''"));
    if fs::read_to_string(&shim).ok().as_deref() != Some(script.as_str()) {
        write_program(&shim, &script)?;
    }
    Ok(format!("{path}:{}", shims.display()))
}

/// Other processes may be running the former text: it is replaced, not changed.
fn write_program(path: &Path, script: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let partial = path.with_extension(format!("{}", std::process::id()));
    fs::write(&partial, script)?;
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
    fs::rename(&partial, path)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_program_needs_is_inherited() {
        let given = [("PATH", "/bin"), ("LC_ALL", "C"), ("AWS_SECRET_ACCESS_KEY", "x"), ("PYTHONPATH", "/y")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let expected = [("LC_ALL", "C"), ("PATH", "/bin"), ("PYTHONUNBUFFERED", "1")];
        assert_eq!(base(&given), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(base(&BTreeMap::new())["PATH"], DEFAULT_PATH);
    }

    #[test]
    fn python_stands_for_python3() {
        let directory = tempfile::tempdir().expect("a directory");
        let (bin, shims) = (directory.path().join("bin"), directory.path().join("shims"));
        let path = bin.display().to_string();
        assert_eq!(with_python(&path, &shims).expect("nothing to do"), path, "without python3 there is no stand-in");
        write_program(&bin.join("python3"), "#!/bin/sh\necho \"three $1\"\n").expect("it is written");
        for _ in 0..2 {
            let with = with_python(&path, &shims).expect("a stand-in");
            let found = find_program("python", &with, Path::new("/")).expect("a program");
            let output = std::process::Command::new(found).arg("x").output().expect("it runs");
            assert_eq!(output.stdout, b"three x\n");
        }
        write_program(&bin.join("python"), "#!/bin/sh\n").expect("it is written");
        assert_eq!(with_python(&path, &shims).expect("nothing to do"), path);
    }

    #[test]
    fn programs() {
        let root = Path::new("/");
        assert_eq!(find_program("sh", "/nowhere:/bin", root), Some("/bin/sh".into()));
        assert_eq!(find_program("bin/sh", "", root), Some("/bin/sh".into()));
        assert_eq!(find_program("./sh", "/bin", root), None);
        assert_eq!(find_program("no-such-program", "/bin", root), None);
    }
}
