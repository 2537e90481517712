//! Whose name a registry is asked in: what `docker login` and `podman login` have kept.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::auth_file::{AuthFile, Entry};
use super::helper::Helpers;
use super::reference::Reference;

/// The longest file of credentials that is read, in bytes: 1 MiB.
const MAX_FILE: u64 = 1 << 20;

/// A text that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// To be sent to whom it is for, and to nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What a registry, or the server it gets its tokens from, knows somebody by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    Password {
        user: String,
        password: Hidden,
    },
    /// Exchanged for tokens, and good for nothing else.
    IdentityToken(Hidden),
}

/// Credentials, and where they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub proof: Proof,
    /// A path or the name of a variable, for messages.
    pub from: String,
}

/// The credentials of one user.
#[derive(Debug)]
pub struct Keys {
    sources: Vec<Source>,
    helpers: Helpers,
}

#[derive(Debug)]
enum Source {
    /// The variable of this name holds what a file would.
    Variable(&'static str, Hidden),
    File(PathBuf),
}

impl Keys {
    /// Those of the user whose environment this is.
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self { sources: sources(&environment), helpers: Helpers::new(environment) }
    }

    /// Of the first place that has some. `None`: nobody has logged in.
    ///
    /// # Errors
    /// A place cannot be read, or a helper fails; secrets are in no message.
    pub async fn find(&self, image: &Reference) -> Result<Option<Credentials>, String> {
        for source in &self.sources {
            let (text, from) = match source {
                Source::Variable(name, text) => (text.clone(), format!("the variable `{name}`")),
                Source::File(path) => match read(path)? {
                    Some(text) => (text, format!("`{}`", path.display())),
                    None => continue,
                },
            };
            // What the parser says may quote a value; where it stands is enough.
            let file = AuthFile::parse(text.reveal()).map_err(|error| {
                format!("{from} is no file of credentials (line {}, column {})", error.line(), error.column())
            })?;
            let proof = match file.entry(image) {
                None => None,
                Some(Entry::Kept(proof)) => Some(proof),
                Some(Entry::Unreadable) => {
                    return Err(format!("what {from} has for {} cannot be read", image.registry));
                }
                Some(Entry::Helper { name, server }) => {
                    let answer = self.helpers.ask(&name, &server).await;
                    answer.map_err(|why| format!("`docker-credential-{name}`, which {from} names, {why}"))?
                }
            };
            if let Some(proof) = proof {
                return Ok(Some(Credentials { proof, from }));
            }
        }
        Ok(None)
    }
}

/// Where credentials may be, the nearest first. Sources: the manuals of docker (`docker login`) and podman
/// (containers-auth.json).
fn sources(environment: &BTreeMap<String, String>) -> Vec<Source> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let below = |variable_name: &str, rest: &str| variable(variable_name).map(|path| Path::new(path).join(rest));
    let texts = ["FLYTE_REGISTRY_AUTH", "DOCKER_AUTH_CONFIG"];
    let texts = texts.into_iter().filter_map(|name| Some(Source::Variable(name, Hidden::new(variable(name)?))));
    let files = [
        variable("REGISTRY_AUTH_FILE").map(PathBuf::from),
        below("XDG_RUNTIME_DIR", "containers/auth.json"),
        below("XDG_CONFIG_HOME", "containers/auth.json").or_else(|| below("HOME", ".config/containers/auth.json")),
        below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json")),
    ];
    texts.chain(files.into_iter().flatten().map(Source::File)).collect()
}

