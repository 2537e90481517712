//! The text of a first manifest, decided by what lies in a directory. Pure: looking is the command's part.

use std::collections::BTreeMap;

use crate::model::AppName;

/// What lies in a directory.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The directory's own name.
    pub directory: String,
    /// Python files by name, with their text.
    pub python: BTreeMap<String, String>,
    pub dockerfile: Option<String>,
}

/// A manifest to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    pub app: String,
    /// What the guess rests on, in words.
    pub because: String,
    pub text: String,
    /// Nothing can be deployed to its target before an image is named.
    pub lacks_image: bool,
}

/// Names of files that are likely to be the program, likeliest first.
const MAIN: [&str; 6] = ["app.py", "main.py", "server.py", "api.py", "serve.py", "wsgi.py"];

/// The port of an app that names none.
const PORT: u16 = 8080;

/// Where the apps go, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Goal<'a> {
    pub project: Option<&'a str>,
    pub domain: Option<&'a str>,
    /// The SDK's configuration names a control plane.
    pub is_configured: bool,
}

/// Writes the manifest. Without anything to go by, the app serves the directory's files.
pub fn write(found: &Found, goal: Goal<'_>) -> Starter {
    let app = name(&found.directory);
    let program = program(&found.python);
    let docker = found.dockerfile.as_deref();
    let code = program.map_or("", |(_, text)| text);
    let port = docker.and_then(exposed).or_else(|| port(code)).unwrap_or(PORT);
    let (args, because) = match (program, docker.and_then(docker_command)) {
        (Some((file, text)), _) => start(file, text),
        (None, Some(command)) => (command, "started as its Dockerfile says".to_owned()),
        (None, None) => (
            words(&["python3", "-m", "http.server", "$PORT"]),
            "which serves the files of this directory: put your own program into `args`".to_owned(),
        ),
    };
    let image = match (docker, goal.is_configured) {
        (Some(_), false) => "built from the Dockerfile; needed on a cluster",
        (None, false) => "needed on a cluster, not on this machine",
        (Some(_), true) => "set this first: the image that is built from the Dockerfile",
        (None, true) => "set this first: the image that it runs in, with what it imports",
    };
    let args = args.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
    let text = format!(
        "\
# Apps and their dependencies. `flyte explain app` is the manual; `flyte plan` shows what would change.

name = {app}
project = {project}
domain = {domain}
{target}

[app.{name}]
args = [{args}]   # PORT tells the process where to listen
port = {port}
source = {{ root = \".\" }}   # the files that are packed; .gitignore is heeded
# image = \"registry.example.com/team/name:tag\"   # {image}
activation = \"auto\"   # run it when it is applied, and wait until it is ready
",
        app = quoted(&app),
        project = quoted(goal.project.unwrap_or("flytesnacks")),
        domain = quoted(goal.domain.unwrap_or("development")),
        target = if goal.is_configured {
            "target = \"config\"   # the control plane of the Flyte SDK's configuration; \"local\" is one on this machine"
        } else {
            "target = \"local\"   # the control plane on this machine; `flyte explain target` tells of others"
        },
        name = app,
    );
    Starter { app, because, text, lacks_image: goal.is_configured }
}

/// A directory's name as an app name.
fn name(directory: &str) -> String {
    let lower = directory.to_ascii_lowercase();
    let dashed: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut parts: Vec<&str> = dashed.split('-').filter(|part| !part.is_empty()).collect();
    while parts.len() > 1 && parts.join("-").len() > AppName::MAX_LENGTH {
        parts.pop();
    }
    let mut name = parts.join("-");
    name.truncate(AppName::MAX_LENGTH);
    if name.is_empty() { "app".into() } else { name }
}

/// The file that is the program: by name, by what it does, or because it is the only one.
fn program(python: &BTreeMap<String, String>) -> Option<(&str, &str)> {
    let named = MAIN.iter().find_map(|name| python.get_key_value(*name));
    let serving = || python.iter().find(|(_, text)| framework(text).is_some() || text.contains("http.server"));
    let only = || python.iter().next().filter(|_| python.len() == 1);
    let (name, text) = named.or_else(serving).or_else(only)?;
    Some((name, text))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framework {
    FastApi,
    Flask,
    Streamlit,
}

fn framework(text: &str) -> Option<Framework> {
    let imports = |module: &str| {
        text.lines().map(str::trim).any(|line| {
            let rest = line.strip_prefix("import ").or_else(|| line.strip_prefix("from "));
            rest.is_some_and(|rest| rest.split([' ', '.', ',', ';']).next() == Some(module))
        })
    };
    match () {
        () if imports("streamlit") => Some(Framework::Streamlit),
        () if imports("fastapi") || imports("starlette") => Some(Framework::FastApi),
        () if imports("flask") => Some(Framework::Flask),
        () => None,
    }
}

/// How a Python file is started. One that starts its own server is simply run.
fn start(file: &str, text: &str) -> (Vec<String>, String) {
    let module = file.trim_end_matches(".py");
    let runs_itself = text.contains("__main__") || text.contains("uvicorn.run(");
    match framework(text) {
        Some(Framework::Streamlit) => (
            words(&["streamlit", "run", file, "--server.headless", "true", "--server.port", "$PORT"]),
            format!("Streamlit, in {file}"),
        ),
        Some(Framework::FastApi) if !runs_itself => {
            let target = format!("{module}:{}", variable(text, &["FastAPI(", "Starlette("]).unwrap_or("app"));
            (words(&["uvicorn", &target, "--host", "0.0.0.0", "--port", "$PORT"]), format!("FastAPI, in {file}"))
        }
        Some(Framework::Flask) if !runs_itself => (
            words(&["flask", "--app", module, "run", "--host", "0.0.0.0", "--port", "$PORT"]),
            format!("Flask, in {file}"),
        ),
        _ => (words(&["python3", file]), format!("Python, in {file}")),
    }
}

/// The variable that one of these calls is assigned to at the beginning of a line.
fn variable<'a>(text: &'a str, calls: &[&str]) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        let left = left.split(':').next()?.trim_end();
        let simple = !left.is_empty() && left.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (simple && calls.iter().any(|call| right.trim_start().starts_with(call))).then_some(left)
    })
}

