//! Bundles on their way to a store: the rules of the kinds of stores, what is repeated, and what is not told.

use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use flyte::model::target::Connection;
use flyte::port::{Content, ControlPlane as _, Parcel, RpcCode, RpcError};
use flyte_schema::flyteidl2::cluster::SelectClusterResponse;
use flyte_schema::flyteidl2::dataproxy::CreateUploadLocationResponse;
use md5::{Digest as _, Md5};

use super::server::{Certificate, Request, Server, answer, keep_silent, page, proto};
use super::{client, patient, patient_of, scope};

/// What opens the store; nobody may see it.
const SIGNED: &str = "X-Amz-Signature=canary&X-Amz-Security-Token=canary";

/// Zeros, counted as they are read.
struct Zeros {
    length: u64,
    read: Arc<AtomicU64>,
}

impl Content for Zeros {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let read = self.read.clone();
        Ok(Box::new(Counted(io::repeat(0).take(self.length), read)))
    }
}

struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn parcel(length: u64) -> (Parcel, Arc<AtomicU64>) {
    let read = Arc::new(AtomicU64::new(0));
    let md5 = Md5::digest(vec![0; usize::try_from(length.min(1 << 20)).unwrap()]).into();
    let content = Arc::new(Zeros { length, read: read.clone() });
    (Parcel { file_name: "0123.tar.gz".into(), length, md5, content }, read)
}

/// A control plane that hands out the address of a store, another one each time.
fn control_plane(store: &Server, native: &'static str, headers: &'static [(&str, &str)]) -> Server {
    let (store, count) = (store.url("http"), AtomicUsize::new(0));
    Server::http(move |request| {
        if request.asks("SelectCluster") {
            return proto(&SelectClusterResponse::default());
        }
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        proto(&CreateUploadLocationResponse {
            signed_url: format!("{store}/bucket/{number}/0123.tar.gz?{SIGNED}"),
            native_url: native.to_owned(),
            headers,
            ..Default::default()
        })
    })
}

/// A store that answers one after the other, the last one again and again.
fn store(answers: Vec<Vec<u8>>) -> Server {
    let count = AtomicUsize::new(0);
    Server::http(move |_| answers[count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)].clone())
}

async fn upload(control_plane: &Server, parcel: &Parcel) -> Result<String, RpcError> {
    patient(&control_plane.url("http")).upload(&scope(), parcel).await
}

/// The same, where a second without a byte is the end.
async fn upload_in_haste(control_plane: &Server, parcel: &Parcel) -> Result<String, RpcError> {
    client(&control_plane.url("http")).upload(&scope(), parcel).await
}

fn ok() -> Vec<u8> {
    answer("200 OK", "", "")
}

#[track_caller]
fn hides(error: &RpcError) {
    let all = format!("{error} {error:?}");
    assert!(!all.contains("canary") && !all.contains("X-Amz-Signature"), "{all}");
}

