//! What people are told when a control plane cannot be used: each once through the program, with all that is printed in
//! `failures.txt`. Nothing may be written, and the deadline holds.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use regex::Regex;

use super::server::{Certificate, Server, answer, keep_silent, page, rpc_error};
use crate::real::desk::{Desk, Ran};

/// A program's calls may take this long, where something comes of them.
const TIMEOUT: &str = "10s";

/// And where nothing does.
const SHORT: &str = "1s";

struct Told {
    text: String,
    desk: Desk,
}

impl Told {
    /// Applies to a target, and takes down what is said.
    #[track_caller]
    fn about(&mut self, what: &str, target: &str, variables: &[(&str, &str)], server: Option<&Server>) {
        self.about_within(TIMEOUT, what, target, variables, server);
    }

    #[track_caller]
    fn about_within(
        &mut self,
        timeout: &str,
        what: &str,
        target: &str,
        variables: &[(&str, &str)],
        server: Option<&Server>,
    ) {
        let app = "[app.web]\nimage = \"web:1\"\n";
        self.desk.write(
            "flyte.toml",
            &format!("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n{app}[target.away]\n{target}\n"),
        );
        let mut command = self.desk.command(&["apply", "--yes", "--target", "away"]);
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        command.env("FLYTE_TIMEOUT", timeout).envs(variables.iter().copied());
        let begun = Instant::now();
        let ran = Ran::of(command.output().unwrap());
        let took = begun.elapsed();
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{what}: {}", ran.stderr);
        // The program has a start, and a machine under load is slow.
        assert!(took < Duration::from_secs(30), "{what} took {took:?}");
        for request in server.iter().flat_map(|server| server.requests()) {
            assert!(request.asks("List") || request.line.starts_with("CONNECT"), "{what}: {}", request.line);
        }
        writeln!(self.text, "== {what}\n{}", ran.stderr).unwrap();
    }

    fn compare(self) {
        let rules = [
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
            (r"request\s+[0-9a-f-]{36}", "request [id]"),
            (r"/\S*/tree", "[tree]"),
            // Resolvers have different words for it.
            (r"(?s)(cannot be resolved:)\s.*?(\n  help:)", "$1 [reason]$2"),
        ];
        let mut text = self.text;
        for (pattern, kind) in rules {
            text = Regex::new(pattern).unwrap().replace_all(&text, kind).into_owned();
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/network/failures.txt");
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        similar_asserts::assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), text);
    }
}

fn endpoint(url: &str) -> String {
    format!("endpoint = \"{url}\"")
}

#[test]
fn a_control_plane_that_cannot_be_used_is_told_as_what_it_is() {
    let mut told = Told { text: String::new(), desk: Desk::new() };
    no_connection(&mut told);
    no_answer(&mut told);
    other_answers(&mut told);
    certificates(&mut told);
    proxies(&mut told);
    told.compare();
}

fn no_connection(told: &mut Told) {
    told.about("nothing listens", &endpoint("http://127.0.0.1:1"), &[], None);
    told.about("no such name", &endpoint("https://flyte.invalid"), &[], None);
    // Who listens and does not accept connections is as one whom no packet reaches.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let socket = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(1).unwrap()
    });
    let address = socket.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..3).filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok()).collect();
    told.about_within(SHORT, "no packet arrives", &endpoint(&format!("http://{address}")), &[], None);
    drop(waiting);
}

fn no_answer(told: &mut Told) {
    let silent = Server::raw(keep_silent);
    told.about_within(SHORT, "accepts and never answers", &endpoint(&silent.url("http")), &[], Some(&silent));
    told.about_within(SHORT, "accepts and never encrypts", &endpoint(&silent.url("https")), &[], Some(&silent));
    let stalls = Server::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), |mut stream, _| {
        use std::io::Write as _;
        super::server::read_request(&mut stream).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 100\r\n\r\nabc")
            .unwrap();
        keep_silent(stream);
    });
    told.about_within(SHORT, "answers and stalls", &endpoint(&stalls.url("http")), &[], Some(&stalls));
    let ends = Server::raw(drop);
    told.about("ends every connection", &endpoint(&ends.url("http")), &[], Some(&ends));
    let breaks = Server::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), |mut stream, _| {
        use std::io::Write as _;
        super::server::read_request(&mut stream).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 100\r\n\r\nabc")
            .unwrap();
    });
    told.about("breaks off in the middle", &endpoint(&breaks.url("http")), &[], Some(&breaks));
}

