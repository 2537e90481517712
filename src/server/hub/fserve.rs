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
        match option {
            "--tgz" => read.bundle = Some(value),
            "--dest" => read.dest = below(&value)?,
            "--pkl" => return Err("its code is a pickled Python object, which only the Python SDK can run".to_owned()),
            "--parameters" => read.parameters = parameters(&value)?,
            "--resolver" | "--resolver-args" => resolver = true,
            // Of the rest, nothing changes what runs here.
            _ => {}
        }
    }
    read.args = words.chain(args).cloned().collect();
    if read.args.is_empty() {
        let reason =
            if resolver { "it is a Python object, which only the Python SDK can run" } else { "it has no command" };
        return Err(reason.to_owned());
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
        check("fserve --version 1 --resolver a --resolver-args b --", "Python object");
        check("fserve --pkl x -- y", "pickled");
        check("fserve --parameters %%% -- y", "base64");
        let file = r#"{"parameters":[{"name":"f","value":"s3://x","download":true,"type":"file","env_var":null}]}"#;
        check(&format!("fserve --parameters {} -- y", packed(file)), "`f` is a file");
    }
}
