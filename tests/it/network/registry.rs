//! What is asked of a registry, what counts as an answer, and who gets credentials: with registries that do what they
//! are told. Real ones: `tests/interop/registry.rs`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use flyte::client::Registries;
use flyte::port::{Registry as _, Resolves};

use super::server::{Request, Server, answer, keep_silent, page, read_request};

/// `canary:canary-password`
const BASIC: &str = "Basic Y2FuYXJ5OmNhbmFyeS1wYXNzd29yZA==";

fn digest() -> String {
    format!("sha256:{}", "0123456789abcdef".repeat(4))
}

/// A user who has logged in at this registry.
fn user(registry: &Server, entry: &str) -> Registries {
    let file = format!("{{\"auths\": {{\"{}\": {entry}}}}}", registry.address);
    Registries::new(BTreeMap::from([("DOCKER_AUTH_CONFIG".to_owned(), file)]))
}

fn with_password(registry: &Server) -> Registries {
    user(registry, "{\"auth\": \"Y2FuYXJ5OmNhbmFyeS1wYXNzd29yZA==\"}")
}

fn nobody() -> Registries {
    Registries::new(BTreeMap::new())
}

async fn ask(registries: &Registries, registry: &Server) -> String {
    let told = registries.resolves(&format!("{}/acme/web:1", registry.address)).await;
    let told = match told {
        Resolves::Yes(digest) => format!("yes: {digest}"),
        Resolves::No => "no".to_owned(),
        Resolves::Unknown(why) => format!("unknown: {why}"),
    };
    assert!(!told.contains("canary"), "{told}");
    told.replace(&registry.address.to_string(), "HOST")
}

fn with_digest(status: &str) -> Vec<u8> {
    answer(status, &format!("docker-content-digest: {}\r\n", digest()), "")
}

fn error(code: &str) -> Vec<u8> {
    let body = format!("{{\"errors\": [{{\"code\": \"{code}\", \"message\": \"x\", \"detail\": {{}}}}]}}");
    answer("404 Not Found", "content-type: application/json\r\n", body)
}

fn challenge(words: &str) -> Vec<u8> {
    answer("401 Unauthorized", &format!("www-authenticate: {words}\r\n"), "")
}

fn is_head(request: &Request) -> bool {
    request.line.starts_with("HEAD ")
}

#[tokio::test]
async fn only_the_registrys_own_word_counts() {
    let check = async |head: Vec<u8>, get: Vec<u8>, expected: &str| {
        let registry = Server::http(move |request| if is_head(request) { head.clone() } else { get.clone() });
        assert_eq!(ask(&nobody(), &registry).await, expected);
        let first = registry.requests().remove(0);
        assert_eq!(first.line, "HEAD /v2/acme/web/manifests/1 HTTP/1.1");
        assert!(first.header("accept").unwrap().contains("application/vnd.oci.image.index.v1+json"));
    };
    // An answer to a HEAD has no body.
    let no_head = || answer("405 Method Not Allowed", "", "");
    let missing = || answer("404 Not Found", "", "");
    let yes = format!("yes: {}", digest());
    check(with_digest("200 OK"), missing(), &yes).await;
    check(answer("200 OK", "", ""), with_digest("200 OK"), &yes).await;
    check(no_head(), with_digest("200 OK"), &yes).await;
    let of_content = "yes: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    check(no_head(), answer("200 OK", "", "{}"), of_content).await;
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"] {
        check(missing(), error(code), "no").await;
        check(no_head(), error(code), "no").await;
    }
    let unsaid = "unknown: http://HOST does not say what is missing (404)";
    check(missing(), error("UNSUPPORTED"), unsaid).await;
    check(missing(), missing(), unsaid).await;
    check(missing(), page("404 Not Found", "<h1>MANIFEST_UNKNOWN</h1>"), unsaid).await;
    check(missing(), answer("500 Oh", "", ""), "unknown: http://HOST answers 500 Internal Server Error").await;
    check(answer("429 Slow", "", ""), missing(), "unknown: http://HOST answers 429 Too Many Requests").await;
    let wants = "unknown: http://HOST wants credentials, and none were found";
    check(challenge("Negotiate"), missing(), &format!("{wants} (401 Unauthorized); `docker login` keeps some")).await;
    check(answer("403 No", "", ""), missing(), &format!("{wants} (403 Forbidden); `docker login` keeps some")).await;
    let far = "location: http://192.0.2.1/v2/\r\n";
    check(answer("307 Go", far, ""), missing(), "unknown: http://HOST redirects to no usable place").await;
}