fn other_answers(told: &mut Told) {
    let mut with = |what: &str, answer: Vec<u8>| {
        let server = Server::http(move |_| answer.clone());
        told.about(what, &endpoint(&server.url("http")), &[], Some(&server));
    };
    with("a log-in page", page("200 OK", "<html><title>Log in</title></html>"));
    with("a redirect to a log-in", answer("302 Found", "location: https://sso.example.com/login?state=canary\r\n", ""));
    with("a page of a gateway", page("502 Bad Gateway", "<html><head><title>502 Bad\nGateway</title></head></html>"));
    with("a redirect to another page", answer("302 Found", "location: /login?state=canary\r\n", ""));
    with(
        "a plain request on a port for TLS",
        page("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"),
    );
    with("another server", page("404 Not Found", "<html><title>Not here</title></html>"));
    with("a page of an error", page("500 Internal Server Error", &format!("<p>{}", "x".repeat(10 << 20))));
    let long = format!("{{\"code\":\"internal\",\"message\":\"{}\"}}", "database ".repeat(1_200_000));
    with("an error of 10 MB", rpc_error("500 Internal Server Error", &long));
    let escape = r#"{"code":"permission_denied","message":"no\u001b[31m access\r\nto p","details":[{"type":"flyteidl2.app.Identifier","value":"EgRzaG9wGgNkZXYiA3dlYg"},{"type":"acme.Unknown","value":"AAAA"}]}"#;
    with("an error with control characters and details", rpc_error("403 Forbidden", escape));
    let repeats = r#"{"code":"invalid_argument","message":"bad header Bearer canary.1 at https://s3.example.com/b?X-Amz-Signature=canary"}"#;
    with("an error that repeats what opens something", rpc_error("400 Bad Request", repeats));
    with("no content", answer("204 No Content", "content-type: application/proto\r\n", ""));
    with("nothing, of no type", answer("200 OK", "", ""));
    with("no protobuf", answer("200 OK", "content-type: application/proto\r\n", "this is not protobuf"));
    with("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec());
}

fn certificates(told: &mut Told) {
    let answers = |_: &super::server::Request| page("200 OK", "");
    let good = Certificate::new("127.0.0.1", |_| {});
    let server = Server::https(&good, answers);
    let file = "ca_file = \"ca.pem\"";
    told.about("an authority that is not known", &endpoint(&server.url("https")), &[], Some(&server));
    told.about("TLS is spoken to without", &endpoint(&server.url("http")), &[], Some(&server));
    let other = Certificate::new("flyte.example.com", |_| {});
    told.desk.write("ca.pem", &other.authority);
    let server = Server::https(&other, answers);
    told.about("another name", &format!("{}\n{file}", endpoint(&server.url("https"))), &[], Some(&server));
    let old = Certificate::new("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    told.desk.write("ca.pem", &old.authority);
    let server = Server::https(&old, answers);
    told.about("an expired certificate", &format!("{}\n{file}", endpoint(&server.url("https"))), &[], Some(&server));
    // As HTTP servers do with what they cannot read.
    let plain = Server::raw(|mut stream| {
        use std::io::{Read as _, Write as _};
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&page("400 Bad Request", "what?"));
    });
    told.about("plain HTTP is spoken to with TLS", &endpoint(&plain.url("https")), &[], Some(&plain));
    let skip = "insecure_skip_verify = true";
    told.about("a page behind any certificate", &format!("{}\n{skip}", endpoint(&server.url("https"))), &[], None);
    let away = endpoint("https://127.0.0.1:1");
    told.desk.write("empty.pem", "");
    told.desk.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    told.desk.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for name in ["missing.pem", "empty.pem", "key.pem", "broken.pem"] {
        told.about(&format!("a CA file: {name}"), &format!("{away}\nca_file = \"{name}\""), &[], None);
    }
}

fn proxies(told: &mut Told) {
    let away = endpoint("https://flyte.invalid");
    let mut through = |what: &str, target: &str, proxy: &Server| {
        let url = format!("http://user:canary@{}", proxy.address);
        told.about(what, target, &[("HTTPS_PROXY", &url), ("HTTP_PROXY", &url)], Some(proxy));
    };
    let asks = Server::http(|_| answer("407 Proxy Authentication Required", "proxy-authenticate: Basic\r\n", ""));
    through("a proxy that asks who one is", &away, &asks);
    let own = format!("{away}\nproxy = \"http://{}\"", asks.address);
    through("the target's own proxy that asks who one is", &own, &asks);
    through("the same without TLS", &endpoint("http://flyte.invalid"), &asks);
    let refuses = Server::http(|_| page("403 Forbidden", "<title>Blocked</title>"));
    through("a proxy that refuses", &away, &refuses);
    through("the same without TLS", &endpoint("http://flyte.invalid"), &refuses);
    let dead = format!("{away}\nproxy = \"http://127.0.0.1:1\"");
    told.about("a proxy that is not there", &dead, &[], None);
    told.about("a proxy that is none", &format!("{away}\nproxy = \"user:canary@nowhere:x\""), &[], None);
    let socks = [("ALL_PROXY", "socks5h://127.0.0.1:1")];
    told.about("a SOCKS proxy that is not there", &away, &socks, None);
}
