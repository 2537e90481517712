//! Reads a command of `fserve`, the program that starts an app in its container.
//!
//! Source: `--help` of the published SDK's `fserve`, and what it does with its arguments.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::model::AppName;
use crate::server::runtime::{Parameter, ParameterValue};

/// The most bytes that unpacked parameters may have.
const MAX_PARAMETERS: u64 = 16 << 20;

/// What `fserve` was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The address of the code bundle.
    pub bundle: Option<String>,
    /// Where the bundle is unpacked, from the working directory on.
    pub dest: PathBuf,
    pub parameters: Vec<Parameter>,
    pub args: Vec<String>,
    /// The options by which the SDK's own `fserve` is told of a Python object to serve, but for where its code lies.
    /// `None`: `args` are run.
    pub object: Option<Object>,
}

/// A Python object to serve.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// The code is the object itself, pickled.
    pub pickled: bool,
    pub options: Vec<String>,
}

/// `None` for another program.
///
/// # Errors
/// Says what of it cannot be done on this machine.
pub fn read(command: &[String], args: &[String]) -> Option<Result<Command, String>> {
    let (program, rest) = command.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    (name == "fserve").then(|| options(rest, args))
}

fn options(rest: &[String], args: &[String]) -> Result<Command, String> {
    let mut read = Command::default();
    let mut object = Object::default();
    let mut resolver = false;
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, value.to_owned()),
            None => (word.as_str(), words.next().cloned().unwrap_or_default()),
        };
        let told = [option.to_owned(), value.clone()];
        match option {
            "--tgz" => read.bundle = Some(value),
            "--pkl" => {
                object.pickled = true;
                read.bundle = Some(value);
            }
            "--dest" => read.dest = below(&value)?,
            "--parameters" => {
                read.parameters = parameters(&value)?;
                object.options.extend(told);
            }
            "--resolver" | "--resolver-args" => {
                resolver = true;
                object.options.extend(told);
            }
            // Of the rest, nothing changes what runs here.
            "--version" | "--project" | "--domain" | "--org" => object.options.extend(told),
            _ => {}
        }
    }
    read.args = words.chain(args).cloned().collect();
    match (read.args.is_empty(), resolver || object.pickled, &read.bundle) {
        (true, true, Some(_)) => read.object = Some(object),
        (true, true, None) => {
            return Err("it is a Python object, and no code was sent along to load it from".to_owned());
        }
        (true, false, _) => return Err("it has no command".to_owned()),
        (false, _, _) if object.pickled => read.object = Some(object),
        (false, ..) => {}
    }
    Ok(read)
}

/// A path that does not lead out of the working directory.
fn below(dest: &str) -> Result<PathBuf, String> {
    let path = Path::new(dest);
    let is_below = path.components().all(|part| matches!(part, Component::CurDir | Component::Normal(_)));
    let why = || format!("its code goes to `{dest}`, and on this machine it stays below the working directory");
    is_below.then(|| path.components().filter(|part| *part != Component::CurDir).collect()).ok_or_else(why)
}

#[derive(Deserialize)]
struct Transport {
    parameters: Vec<TransportParameter>,
}

#[derive(Deserialize)]
struct TransportParameter {
    name: String,
    value: String,
    #[serde(default)]
    download: bool,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    env_var: Option<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    app_name: String,
    #[serde(default)]
    public: bool,
}

fn parameters(transport: &str) -> Result<Vec<Parameter>, String> {
    let packed = STANDARD.decode(transport).map_err(|_| "its parameters are not base64".to_owned())?;
    let mut json = Vec::new();
    let unpacked = GzDecoder::new(packed.as_slice()).take(MAX_PARAMETERS).read_to_end(&mut json);
    unpacked.map_err(|_| "its parameters are not gzip".to_owned())?;
    let transport: Transport =
        serde_json::from_slice(&json).map_err(|error| format!("its parameters cannot be read: {error}"))?;
    transport.parameters.into_iter().map(parameter).collect()
}