#[tokio::test]
async fn a_name_that_is_none_is_not_asked_for() {
    let told = nobody().resolves("Not An Image").await;
    assert_eq!(told, Resolves::Unknown("that is no name of an image".to_owned()));
}

#[tokio::test]
async fn passwords_go_to_who_asks_for_them() {
    let basic = || {
        Server::http(|request| match request.header("authorization") {
            Some(BASIC) => with_digest("200 OK"),
            _ => challenge("Basic realm=\"x\""),
        })
    };
    let registry = basic();
    assert_eq!(ask(&with_password(&registry), &registry).await, format!("yes: {}", digest()));
    assert_eq!(registry.requests()[0].header("authorization"), None, "it has not asked yet");
    let registry = basic();
    let told =
        "unknown: http://HOST wants credentials, and none were found (401 Unauthorized); `docker login` keeps some";
    assert_eq!(ask(&nobody(), &registry).await, told);
    let registry = basic();
    let told = "unknown: http://HOST refuses the credentials of the variable `DOCKER_AUTH_CONFIG` (401 Unauthorized)";
    assert_eq!(ask(&user(&registry, "{\"username\": \"canary\", \"password\": \"canary-2\"}"), &registry).await, told);
    let told = "unknown: http://HOST wants a password, and there is an identity token";
    assert_eq!(ask(&user(&registry, "{\"identitytoken\": \"canary\"}"), &registry).await, told);
}

/// A registry that takes the tokens of a server, and that server.
fn with_tokens(answer_of_server: Vec<u8>) -> (Server, Server) {
    let tokens = Server::http(move |_| answer_of_server.clone());
    let realm = tokens.url("http");
    let registry = Server::http(move |request| match request.header("authorization") {
        Some("Bearer canary-token") => with_digest("200 OK"),
        _ => challenge(&format!("Bearer realm=\"{realm}/t\",service=\"a b\",scope=\"repository:acme/web:pull\"")),
    });
    (registry, tokens)
}