/// `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Hidden>, String> {
    let unreadable = |why: &dyn fmt::Display| format!("`{}` cannot be read: {why}", path.display());
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| unreadable(&error))?,
    };
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return Err(unreadable(&"it is no file"));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    Ok(Some(Hidden::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(variables: &[(&str, &str)]) -> Keys {
        Keys::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    async fn found(keys: &Keys, image: &str) -> String {
        match keys.find(&Reference::parse(image).unwrap()).await {
            Ok(None) => "none".to_owned(),
            Ok(Some(Credentials { proof: Proof::Password { user, password }, from })) => {
                format!("{user}:{} of {from}", password.reveal())
            }
            Ok(Some(Credentials { proof: Proof::IdentityToken(token), from })) => {
                format!("token {} of {from}", token.reveal())
            }
            Err(why) => why,
        }
    }

    #[tokio::test]
    async fn the_nearest_place_that_has_some_counts() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, user: &str| {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text =
                format!("{{\"auths\": {{\"r.example.com\": {{\"username\": \"{user}\", \"password\": \"p\"}}}}}}");
            std::fs::write(&path, &text).unwrap();
            text
        };
        let root = home.path().to_str().unwrap();
        let mut variables = vec![("HOME", root.to_owned())];
        let expect = async |variables: &[(&str, String)], expected: &str| {
            let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let told = found(&keys(&variables), "r.example.com/acme/web").await;
            assert_eq!(told.replace(root, "~"), expected);
        };
        expect(&variables, "none").await;
        write(".docker/config.json", "docker");
        expect(&variables, "docker:p of `~/.docker/config.json`").await;
        write("elsewhere/config.json", "elsewhere");
        variables.push(("DOCKER_CONFIG", format!("{root}/elsewhere")));
        expect(&variables, "elsewhere:p of `~/elsewhere/config.json`").await;
        write(".config/containers/auth.json", "podman");
        expect(&variables, "podman:p of `~/.config/containers/auth.json`").await;
        write("run/containers/auth.json", "session");
        variables.push(("XDG_RUNTIME_DIR", format!("{root}/run")));
        expect(&variables, "session:p of `~/run/containers/auth.json`").await;
        write("chosen.json", "chosen");
        variables.push(("REGISTRY_AUTH_FILE", format!("{root}/chosen.json")));
        expect(&variables, "chosen:p of `~/chosen.json`").await;
        variables.push(("DOCKER_AUTH_CONFIG", write("x", "ci")));
        expect(&variables, "ci:p of the variable `DOCKER_AUTH_CONFIG`").await;
        // One that has none for this registry is passed over.
        variables
            .push(("FLYTE_REGISTRY_AUTH", "{\"auths\": {\"other.example.com\": {\"auth\": \"YTpi\"}}}".to_owned()));
        expect(&variables, "ci:p of the variable `DOCKER_AUTH_CONFIG`").await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named_without_its_content() {
        let check = async |text: &str, expected: &str| {
            let keys = keys(&[("FLYTE_REGISTRY_AUTH", text)]);
            assert_eq!(found(&keys, "r.example.com/web").await, expected);
        };
        let from = "the variable `FLYTE_REGISTRY_AUTH`";
        check("canary", &format!("{from} is no file of credentials (line 1, column 1)")).await;
        let wrong = "{\"auths\": {\"r.example.com\": \"canary\"}}";
        check(wrong, &format!("{from} is no file of credentials (line 1, column 36)")).await;
        let wrong = "{\"auths\": {\"r.example.com\": {\"auth\": \"canary!\"}}}";
        check(wrong, &format!("what {from} has for r.example.com cannot be read")).await;
        let secret = Proof::Password { user: "ada".into(), password: Hidden::new("canary") };
        assert_eq!(format!("{secret:?}"), "Password { user: \"ada\", password: (hidden) }");
    }

    #[tokio::test]
    async fn helpers_are_asked_and_may_know_nothing() {
        let home = tempfile::tempdir().unwrap();
        let helper = |name: &str, script: &str| {
            let path = home.path().join(format!("docker-credential-{name}"));
            // By another process: what a thread beside this one forks meanwhile would hold it open for writing, and
            // nobody could run it.
            let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
            let mut shell = std::process::Command::new("sh");
            assert!(shell.args(["-c", write, "sh"]).arg(&path).arg(script).status().unwrap().success());
        };
        helper(
            "known",
            "read server; printf '%s\\n' \"$server\" >> \"$0.asked\"; printf '{\"ServerURL\":\"%s\",\"Username\":\"%s\",\"Secret\":\"s\"}' \
             \"$server\" \"$1\"",
        );
        helper("token", "echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'");
        helper("empty", "echo 'credentials not found in native keychain'; exit 1");
        helper("broken", "echo canary; echo canary >&2; exit 3");
        helper("odd", "echo canary");
        let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
        let with = |text: &str| keys(&[("PATH", &path), ("FLYTE_REGISTRY_AUTH", text)]);
        let check = async |text: &str, image: &str, expected: &str| {
            assert_eq!(found(&with(text), image).await, expected, "{text}");
        };
        let from = "the variable `FLYTE_REGISTRY_AUTH`";
        check("{\"credsStore\": \"known\"}", "r.example.com/web", &format!("get:s of {from}")).await;
        check("{\"credHelpers\": {\"r.example.com\": \"token\"}}", "r.example.com/web", &format!("token t of {from}"))
            .await;
        check("{\"credsStore\": \"empty\"}", "r.example.com/web", "none").await;
        let told = format!("`docker-credential-broken`, which {from} names, failed (exit status: 3)");
        check("{\"credsStore\": \"broken\"}", "r.example.com/web", &told).await;
        let told = format!("`docker-credential-odd`, which {from} names, gives an answer that cannot be read");
        check("{\"credsStore\": \"odd\"}", "r.example.com/web", &told).await;
        let told = format!(
            "`docker-credential-missing`, which {from} names, cannot be run: No such file or directory (os error 2)"
        );
        check("{\"credsStore\": \"missing\"}", "r.example.com/web", &told).await;
        let told = format!("`docker-credential-../known`, which {from} names, has no name of a helper");
        check("{\"credsStore\": \"../known\"}", "r.example.com/web", &told).await;
        // Once for each registry, by the name that Docker knows its own by.
        let keys = with("{\"credsStore\": \"known\"}");
        for image in ["python", "acme/web", "index.docker.io/acme/web:2"] {
            found(&keys, image).await;
        }
        let asked = std::fs::read_to_string(home.path().join("docker-credential-known.asked")).unwrap();
        assert_eq!(asked, "r.example.com\nhttps://index.docker.io/v1/\n");
    }
}
