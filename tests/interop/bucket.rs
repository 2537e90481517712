//! Releases in a bucket, against a server that speaks S3: two writers, lost answers, missing rights.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flyte::client::Client;
use flyte::host::Bucket;
use flyte::model::target::Connection;
use flyte::model::{AppName, Scope};
use flyte::port::{ControlPlane as _, Releases, StoreError};
use flyte_schema::flyteidl2::cluster::SelectClusterResponse;
use flyte_schema::flyteidl2::dataproxy::{CreateDownloadLinkResponse, PreSignedURLs};
use object_store::aws::AmazonS3Builder;
use object_store::signer::Signer as _;
use serde_json::Value;

use crate::answers;
use crate::process::Server;
use crate::program;
use crate::python::{Packages, Python};

/// How long the server may take to begin.
const START: Duration = Duration::from_secs(60);

struct Store {
    _home: tempfile::TempDir,
    _server: Server,
    told: Value,
}

impl Store {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let server = Server::start(Python::with(Packages::Bucket).script("bucket.py", home.path()), START);
        let told = serde_json::from_str(&server.greeting).unwrap();
        Self { _home: home, _server: server, told }
    }

    fn port(&self) -> u16 {
        u16::try_from(self.told["port"].as_u64().unwrap()).unwrap()
    }

    fn environment(&self, user: &str) -> BTreeMap<String, String> {
        let of = |key: &str| self.told["users"][user][key].as_str().unwrap().to_owned();
        BTreeMap::from([("AWS_ACCESS_KEY_ID".to_owned(), of("id")), ("AWS_SECRET_ACCESS_KEY".to_owned(), of("secret"))])
    }

    fn open(&self, user: &str) -> Bucket {
        self.open_at("s3://releases/shop", self.port(), user)
    }

    fn open_at(&self, address: &str, port: u16, user: &str) -> Bucket {
        let endpoint = format!("http://127.0.0.1:{port}");
        Bucket::open(address, Some(&endpoint), None, &self.environment(user)).unwrap()
    }
}

fn told(error: &StoreError) -> String {
    format!("{error}; {}", error.help.as_deref().unwrap_or("no help"))
}

/// Passes bytes on, but cuts the connection instead of passing on the first answers to a `PUT`.
struct Lossy {
    port: u16,
    lost: Arc<AtomicUsize>,
}

impl Lossy {
    fn before(upstream: u16, answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lost = Arc::new(AtomicUsize::new(0));
        let count = lost.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let count = count.clone();
                std::thread::spawn(move || pass(client, upstream, &count, answers));
            }
        });
        Self { port, lost }
    }
}

