//! The ingress with real sockets and processes played by tasks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::model::{AppName, Scope};

fn app() -> AppId {
    Scope { org: String::new(), project: "p".into(), domain: "d".into() }.app(&AppName::new("app").expect("a name"))
}

struct Bed {
    ingress: Ingress,
    route: Arc<Route>,
    port: u16,
}

fn bed() -> Bed {
    let ingress = Ingress::new();
    let port = ingress.open(&app(), None).expect("a port");
    Bed { route: ingress.route(&app()), ingress, port }
}

/// A process: answers `/headers` with its headers, `/slow` late, anything else with the body it got.
async fn process() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)));
        }
    });
    (address, task)
}

/// A port that nobody else is given and that takes no connections, as that of a dead process.
fn dead() -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    socket
}

async fn respond(request: Request<Incoming>) -> Result<Response<super::route::UpstreamBody>, Infallible> {
    let text = |text: String| Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    Ok(Response::new(match request.uri().path() {
        "/headers" => text(format!("{:?} {:?}", request.uri(), request.headers())),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            text(String::new())
        }
        _ => request.into_body().boxed(),
    }))
}

async fn send(port: u16, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the ingress listens");
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("a response");
    let status = response.status();
    (status, response.into_body().collect().await.expect("a whole body").to_bytes())
}

async fn get(port: u16, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("host", "localhost").body(Full::default()).expect("a request");
    let (status, body) = send(port, request).await;
    (status, String::from_utf8(body.into()).expect("text"))
}

#[tokio::test]
async fn a_stable_port_is_given_again_and_a_taken_one_is_not() {
    let bed = bed();
    assert_eq!(bed.ingress.open(&app(), Some(1)).expect("the same"), bed.port);
    assert_eq!(bed.ingress.url(&app()), Some(format!("http://127.0.0.1:{}", bed.port)));
    let other = Ingress::new();
    assert_ne!(other.open(&app(), Some(bed.port)).expect("another"), bed.port);
    bed.ingress.close(&app());
    assert_eq!(bed.ingress.url(&app()), None);
    while TcpStream::connect(("127.0.0.1", bed.port)).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bed.ingress.open(&app(), Some(bed.port)).expect("it is free again"), bed.port);
}

#[tokio::test]
async fn pages_of_elsewhere_get_no_answer_of_an_app() {
    let bed = bed();
    let (address, _task) = process().await;
    bed.route.serve(Upstream::new(address));
    let here = format!("http://127.0.0.1:{}", bed.port);
    let check = async |headers: &[(&str, &str)], expected: u16| {
        let request = headers.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
        let (status, body) = send(bed.port, request.body(Full::default()).expect("a request")).await;
        assert_eq!(status.as_u16(), expected, "{headers:?}: {body:?}");
    };
    // A visit, a page's own fetch, a page of another app, a name that leads here, a program without names.
    check(&[("host", "127.0.0.1:80")], 200).await;
    check(&[("host", "127.0.0.1:80"), ("origin", &here)], 200).await;
    check(&[("host", "localhost"), ("origin", "http://localhost:9")], 200).await;
    check(&[("host", "app.localhost")], 200).await;
    check(&[], 200).await;
    // A name that was made to lead here, and a page of elsewhere.
    check(&[("host", "rebound.example.com")], 403).await;
    check(&[("host", "127.0.0.1:80"), ("origin", "https://example.com")], 403).await;
    check(&[("host", "127.0.0.1:80"), ("origin", "null")], 403).await;
}

#[tokio::test]
async fn without_a_process_the_reason_is_given() {
    let bed = bed();
    let (status, text) = get(bed.port, "/").await;
    assert_eq!((status.as_u16(), text.as_str()), (503, "app app is not available: it is not running\n"));
    let dead = dead();
    bed.route.serve(Upstream::new(dead.local_addr().expect("an address")));
    let (status, text) = get(bed.port, "/").await;
    assert_eq!((status.as_u16(), text.contains("does not accept connections")), (502, true), "{text}");
    bed.route.set_timeout(Some(Duration::from_millis(50)));
    bed.route.hold();
    let (status, text) = get(bed.port, "/").await;
    assert_eq!((status.as_u16(), text.contains("did not respond within 0.05 s")), (504, true), "{text}");
}