#[tokio::test]
async fn each_kind_of_store_gets_the_headers_it_wants_and_no_other() {
    let sent = |native, headers| async move {
        let store = store(vec![answer("201 Created", "", "")]);
        let (parcel, _) = parcel(1000);
        assert_eq!(upload(&control_plane(&store, native, headers), &parcel).await.unwrap(), native);
        let request: Request = store.requests().remove(0);
        assert!(request.line.starts_with("PUT /bucket/1/0123.tar.gz?X-Amz"), "{}", request.line);
        assert_eq!(request.body, vec![0; 1000]);
        let md5 = base64::engine::general_purpose::STANDARD.encode(Md5::digest([0; 1000]));
        assert_eq!(request.header("content-length"), Some("1000"));
        assert_eq!(request.header("content-md5"), Some(md5.as_str()));
        for name in ["transfer-encoding", "authorization", "content-type", "x-request-id", "content-encoding"] {
            assert_eq!(request.header(name), None, "{name}");
        }
        request
    };
    let s3 = sent("s3://bucket/0123.tar.gz", &[("x-amz-meta-flytecontentmd5", "abc")]).await;
    assert_eq!(s3.header("x-amz-meta-flytecontentmd5"), Some("abc"));
    assert_eq!(s3.header("x-ms-blob-type"), None);
    let gcs = sent("gs://bucket/0123.tar.gz", &[("x-goog-meta-flyteContentMD5", "abc")]).await;
    assert_eq!(gcs.header("x-goog-meta-flytecontentmd5"), Some("abc"));
    let azure = sent("abfs://container@account.dfs.core.windows.net/0123.tar.gz", &[]).await;
    assert_eq!(azure.header("x-ms-blob-type"), Some("BlockBlob"));
    let told = sent("abfs://c@a/0123.tar.gz", &[("X-Ms-Blob-Type", "AppendBlob"), ("Content-Length", "5")]).await;
    assert_eq!(told.header("x-ms-blob-type"), Some("AppendBlob"));
}

#[tokio::test]
async fn a_server_behind_tls_may_name_itself_with_the_wrong_scheme() {
    let store = store(vec![ok()]);
    let address = store.url("http");
    let server = Server::https(&Certificate::new("127.0.0.1", |_| {}), move |request| {
        if request.asks("SelectCluster") {
            let itself = format!("http://{}", request.header("host").unwrap());
            return proto(&SelectClusterResponse { cluster_endpoint: itself, ..Default::default() });
        }
        let signed_url = format!("{address}/bucket/0123.tar.gz");
        proto(&CreateUploadLocationResponse { signed_url, native_url: "s3://b/0".into(), ..Default::default() })
    });
    let trusting = Connection { insecure_skip_verify: true, ..Connection::open(server.url("https"), false) };
    assert_eq!(patient_of(&trusting).upload(&scope(), &parcel(10).0).await.unwrap(), "s3://b/0");
}

