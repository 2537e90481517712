//! The command line of a process.

use std::collections::BTreeMap;
use std::path::Path;

use super::environment;

/// Waits on its input for permission to go on, and becomes the program then. If the control plane dies before it has
/// recorded the process, the input ends and the program never runs: there is no process without a record.
const GATE: &str = r#"read -r go || exit 0; exec "$@" </dev/null"#;

/// What opens the gate.
pub const PERMISSION: &[u8] = b"go\n";

/// The command without a bundle: as it is.
///
/// # Errors
/// Says that there is no such program.
pub fn direct(argv: &[String], variables: &BTreeMap<String, String>, directory: &Path) -> Result<Vec<String>, String> {
    let program = argv.first().ok_or("it has neither a command nor arguments")?;
    let path = variables.get("PATH").map_or("", String::as_str);
    if environment::find_program(program, path, directory).is_none() {
        return Err(format!(
            "program `{program}` is not found; images are not used here, so it must be installed on this machine"
        ));
    }
    Ok(argv.to_vec())
}

/// The `fserve` of the published SDK, of the active virtual environment or else on the `PATH`.
///
/// # Errors
/// Says that there is none, and how to have it.
pub fn by_sdk(
    options: &[String],
    variables: &BTreeMap<String, String>,
    directory: &Path,
) -> Result<Vec<String>, String> {
    let environment = variables.get("VIRTUAL_ENV").map(|environment| format!("{environment}/bin"));
    let path = variables.get("PATH").map(String::as_str);
    let path: Vec<&str> = environment.as_deref().into_iter().chain(path).collect();
    let fserve = environment::find_program("fserve", &path.join(":"), directory).ok_or(
        "it is a Python object, which the `fserve` of the Flyte SDK serves, and there is none on the `PATH` that the \
         control plane was started with: activate an environment with `flyte` in it (`pip install flyte`), and run \
         `flyte local stop` and `flyte local start`",
    )?;
    let mut argv = vec![fserve.display().to_string()];
    argv.extend_from_slice(options);
    argv.push("--".to_owned());
    Ok(argv)
}

/// The command as `fserve` runs it: an argument that starts with `$` is replaced by that variable, then all are joined
/// with spaces and handed to a shell.
///
/// # Errors
/// Says which variable is not set, or that there is nothing to run.
pub fn served(args: &[String], variables: &BTreeMap<String, String>, directory: &Path) -> Result<Vec<String>, String> {
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        words.push(match arg.strip_prefix('$') {
            Some(name) => variables
                .get(name)
                .map(String::as_str)
                .ok_or_else(|| format!("argument `{arg}` stands for a variable that is not set"))?,
            None => arg,
        });
    }
    let line = words.join(" ");
    if line.trim().is_empty() {
        return Err("no command is given to run".to_owned());
    }
    let path = variables.get("PATH").map_or("", String::as_str);
    let line = if is_one_program(&line, path, directory) { format!("exec {line}") } else { line };
    Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), line])
}

/// Puts the gate before a command. Variables whose names a shell cannot hold, which it would drop, go around it.
pub fn gated(argv: Vec<String>, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut gated: Vec<String> = ["/bin/sh", "-c", GATE, "flyte"].map(str::to_owned).into();
    let mut around = variables.iter().filter(|(name, _)| !is_shell_name(name)).peekable();
    if around.peek().is_some() {
        gated.push("/usr/bin/env".to_owned());
        gated.extend(around.map(|(name, value)| format!("{name}={value}")));
    }
    gated.extend(argv);
    gated
}

/// The shell may become the program: the line is one simple command, and not one of the shell's own. In doubt it is
/// not.
fn is_one_program(line: &str, path: &str, directory: &Path) -> bool {
    if line.contains([';', '|', '&', '<', '>', '(', ')', '{', '}', '`', '\n', '!', '#', '\\']) {
        return false;
    }
    let first = line.split_whitespace().next().unwrap_or_default();
    !first.contains(['=', '$', '\'', '"', '*', '?', '[', '~'])
        && environment::find_program(first, path, directory).is_some()
}

fn is_shell_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("PATH", "/bin:/usr/bin"), ("PORT", "8000"), ("FLAGS", "-a -b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn check(args: &[&str], expected: Result<&str, &str>) {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let found = served(&args, &variables(), Path::new("/")).map(|argv| argv[2].clone());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn what_fserve_runs() {
        check(&["cat", "a.txt"], Ok("exec cat a.txt"));
        check(&["cat", "$FLAGS", "--port=$PORT"], Ok("exec cat -a -b --port=$PORT"));
        check(&["sh", "-c", "echo one; echo two"], Ok("sh -c echo one; echo two"));
        check(&["A=b", "cat"], Ok("A=b cat"));
        check(&["exit", "3"], Ok("exit 3"));
        check(&["no-such-program"], Ok("no-such-program"));
        check(&["cat", "$NONE"], Err("argument `$NONE` stands for a variable that is not set"));
        check(&[], Err("no command is given to run"));
    }

    #[test]
    fn the_gate_lets_every_variable_through() {
        let mut variables = variables();
        variables.insert("my.name".into(), "a b".into());
        variables.insert("OWN_2".into(), "c".into());
        let argv = gated(vec!["/usr/bin/env".into()], &variables);
        let run = |input: &str| {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf '{input}' | \"$@\""), "test"])
                .args(&argv)
                .env_clear()
                .envs(&variables)
                .output()
                .expect("it runs");
            String::from_utf8(output.stdout).expect("text")
        };
        assert_eq!(run(""), "", "without permission nothing runs");
        let output = run("go\\n");
        let lines: Vec<&str> = output.lines().collect();
        for expected in ["my.name=a b", "OWN_2=c", "PORT=8000"] {
            assert!(lines.contains(&expected), "{expected} in {output}");
        }
    }
}
