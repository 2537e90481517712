//! A runtime in a temporary directory, with one app behind the ingress.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::model::{AppId, AppName, Scope};
use crate::server::ingress::Ingress;
use crate::server::runtime::{
    Entry, Observation, Originator, ReadyProbe, Runtime, RuntimeConfig, RuntimeEvent, Surroundings, Workload,
};

/// Longer than anything takes on a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of HTTP that answers with the variable `ANSWER`. `LISTEN` names the variable of its port.
pub const SERVER: &str = r#"
import os, sys
from http.server import ThreadingHTTPServer, BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["ANSWER"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()
    def log_message(self, *args):
        pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
port = int(os.environ[os.environ.get("LISTEN", "PORT")])
print("listening", flush=True)
Server(("127.0.0.1", port), Handler).serve_forever()
"#;

#[derive(Default)]
pub struct World {
    pub secrets: Mutex<BTreeMap<String, String>>,
}

impl Surroundings for World {
    fn secret(&self, _app: &AppId, key: &str) -> Option<String> {
        self.secrets.lock().expect("no panic").get(key).cloned()
    }

    fn url(&self, app: &AppId) -> Option<String> {
        (app.name.as_str() == "backend").then(|| "http://127.0.0.1:8081".to_owned())
    }
}

pub struct Bed {
    pub directory: TempDir,
    pub runtime: Runtime,
    pub world: Arc<World>,
    pub port: u16,
    pub app: AppId,
    events: UnboundedReceiver<RuntimeEvent>,
}

pub fn app() -> AppId {
    Scope { org: String::new(), project: "shop".into(), domain: "development".into() }
        .app(&AppName::new("frontend").expect("a name"))
}

pub fn config(directory: &Path) -> RuntimeConfig {
    RuntimeConfig { backoff_first: Duration::from_millis(20), ..RuntimeConfig::new(directory) }
}

impl Bed {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut RuntimeConfig)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (send, events) = mpsc::unbounded_channel();
        let (ingress, world) = (Ingress::new(), Arc::new(World::default()));
        let port = ingress.open(&app(), None).expect("a port");
        let mut config = config(directory.path());
        change(&mut config);
        let runtime = Runtime::new(config, world.clone(), send, ingress).expect("a runtime");
        Self { directory, runtime, world, port, app: app(), events }
    }

    /// The next event, whatever it is.
    pub async fn event(&mut self) -> (u64, Observation) {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("an event in time; the log says:\n{}", self.log()));
        let event = event.expect("the runtime is there");
        assert_eq!(event.app, self.app);
        (event.revision, event.observation)
    }

    /// The events up to the first that is meant.
    pub async fn until(&mut self, meant: impl Fn(u64, &Observation) -> bool) -> Vec<(u64, Observation)> {
        let mut events = Vec::new();
        loop {
            let (revision, observation) = self.event().await;
            let last = meant(revision, &observation);
            events.push((revision, observation));
            if last {
                return events;
            }
        }
    }

    pub async fn until_ready(&mut self, revision: u64) -> Vec<(u64, Observation)> {
        self.until(|found, observation| found == revision && *observation == Observation::Ready { replicas: 1 }).await
    }

    pub async fn get(&self) -> (StatusCode, String) {
        let request = Request::get("/").body(Full::default()).expect("a request");
        connect(self.port).await.send(request).await.expect("a response")
    }

    /// All lines of the log, those of the runtime marked with `*`.
    pub fn log(&self) -> String {
        let lines = self.runtime.tail(&self.app).latest.into_iter().map(|line| {
            let mark = if line.originator == Originator::System { "* " } else { "" };
            format!("{mark}{}\n", line.text)
        });
        lines.collect()
    }

    /// How many processes are on record.
    pub fn records(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("processes")).map_or(0, Iterator::count)
    }
}

/// A connection that stays open from request to request.
pub struct Connection(http1::SendRequest<Full<Bytes>>);

pub async fn connect(port: u16) -> Connection {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    Connection(sender)
}

impl Connection {
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), hyper::Error> {
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// A revision that runs a command directly.
pub fn direct(revision: u64, argv: &[&str]) -> Workload {
    Workload {
        app: app(),
        revision,
        entry: Entry::Direct { argv: argv.iter().map(|&arg| arg.to_owned()).collect() },
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        container_port: 8080,
        ready: ReadyProbe::Port,
        min_replicas: 1,
        scaledown_after: None,
        request_timeout: None,
    }
}

/// A revision that answers requests with a text.
pub fn server(revision: u64, answer: &str) -> Workload {
    let mut workload = direct(revision, &["python3", "-c", SERVER]);
    workload.env.insert("ANSWER".into(), answer.into());
    workload
}

/// Writes a bundle with these files.
pub fn write_bundle(path: &Path, files: &[(&str, &str)]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).expect("it fits");
    }
    let file = std::fs::File::create(path).expect("a file");
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(&archive.into_inner().expect("it ends")).expect("it is written");
    packed.finish().expect("it ends");
}
