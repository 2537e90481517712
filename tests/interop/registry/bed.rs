//! A registry as Debian has it: `docker-registry`, open, behind passwords, or behind a server of tokens.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flyte::client::{Registries, install_cryptography};
use reqwest::{Client, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::tokens::TokenServer;
use crate::process::Server;

pub const USER: &str = "canary-user";
pub const PASSWORD: &str = "canary-password";
/// As `htpasswd -nbB -C 4` makes it of [`USER`] and [`PASSWORD`].
const HASHED: &str = "canary-user:$2y$04$5ftOchPPG.o/IW3UBW6lF.xeZOon7Wyl.eru5V1kBhyNQVSUqvSv.\n";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Who may read.
pub enum Door {
    Open,
    Password,
    Token,
}

pub struct Bed {
    _home: tempfile::TempDir,
    _server: Server,
    tokens: Option<TokenServer>,
    /// `127.0.0.1:<port>`
    pub address: String,
    http: Client,
}

/// Whether these tests can be run. In CI they always are.
///
/// # Panics
/// In CI, where the program is missing.
pub fn is_there() -> bool {
    let there = Command::new("docker-registry").arg("--version").output().is_ok();
    let needed = "these tests need `docker-registry` (on Debian: `apt install docker-registry`)";
    assert!(there || std::env::var_os("CI").is_none(), "{needed}");
    if !there {
        // Past the capture of the test harness: whoever runs the tests must see that these were not.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "NOT RUN: {needed}");
    }
    there
}

impl Bed {
    #[track_caller]
    pub fn start(door: Door) -> Self {
        install_cryptography();
        let home = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| home.path().join(name).display().to_string();
        let mut tokens = None;
        let auth = match door {
            Door::Open => String::new(),
            Door::Password => {
                fs::write(path("htpasswd"), HASHED).expect("a file is written");
                format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", path("htpasswd"))
            }
            Door::Token => {
                let server = TokenServer::start();
                fs::write(path("tokens.pem"), &server.certificate).expect("a file is written");
                let (realm, bundle) = (server.realm(), path("tokens.pem"));
                tokens = Some(server);
                format!("auth: {{token: {{realm: \"{realm}\", service: x, issuer: x, rootcertbundle: {bundle}}}}}\n")
            }
        };
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: \
             \"127.0.0.1:0\"}}\n{auth}",
            path("images")
        );
        fs::write(path("config.yml"), config).expect("a file is written");
        // It tells on stderr where it listens.
        let mut command = Command::new("sh");
        let script = "docker-registry serve \"$0\" 2>&1 | grep --line-buffered 'listening on'";
        command.args(["-c", script, &path("config.yml")]).env("OTEL_TRACES_EXPORTER", "none");
        let server = Server::start(command, Duration::from_secs(60));
        let port = server.greeting.split("listening on 127.0.0.1:").nth(1);
        let port: String = port.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        assert!(!port.is_empty(), "it tells where it listens: {}", server.greeting);
        Self { _home: home, _server: server, tokens, address: format!("127.0.0.1:{port}"), http: Client::new() }
    }

    /// What a user of this registry has in `DOCKER_AUTH_CONFIG`.
    pub fn log_in(&self, password: &str) -> String {
        let auth = STANDARD.encode(format!("{USER}:{password}"));
        format!("{{\"auths\": {{\"{}\": {{\"auth\": \"{auth}\"}}}}}}", self.address)
    }

    pub fn registries(&self, password: Option<&str>) -> Registries {
        let log_in = password.map(|password| ("DOCKER_AUTH_CONFIG".to_owned(), self.log_in(password)));
        Registries::new(log_in.into_iter().collect::<BTreeMap<_, _>>())
    }

    /// Everything that must be told to nobody.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}"))];
        secrets.extend(self.tokens.iter().flat_map(TokenServer::handed_out));
        secrets
    }

    /// Puts an image there, which has nothing in it but its tag, and returns its digest.
    pub async fn push(&self, repository: &str, tag: &str) -> String {
        let config = format!("{{\"tag\": \"{tag}\"}}");
        let digest = digest(config.as_bytes());
        let begun = self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), "", String::new()).await;
        let place = begun.headers()["location"].to_str().expect("an address").to_owned();
        let place = place.split_once("/v2/").map(|(_, rest)| format!("/v2/{rest}&digest={digest}")).expect("a path");
        let put = self.send(Method::PUT, &place, "application/octet-stream", config.clone()).await;
        assert_eq!(put.status(), StatusCode::CREATED);
        let manifest = format!(
            "{{\"schemaVersion\": 2, \"mediaType\": \"{MANIFEST}\", \"config\": {{\"mediaType\": \
             \"application/vnd.oci.image.config.v1+json\", \"size\": {}, \"digest\": \"{digest}\"}}, \"layers\": []}}",
            config.len()
        );
        let digest = self::digest(manifest.as_bytes());
        let put = self.send(Method::PUT, &format!("/v2/{repository}/manifests/{tag}"), MANIFEST, manifest).await;
        assert_eq!(put.status(), StatusCode::CREATED);
        digest
    }

    pub async fn delete(&self, repository: &str, digest: &str) {
        let path = format!("/v2/{repository}/manifests/{digest}");
        let deleted = self.send(Method::DELETE, &path, "", String::new()).await;
        assert_eq!(deleted.status(), StatusCode::ACCEPTED);
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> Response {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address)).body(body);
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let authorization = match &self.tokens {
            Some(tokens) => format!("Bearer {}", tokens.for_all()),
            None => format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))),
        };
        request.header("authorization", authorization).send().await.expect("an answer")
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
