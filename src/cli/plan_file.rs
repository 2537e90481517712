//! Plan files on the disk: written whole or not at all, for their owner's eyes, and never over something else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::failure::{Failure, Result};
use crate::manifest;
use crate::pipeline::Planned;
use crate::plan::stored::is_plan_file;
use crate::port::Ports;

/// The greatest size of a plan file in bytes: 1 GiB.
const MAX_BYTES: u64 = 1 << 30;

/// How much of a file is looked at to know what it is, in bytes.
const BEGINNING: u64 = 256;

/// Writes a plan, mode 0600; answers the path, absolute.
///
/// # Errors
/// There is something else of that name, the file would be packed with the code of an app, or it cannot be written.
pub fn save(ports: &Ports, planned: &Planned, file: &Path) -> Result<PathBuf> {
    let doing = || format!("cannot save the plan to {}", file.display());
    let path = target(file).map_err(|error| Failure::from(error).while_doing(doing()))?;
    let was_there = match fs::metadata(&path) {
        Ok(found) if found.is_file() && is_plan(&path)? => true,
        Ok(_) => {
            let failure = Failure::new("there is something of that name that is no plan").while_doing(doing());
            return Err(failure.help("name another file, or remove that one"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(Failure::from(error).while_doing(doing())),
    };
    // A plan file among the code would make other versions of it than the plan says.
    if was_there {
        refuse_code(ports, planned, &path, file)?;
    }
    write(&path, &planned.stored().to_text()).map_err(|error| Failure::from(error).while_doing(doing()))?;
    if !was_there && let Err(failure) = refuse_code(ports, planned, &path, file) {
        let _ = fs::remove_file(&path);
        return Err(failure);
    }
    Ok(path)
}

fn refuse_code(ports: &Ports, planned: &Planned, path: &Path, file: &Path) -> Result<()> {
    let Some(app) = planned.packs(ports, path)? else { return Ok(()) };
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Err(Failure::new(format!(
        "cannot save the plan to {}: it would be packed with the code of `{app}`",
        file.display()
    ))
    .help(format!("name it {name}.flyteplan, which is never packed, or save it elsewhere")))
}

/// Where the file will lie: links to its directory are followed, so that it is known again among the code.
fn target(file: &Path) -> io::Result<PathBuf> {
    let path = manifest::normal(&std::env::current_dir()?.join(file));
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => Ok(fs::canonicalize(directory)?.join(name)),
        _ => Err(io::ErrorKind::IsADirectory.into()),
    }
}

fn is_plan(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(path)?.take(BEGINNING).read_to_end(&mut beginning)?;
    Ok(is_plan_file(&String::from_utf8_lossy(&beginning)))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}.flyteplan", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// The text of a plan file.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read(file: &Path) -> Result<String> {
    let doing = || format!("cannot read the plan in {}", file.display());
    let failed = |error: io::Error| Failure::from(error).while_doing(doing());
    let found = fs::metadata(file).map_err(failed)?;
    if found.is_dir() {
        let failure = Failure::new("it is a directory").while_doing(doing());
        return Err(failure.help(format!("`flyte deploy {}` applies the manifest in it", typed(file))));
    }
    if found.len() > MAX_BYTES {
        return Err(Failure::new(format!("it has more than {MAX_BYTES} bytes")).while_doing(doing()));
    }
    let text = String::from_utf8(fs::read(file).map_err(failed)?);
    // What is not UTF-8 is no plan: the pipeline says so of any text.
    Ok(text.unwrap_or_default())
}

/// A path as it is typed into a shell.
pub fn typed(path: &Path) -> String {
    let path = path.to_string_lossy();
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), |quoted| quoted.into_owned())
}