fn parameter(parameter: TransportParameter) -> Result<Parameter, String> {
    let TransportParameter { name, value, download, kind, env_var } = parameter;
    let value = match kind.as_str() {
        "app_endpoint" => {
            let endpoint: Endpoint =
                serde_json::from_str(&value).map_err(|error| format!("parameter `{name}`: {error}"))?;
            let app =
                AppName::new(endpoint.app_name.clone()).map_err(|error| format!("parameter `{name}`: {error}"))?;
            ParameterValue::Endpoint { app, public: endpoint.public }
        }
        "file" | "directory" if download => {
            return Err(format!("parameter `{name}` is a {kind} to download, which is not done on this machine"));
        }
        _ => ParameterValue::Text(value),
    };
    Ok(Parameter { name, env_var, value })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn packed(json: &str) -> String {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(json.as_bytes()).unwrap();
        STANDARD.encode(gzip.finish().unwrap())
    }

    #[test]
    fn commands_of_fserve() {
        let parameters = packed(
            r#"{"parameters":[
            {"name":"mode","value":"fast","download":false,"type":"string","env_var":"MODE","dest":null,"ignore_patterns":[]},
            {"name":"url","value":"{\"type\":\"string\",\"app_name\":\"backend\",\"public\":false}","download":false,
             "type":"app_endpoint","env_var":"URL","dest":null,"ignore_patterns":[]}]}"#,
        );
        let command = words(&format!(
            "/bin/fserve --version 1 --project p --tgz flyte://bundles/p/d/r/x --dest . --parameters {parameters} \
             --raw-data-path {{{{.rawOutputDataPrefix}}}} --"
        ));
        let text = |name: &str, var: &str, value| Parameter { name: name.into(), env_var: Some(var.into()), value };
        let expected = Command {
            bundle: Some("flyte://bundles/p/d/r/x".into()),
            dest: "".into(),
            parameters: vec![
                text("mode", "MODE", ParameterValue::Text("fast".into())),
                text("url", "URL", ParameterValue::Endpoint { app: AppName::new("backend").unwrap(), public: false }),
            ],
            args: words("python app.py"),
            object: None,
        };
        assert_eq!(read(&command, &words("python app.py")), Some(Ok(expected)));
        assert_eq!(read(&words("python fserve"), &[]), None);
        assert_eq!(read(&[], &words("x")), None);
        let check = |command: &str, reason: &str| {
            let refused = read(&words(command), &[]).unwrap().unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        };
        let dest = |dest: &str| read(&words(&format!("fserve --tgz x --dest {dest} -- app")), &[]).unwrap();
        assert_eq!(dest("./src/code/").map(|command| command.dest), Ok("src/code".into()));
        for outside in ["/srv/app", "..", "src/../../x"] {
            assert!(dest(outside).unwrap_err().contains(&format!("its code goes to `{outside}`")));
        }
        check("fserve --version 1 --", "no command");
        check("fserve --version 1 --resolver a --resolver-args b --", "no code was sent along");
        let object = |command: &str| read(&words(command), &[]).unwrap().unwrap().object;
        let options = words("--version 1 --resolver a --resolver-args b");
        let loaded = Object { pickled: false, options };
        assert_eq!(object("fserve --version 1 --tgz x --dest . --resolver a --resolver-args b --"), Some(loaded));
        assert_eq!(object("fserve --tgz x --resolver a --resolver-args b -- app"), None);
        assert_eq!(object("fserve --pkl x --"), Some(Object { pickled: true, options: Vec::new() }));
        check("fserve --parameters %%% -- y", "base64");
        let file = r#"{"parameters":[{"name":"f","value":"s3://x","download":true,"type":"file","env_var":null}]}"#;
        check(&format!("fserve --parameters {} -- y", packed(file)), "`f` is a file");
    }
}