fn pass(mut client: TcpStream, upstream: u16, lost: &AtomicUsize, answers: usize) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)) else { return };
    let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let mut buffer = [0; 64 << 10];
    let Ok(first) = client.read(&mut buffer) else { return };
    let is_put = buffer[..first].starts_with(b"PUT ");
    let loses =
        is_put && lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < answers).then_some(n + 1)).is_ok();
    if server.write_all(&buffer[..first]).is_err() {
        return;
    }
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        while let Ok(read) = from_server.read(&mut buffer) {
            if loses || read == 0 || to_client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
    while let Ok(read) = client.read(&mut buffer) {
        if read == 0 || server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    let _ = answering.join();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_at_once_lose_nothing() {
    let store = Store::start();
    let writers = [store.open("writer"), store.open("writer")];
    assert_eq!(writers[0].list("log").await, Ok(Vec::new()));
    let writing = writers.iter().enumerate().flat_map(|(at, bucket)| {
        (0..20).map(move |n| async move {
            bucket.create(&format!("log/{n:02}-{at}.json"), format!("{n} {at}").into()).await.unwrap();
            // The same name: one of them comes first, and stays.
            bucket.create(&format!("log/{n:02}-same.json"), format!("{n} {at}").into()).await.unwrap();
        })
    });
    futures::future::join_all(writing).await;
    let listed = writers[0].list("log").await.unwrap();
    assert_eq!(listed.len(), 60, "{listed:?}");
    assert!(listed.is_sorted());
    for n in 0..20 {
        let same = format!("log/{n:02}-same.json");
        let first = writers[0].get(&same).await.unwrap().unwrap();
        assert!([format!("{n} 0"), format!("{n} 1")].iter().any(|content| first == content.as_bytes()));
        writers[1].create(&same, "later".into()).await.unwrap();
        assert_eq!(writers[1].get(&same).await.unwrap().unwrap(), first, "an object never changes");
    }
    writers[0].remove("log/00-0.json").await.unwrap();
    writers[0].remove("log/00-0.json").await.unwrap();
    assert_eq!(writers[1].get("log/00-0.json").await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_for() {
    let store = Store::start();
    let lossy = Lossy::before(store.port(), 1);
    let bucket = store.open_at("s3://releases/shop", lossy.port, "writer");
    bucket.create("log/1.json", "one".into()).await.unwrap();
    assert_eq!(lossy.lost.load(Ordering::SeqCst), 1, "no answer was lost");
    assert_eq!(store.open("reader").get("log/1.json").await.unwrap().unwrap(), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told() {
    let store = Store::start();
    let refused = store.open("reader").create("log/1.json", "one".into()).await.unwrap_err();
    assert!(told(&refused).contains("cannot add log/1.json: AccessDenied"), "{refused}");
    assert!(told(&refused).contains("allow s3:PutObject on releases/shop"), "{refused:?}");
    let refused = store.open("blind").list("log").await.unwrap_err();
    assert!(told(&refused).contains("allow s3:ListBucket on releases/shop"), "{refused:?}");
    let refused = store.open_at("s3://no-such-bucket/shop", store.port(), "writer").list("log").await.unwrap_err();
    assert!(told(&refused).contains("create the bucket"), "{refused:?}");
    let mut environment = store.environment("writer");
    environment.insert("AWS_ACCESS_KEY_ID".to_owned(), "AKIA0000000000000000".to_owned());
    let endpoint = format!("http://127.0.0.1:{}", store.port());
    let stranger = Bucket::open("s3://releases/shop", Some(&endpoint), None, &environment).unwrap();
    let refused = stranger.list("log").await.unwrap_err();
    assert!(told(&refused).contains("give credentials"), "{refused:?}");
    assert!(!told(&refused).contains(&environment["AWS_SECRET_ACCESS_KEY"]), "{refused:?}");
}

/// A control plane whose store is the bucket: it links to a file there.
fn control_plane(link: String) -> answers::Server {
    answers::Server::http(move |request| {
        if request.asks("SelectCluster") {
            return answers::proto(&SelectClusterResponse::default());
        }
        let urls = PreSignedURLs { signed_url: vec![link.clone()], ..Default::default() };
        answers::proto(&CreateDownloadLinkResponse { pre_signed_urls: urls.into(), ..Default::default() })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_removed_is_missed() {
    let store = Store::start();
    let bucket = store.open("writer");
    bucket.create("code/0123.tar.gz", "code".into()).await.unwrap();
    // The server knows no rights in addresses: it stops to check them for as many requests.
    let unchecked = reqwest::Client::new().post(format!("http://127.0.0.1:{}/moto-api/reset-auth", store.port()));
    unchecked.header("content-type", "text/plain").body("1000").send().await.unwrap().error_for_status().unwrap();
    let environment = store.environment("writer");
    let signer = AmazonS3Builder::new()
        .with_bucket_name("releases")
        .with_endpoint(format!("http://127.0.0.1:{}", store.port()))
        .with_region("us-east-1")
        .with_allow_http(true)
        .with_access_key_id(&environment["AWS_ACCESS_KEY_ID"])
        .with_secret_access_key(&environment["AWS_SECRET_ACCESS_KEY"])
        .build()
        .unwrap();
    let app = Scope { org: String::new(), project: "p".into(), domain: "d".into() }.app(&AppName::new("web").unwrap());
    let path = object_store::path::Path::from("shop/code/0123.tar.gz");
    let link = signer.signed_url(http::Method::GET, &path, Duration::from_secs(600)).await.unwrap();
    let address = "s3://releases/shop/code/0123.tar.gz";
    let ask = async |link: &str| {
        let client = Client::new(&Connection::open(control_plane(link.to_owned()).url("http"), true));
        client.unwrap().has_bundle(&app, address).await
    };
    assert_eq!(ask(link.as_str()).await, Some(true));
    bucket.remove("code/0123.tar.gz").await.unwrap();
    assert_eq!(ask(link.as_str()).await, Some(false));
}

#[test]
fn what_one_desk_applies_another_rolls_back() {
    let store = Store::start();
    let home = tempfile::tempdir().unwrap();
    let manifest = |desk: &str, greeting: &str, port: u16| {
        let tree = home.path().join(desk);
        fs::create_dir_all(&tree).unwrap();
        let text = format!(
            "name = \"shop\"\nproject = \"flytesnacks\"\ndomain = \"development\"\n\n[releases]\nstore = \
             \"s3://releases/desks\"\nendpoint = \"http://127.0.0.1:{port}\"\n\n[app.web]\nargs = [\"true\"]\nenv = {{ \
             GREETING = \"{greeting}\" }}\n"
        );
        fs::write(tree.join("flyte.toml"), text).unwrap();
        tree
    };
    let flyte = |tree: &std::path::Path, user: &str, args: &[&str]| {
        let mut command = program::command(home.path(), tree, args);
        command.envs(store.environment(user));
        crate::process::run(command, Duration::from_secs(120))
    };
    let lossy = Lossy::before(store.port(), 2);
    let first = manifest("first", "one", lossy.port);
    let applied = flyte(&first, "writer", &["apply", "--yes"]).expect(0);
    assert!(!applied.stdout.contains("warning"), "{}", applied.account());
    assert_eq!(lossy.lost.load(Ordering::SeqCst), 2, "no answer was lost");
    manifest("first", "two", store.port());
    flyte(&first, "writer", &["apply", "--yes"]).expect(0);

    // Somebody else, who may read alone, sees all of it; what they write is applied, and not on record.
    let second = manifest("second", "three", store.port());
    let history = flyte(&second, "reader", &["history", "--json"]).expect(0).json();
    assert_eq!(history["events"].as_array().unwrap().len(), 2, "{history}");
    let applied = flyte(&second, "reader", &["apply", "--yes"]).expect(0);
    assert!(
        applied.stdout.contains("`web` is not on record: s3://releases/desks: cannot add"),
        "{}",
        applied.account()
    );
    assert!(applied.stdout.contains("allow s3:PutObject"), "{}", applied.account());
    // One who may write mends it, and goes back.
    let mended = flyte(&second, "writer", &["apply", "--yes", "--json"]).expect(0).json();
    assert_eq!(mended["apps"][0]["status"], "recorded", "{mended}");
    flyte(&second, "writer", &["rollback", "web", "--yes"]).expect(0);
    let live = flyte(&first, "writer", &["plan", "--json"]).expect(0).json();
    assert_eq!(live["empty"], true, "{live}");
    flyte(&first, "writer", &["local", "stop"]).expect(0);
}