#[tokio::test]
async fn a_request_that_meets_a_dead_process_goes_to_its_successor() {
    let bed = bed();
    let dead = dead();
    bed.route.serve(Upstream::new(dead.local_addr().expect("an address")));
    let body = Bytes::from_static(b"not lost");
    let request = tokio::spawn(send(bed.port, Request::post("/").body(Full::new(body.clone())).expect("a request")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (address, _task) = process().await;
    bed.route.serve(Upstream::new(address));
    assert_eq!(request.await.expect("no panic"), (StatusCode::OK, body));
}

#[tokio::test]
async fn a_slow_response_is_given_up() {
    let bed = bed();
    let (address, _task) = process().await;
    let upstream = Upstream::new(address);
    bed.route.serve(upstream.clone());
    bed.route.set_timeout(Some(Duration::from_millis(100)));
    assert_eq!(get(bed.port, "/slow").await.0, StatusCode::GATEWAY_TIMEOUT);
    assert!(upstream.drain(Duration::from_secs(5)).await, "it is no longer in flight");
}

#[tokio::test]
async fn headers_and_path_arrive() {
    let bed = bed();
    let (address, _task) = process().await;
    bed.route.serve(Upstream::new(address));
    for _ in 0..3 {
        let (status, text) = get(bed.port, "/headers?a=b%20c").await;
        assert_eq!(status, StatusCode::OK);
        for expected in ["/headers?a=b%20c", r#""host": "localhost""#, r#""x-forwarded-for": "127.0.0.1""#] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}

#[tokio::test]
async fn an_old_server_is_understood_and_head_has_no_body() {
    let bed = bed();
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    bed.route.serve(Upstream::new(socket.local_addr().expect("an address")));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = socket.accept().await.expect("a connection");
            let head = read_head(&mut stream).await;
            let answer: &[u8] = match head.starts_with("HEAD") {
                true => b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n",
                false => b"HTTP/1.0 200 OK\r\n\r\nno length",
            };
            stream.write_all(answer).await.expect("it is read");
        }
    });
    for _ in 0..3 {
        assert_eq!(get(bed.port, "/").await, (StatusCode::OK, "no length".to_owned()));
    }
    let head = Request::head("/").body(Full::default()).expect("a request");
    assert_eq!(send(bed.port, head).await, (StatusCode::OK, Bytes::new()));
}

#[tokio::test]
async fn a_large_body_streams_both_ways() {
    let bed = bed();
    let (address, _task) = process().await;
    bed.route.serve(Upstream::new(address));
    let large = Bytes::from((0..24u32 << 20).map(|index| (index % 251) as u8).collect::<Vec<_>>());
    let request = Request::post("/").body(Full::new(large.clone())).expect("a request");
    let (status, back) = send(bed.port, request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(back == large, "{} bytes came back", back.len());
}

#[tokio::test]
async fn an_upgraded_connection_is_passed_through_and_is_in_flight_until_it_ends() {
    let bed = bed();
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = Upstream::new(socket.local_addr().expect("an address"));
    bed.route.serve(upstream.clone());
    tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a connection");
        let head = read_head(&mut stream).await;
        assert!(head.contains("upgrade: echo"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(answer).await.expect("it is read");
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.expect("an echo");
    });
    let mut stream = TcpStream::connect(("127.0.0.1", bed.port)).await.expect("the ingress listens");
    let request =
        b"GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive, Upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(request).await.expect("it is read");
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("upgrade: echo"), "{head}");
    for text in ["ping", "pong"] {
        stream.write_all(text.as_bytes()).await.expect("it is read");
        let mut back = [0; 4];
        stream.read_exact(&mut back).await.expect("an echo");
        assert_eq!(back, text.as_bytes());
    }
    assert!(upstream.idle_since().is_none());
    drop(stream);
    assert!(upstream.drain(Duration::from_secs(5)).await);
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}