#[tokio::test]
async fn a_token_is_got_from_the_server_that_is_named() {
    for key in ["token", "access_token"] {
        let (registry, tokens) = with_tokens(answer("200 OK", "", format!("{{\"{key}\": \"canary-token\"}}")));
        assert_eq!(ask(&with_password(&registry), &registry).await, format!("yes: {}", digest()));
        let asked = tokens.requests().remove(0);
        assert_eq!(asked.line, "GET /t?service=a+b&scope=repository%3Aacme%2Fweb%3Apull HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some(BASIC));
        assert!(registry.requests().iter().all(|request| request.header("authorization") != Some(BASIC)));

        let (registry, tokens) = with_tokens(answer("200 OK", "", format!("{{\"{key}\": \"canary-token\"}}")));
        assert_eq!(ask(&nobody(), &registry).await, format!("yes: {}", digest()), "anybody gets one");
        assert_eq!(tokens.requests()[0].header("authorization"), None);

        let (registry, tokens) = with_tokens(answer("200 OK", "", format!("{{\"{key}\": \"canary-token\"}}")));
        let exchanged = ask(&user(&registry, "{\"identitytoken\": \"canary/id\"}"), &registry).await;
        assert_eq!(exchanged, format!("yes: {}", digest()));
        let asked = tokens.requests().remove(0);
        assert_eq!((asked.line.as_str(), asked.header("authorization")), ("POST /t HTTP/1.1", None));
        let form = "grant_type=refresh_token&client_id=flyte&scope=repository%3Aacme%2Fweb%3Apull&\
                    refresh_token=canary%2Fid&service=a+b";
        assert_eq!(String::from_utf8_lossy(&asked.body), form);
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_known() {
    let check = async |answer_of_server: Vec<u8>, expected: &str| {
        let (registry, tokens) = with_tokens(answer_of_server);
        let told = ask(&with_password(&registry), &registry).await;
        assert_eq!(told.replace(&tokens.address.to_string(), "TOKENS"), expected);
    };
    let refuses = "unknown: http://TOKENS refuses the credentials of the variable `DOCKER_AUTH_CONFIG`";
    check(answer("401 No", "", "{\"details\": \"canary\"}"), &format!("{refuses} (401 Unauthorized)")).await;
    check(answer("500 No", "", ""), "unknown: http://TOKENS gives no token (500 Internal Server Error)").await;
    check(answer("302 Go", "location: /x\r\n", ""), "unknown: http://TOKENS gives no token (302 Found)").await;
    for odd in ["canary", "{\"token\": \"\"}", "{\"token\": 5}", "{}"] {
        check(answer("200 OK", "", odd), "unknown: what http://TOKENS answers is no token").await;
    }
    let long = format!("{{\"token\": \"{}\"}}", "x".repeat(2 << 20));
    check(answer("200 OK", "", long), "unknown: what http://TOKENS answers is no token").await;
}

#[tokio::test]
async fn no_credentials_go_elsewhere() {
    // The test network of RFC 5737: whoever tried would wait.
    let registry = Server::http(|_| challenge("Bearer realm=\"http://192.0.2.1/token\""));
    let told = "unknown: http://192.0.2.1 gives tokens without encryption, and is not asked";
    assert_eq!(ask(&with_password(&registry), &registry).await, told);

    // A mirror gets neither password nor token, and none when it asks.
    for asks in [false, true] {
        let mirror = Server::http(move |_| if asks { challenge("Basic") } else { with_digest("200 OK") });
        let to = mirror.url("http");
        let registry = Server::http(move |request| match request.header("authorization") {
            Some(BASIC) => answer("307 Go", &format!("location: {to}/v2/there\r\n"), ""),
            _ => challenge("Basic"),
        });
        let told = ask(&with_password(&registry), &registry).await;
        assert_eq!(told.starts_with("yes: "), !asks, "{told}");
        assert_eq!(mirror.requests()[0].line, "HEAD /v2/there HTTP/1.1");
        assert!(mirror.requests().iter().all(|request| request.header("authorization").is_none()));
    }
    let registry = Server::http(|_| answer("307 Go", "location: /again\r\n", ""));
    assert_eq!(ask(&nobody(), &registry).await, "unknown: http://HOST redirects more than 3 times");
}

#[tokio::test]
async fn nobody_waits_long() {
    let silent = Server::raw(keep_silent);
    // A token server that never stops talking.
    let endless = Server::raw(|mut stream| {
        let _ = read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let realm = endless.url("http");
    let talking = Server::http(move |_| challenge(&format!("Bearer realm=\"{realm}\"")));
    let (registries, begun) = (nobody(), Instant::now());
    let (first, second) = tokio::join!(ask(&registries, &silent), ask(&registries, &talking));
    assert_eq!(first, "unknown: no answer within 5 s");
    assert!(second.ends_with("is no token"), "{second}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let nobody_there = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let told = registries.resolves(&format!("{nobody_there}/web")).await;
    let why = format!("http://{nobody_there} refuses connections: nothing listens there");
    assert_eq!(told, Resolves::Unknown(why));
}
