//! Everything that a process needs, put together before it starts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::core::Core;
use super::workload::{Entry, Parameter, ParameterValue, Surroundings, Workload};
use super::{command, environment, system, unpack};

/// The name `fserve` gives to the file of all parameters, and to the variable that holds its path.
const PARAMETERS: &str = "flyte-parameters.json";

/// A process that only has to be spawned.
pub struct Prepared {
    pub argv: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub directory: PathBuf,
}

/// Why a process cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// No secret of this name is visible to the app.
    SecretMissing { key: String },
    /// Reads well after "cannot start: ".
    Other(String),
}

/// Collects the variables, unpacks the bundle (unless `keep` is set and that was done before), and makes the command
/// line. Blocking.
///
/// # Errors
/// Says what is missing; never with the value of a secret or parameter.
pub fn prepare(workload: &Workload, port: u16, token: &str, keep: bool, core: &Core) -> Result<Prepared, Hindrance> {
    let surroundings = core.surroundings();
    let mut variables = environment::base(&core.config().inherited);
    variables.extend(workload.env.clone());
    for (name, key) in &workload.secrets {
        let value =
            surroundings.secret(&workload.app, key).ok_or_else(|| Hindrance::SecretMissing { key: key.clone() })?;
        variables.insert(name.clone(), value);
    }

    let directory = core.layout().revision(&workload.app, workload.revision);
    let (bundle, dest) = match &workload.entry {
        Entry::Direct { .. } | Entry::Object { .. } => (None, Path::new("")),
        Entry::Serve { bundle, dest, .. } => (bundle.as_deref(), dest.as_path()),
    };
    unpack::unpack(bundle, &directory, dest, keep).map_err(|error| Hindrance::Other(with_sources(&error)))?;
    if let Entry::Serve { parameters, .. } = &workload.entry {
        set_parameters(workload, parameters, &directory, surroundings, &mut variables)?;
    }
    variables.extend(environment::platform(&workload.app, port));
    variables.insert(system::MARK.to_owned(), token.to_owned());
    if let Some(invalid) = variables.iter().find_map(|(name, value)| unfit(name, value)) {
        return Err(Hindrance::Other(invalid));
    }
    let path = variables.get("PATH").map_or("", String::as_str);
    let path = environment::with_python(path, &core.layout().shims())
        .map_err(|error| Hindrance::Other(format!("cannot write to the state directory: {error}")))?;
    variables.insert("PATH".to_owned(), path);

    let argv = match &workload.entry {
        Entry::Direct { argv } => command::direct(argv, &variables, &directory),
        Entry::Object { code, pickled, dest, options } => {
            let option = if *pickled { "--pkl" } else { "--tgz" };
            let dest = if dest.as_os_str().is_empty() { Path::new(".") } else { dest };
            let code = [option, &code.display().to_string(), "--dest", &dest.display().to_string()].map(str::to_owned);
            command::by_sdk(&[options.as_slice(), &code].concat(), &variables, &directory)
        }
        Entry::Serve { args, .. } => command::served(args, &variables, &directory),
    };
    let argv = command::gated(argv.map_err(Hindrance::Other)?, &variables);
    Ok(Prepared { argv, variables, directory })
}

/// As `fserve` does: a variable for each that asks for one, and one file with all.
fn set_parameters(
    workload: &Workload,
    parameters: &[Parameter],
    directory: &Path,
    surroundings: &dyn Surroundings,
    variables: &mut BTreeMap<String, String>,
) -> Result<(), Hindrance> {
    if parameters.is_empty() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for parameter in parameters {
        let value = match &parameter.value {
            ParameterValue::Text(text) => text.clone(),
            ParameterValue::Endpoint { app, public } => {
                let id = workload.app.scope.app(app);
                let url = if *public { surroundings.url(&id) } else { surroundings.url_to_be(&id) };
                url.ok_or_else(|| {
                    let asked = &parameter.name;
                    let why = if *public { "which does not exist" } else { "and no port is free" };
                    Hindrance::Other(format!("parameter `{asked}` asks for the URL of app `{app}`, {why}"))
                })?
            }
        };
        if let Some(variable) = &parameter.env_var {
            variables.insert(variable.clone(), value.clone());
        }
        values.insert(&parameter.name, value);
    }
    let file = directory.join(PARAMETERS);
    let written = serde_json::to_vec(&values).map_err(io::Error::from).and_then(|text| write_private(&file, &text));
    written.map_err(|error| Hindrance::Other(format!("cannot write {}: {error}", file.display())))?;
    variables.insert(PARAMETERS.to_owned(), file.display().to_string());
    Ok(())
}

/// Writes a file that only its owner may read, in place of the one before.
fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text)
}

/// What no process can be given as a variable.
fn unfit(name: &str, value: &str) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Some(format!("`{}` is not a name for a variable", name.escape_debug()));
    }
    value.contains('\0').then(|| format!("variable `{name}` holds a NUL character"))
}

/// The error and its causes in one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn values_are_for_their_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(PARAMETERS);
        fs::write(&path, "of a version of before").expect("it is written");
        write_private(&path, b"{}").expect("it is written");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode, fs::read(&path).expect("it is read")), (0o600, b"{}".to_vec()));
    }
}