#[tokio::test]
async fn what_may_pass_is_repeated_and_an_expired_address_is_asked_for_anew() {
    let xml =
        |status: &str, code: &str| page(status, &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"));
    let slow = answer("503 Slow Down", "retry-after: 1\r\n", "");
    let store_of = store(vec![slow, xml("400 Bad Request", "RequestTimeout"), ok()]);
    let control = control_plane(&store_of, "s3://b/0123.tar.gz", &[]);
    let begun = Instant::now();
    upload(&control, &parcel(10).0).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    let lines: Vec<_> = store_of.requests().iter().map(|it| it.line.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["PUT /bucket/1/0123.tar.gz"; 3]);

    let store_of = store(vec![xml("403 Forbidden", "AccessDenied: Request has expired"), ok()]);
    let control = control_plane(&store_of, "s3://b/0123.tar.gz", &[]);
    upload(&control, &parcel(10).0).await.unwrap();
    let lines: Vec<_> = store_of.requests().iter().map(|it| it.line.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["PUT /bucket/1/0123.tar.gz", "PUT /bucket/2/0123.tar.gz"]);
}

#[tokio::test]
async fn what_does_not_pass_is_told_at_once_without_what_opens_the_store() {
    let refused = |answered: Vec<u8>| async move {
        let store = store(vec![answered]);
        let error = upload(&control_plane(&store, "s3://b/0123.tar.gz", &[]), &parcel(10).0).await.unwrap_err();
        assert_eq!(store.requests().len(), 1);
        hides(&error);
        (error.code, error.message.replace(&store.address.to_string(), "[store]"))
    };
    let denied = format!(
        "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
         <CanonicalRequest>PUT /bucket?{SIGNED}</CanonicalRequest><SignatureProvided>canary</SignatureProvided></Error>"
    );
    assert_eq!(
        refused(page("403 Forbidden", &denied)).await,
        (
            RpcCode::PermissionDenied,
            "http://[store]/bucket/1/0123.tar.gz refuses the transfer (403 Forbidden): SignatureDoesNotMatch: The \
             signature does not match."
                .to_owned()
        )
    );
    let text = format!("no such bucket: https://store.example.com/bucket?{SIGNED}");
    assert_eq!(
        refused(answer("404 Not Found", "", text)).await,
        (
            RpcCode::NotFound,
            "http://[store]/bucket/1/0123.tar.gz refuses the transfer (404 Not Found): no such bucket: \
             https://store.example.com/bucket?…"
                .to_owned()
        )
    );
    let elsewhere = answer("307 Temporary Redirect", &format!("location: http://evil.example.com/x?{SIGNED}\r\n"), "");
    assert_eq!(
        refused(elsewhere).await,
        (
            RpcCode::FailedPrecondition,
            "http://[store]/bucket/1/0123.tar.gz redirects to http://evil.example.com/x, which is not followed"
                .to_owned()
        )
    );
    assert_eq!(
        refused(answer("202 Accepted", "", "")).await,
        (
            RpcCode::Unknown,
            "http://[store]/bucket/1/0123.tar.gz refuses the transfer (202 Accepted): 0 bytes".to_owned()
        )
    );
    let dead = Server { address: "127.0.0.1:1".parse().unwrap(), ..store(vec![ok()]) };
    let error = upload(&control_plane(&dead, "s3://b/0123.tar.gz", &[]), &parcel(10).0).await.unwrap_err();
    hides(&error);
    assert!(error.message.contains("http://127.0.0.1:1 refuses connections"), "{error}");
}

#[tokio::test]
async fn no_more_is_read_than_the_store_takes_and_a_store_that_stalls_is_given_up() {
    let stalls = Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), |mut stream, _| {
        let _ = stream.read_exact(&mut vec![0; 1 << 20]);
        keep_silent(stream);
    });
    let (parcel, read) = parcel(1 << 30);
    let begun = Instant::now();
    let error = upload_in_haste(&control_plane(&stalls, "s3://b/0123.tar.gz", &[]), &parcel).await.unwrap_err();
    assert_eq!(error.code, RpcCode::DeadlineExceeded, "{error}");
    assert!(error.message.contains("of 1073741824 bytes and then nothing for 1s"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    hides(&error);
    // The system's buffers take some megabytes.
    let read = read.load(Ordering::Relaxed);
    assert!(read < 64 << 20, "{read} bytes were read");
}

#[tokio::test]
async fn a_refusal_that_does_not_end_is_told_as_far_as_it_came() {
    let stalls = Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), |mut stream, _| {
        use std::io::Write as _;
        let _ = stream.read(&mut [0; 64 << 10]);
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 1000\r\n\r\nno room");
        keep_silent(stream);
    });
    let begun = Instant::now();
    let error = upload_in_haste(&control_plane(&stalls, "s3://b/0123.tar.gz", &[]), &parcel(10).0).await.unwrap_err();
    assert_eq!(error.code, RpcCode::PermissionDenied, "{error}");
    assert!(error.message.ends_with("no room"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_slow_store_is_waited_for_as_long_as_bytes_move() {
    let slow = Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), |mut stream, _| {
        use std::io::Write as _;
        // 32 MiB in some three seconds, where one without a byte would be the end.
        let (mut taken, mut buffer) = (0, vec![0; 1 << 20]);
        while let Ok(read) = stream.read(&mut buffer) {
            taken += read;
            if read == 0 || taken >= 32 << 20 {
                break;
            }
            std::thread::sleep(Duration::from_millis(3 * read as u64 / 32_000));
        }
        let _ = stream.write_all(&ok());
        std::thread::sleep(Duration::from_millis(200));
    });
    let begun = Instant::now();
    upload_in_haste(&control_plane(&slow, "s3://b/0123.tar.gz", &[]), &parcel(32 << 20).0).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
}