/// The first number behind a word `port`, as in `port=8081` or `environ.get("PORT", "8081")`.
fn port(text: &str) -> Option<u16> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("port").find_map(|(at, word)| {
        let rest = lower[at + word.len()..].lines().next()?;
        let gap = rest.find(|c: char| c.is_ascii_digit()).filter(|gap| *gap <= 8)?;
        if rest[..gap].contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        number(&rest[gap..])
    })
}

/// `EXPOSE 8081/tcp`
fn exposed(dockerfile: &str) -> Option<u16> {
    instruction(dockerfile, "EXPOSE").and_then(|rest| number(rest.trim_start()))
}

/// The list form of the entry point and the command.
fn docker_command(dockerfile: &str) -> Option<Vec<String>> {
    let list = |word| -> Vec<String> {
        instruction(dockerfile, word).and_then(|rest| serde_json::from_str(rest).ok()).unwrap_or_default()
    };
    let whole: Vec<String> = list("ENTRYPOINT").into_iter().chain(list("CMD")).collect();
    (!whole.is_empty()).then_some(whole)
}

/// What follows the last instruction of this name.
fn instruction<'a>(dockerfile: &'a str, word: &str) -> Option<&'a str> {
    dockerfile.lines().rev().find_map(|line| {
        let (first, rest) = line.trim().split_once(char::is_whitespace)?;
        first.eq_ignore_ascii_case(word).then_some(rest)
    })
}

/// The port at the beginning of a text; small and reserved ones are none.
fn number(text: &str) -> Option<u16> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok().filter(|port| *port >= 80)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// As a TOML string: JSON's escapes are TOML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Found {
        let mut found = Found { directory: "My App".into(), ..Found::default() };
        for (name, text) in files {
            match *name {
                "Dockerfile" => found.dockerfile = Some((*text).to_owned()),
                name => drop(found.python.insert(name.to_owned(), (*text).to_owned())),
            }
        }
        found
    }

    #[test]
    fn arguments_and_port_are_guessed() {
        let check = |files: &[(&str, &str)], args: &str, port: u16| {
            let text = write(&found(files), Goal::default()).text;
            assert!(text.contains(&format!("args = {args}   #")), "{text}");
            assert!(text.contains(&format!("\nport = {port}\n")), "{text}");
        };
        check(&[], r#"["python3", "-m", "http.server", "$PORT"]"#, 8080);
        check(&[("x.py", "serve(int(os.environ.get(\"PORT\", \"8081\")))")], r#"["python3", "x.py"]"#, 8081);
        check(
            &[("main.py", "from fastapi import FastAPI\napi = FastAPI()\n"), ("a.py", "")],
            r#"["uvicorn", "main:api", "--host", "0.0.0.0", "--port", "$PORT"]"#,
            8080,
        );
        check(&[("Dockerfile", "FROM x\nEXPOSE 9000\nCMD [\"./run\", \"-v\"]\n")], r#"["./run", "-v"]"#, 9000);
    }

    #[test]
    fn directories_become_names() {
        let check = |directory: &str, expected: &str| assert_eq!(name(directory), expected);
        check("My App", "my-app");
        check("__x__", "x");
        check("", "app");
        check("a-very-long-directory-name-that-goes-on", "a-very-long-directory-name");
        check(&"x".repeat(40), &"x".repeat(30));
    }
}
