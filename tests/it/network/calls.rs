//! What is repeated, what an error says of its call, and how calls share connections.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use flyte::client::Client;
use flyte::model::target::Connection;
use flyte::port::{ControlPlane as _, Delivery, RpcCode};
use flyte_schema::flyteidl2::app::{CreateRequest, CreateResponse, GetResponse, ListRequest, ListResponse};
use flyte_schema::flyteidl2::cluster::SelectClusterResponse;
use flyte_schema::flyteidl2::core::{Container, KeyValuePair};
use flyte_schema::flyteidl2::secret::ListSecretsResponse;
use futures::StreamExt as _;

use super::server::{Certificate, Request, Server, answer, keep_silent, page, proto, read_request, rpc_error};
use super::{app, client, id, patient, patient_of, scope};

/// Fails so many times, then answers.
fn failing(times: usize, failure: Vec<u8>) -> Server {
    let count = AtomicUsize::new(0);
    Server::http(move |request| match count.fetch_add(1, Ordering::Relaxed) {
        n if n < times => failure.clone(),
        _ if request.asks("Get") => proto(&GetResponse { app: app().into(), ..Default::default() }),
        _ => proto(&CreateResponse { app: app().into(), ..Default::default() }),
    })
}

#[tokio::test]
async fn reads_are_repeated_under_one_request_id_and_writes_are_not() {
    let busy = || rpc_error("503 Service Unavailable", r#"{"code":"unavailable","message":"busy"}"#);
    let server = failing(2, busy());
    assert!(patient(&server.url("http")).get(&id()).await.unwrap().is_some());
    let ids: Vec<_> = server.requests().iter().map(|it| it.header("x-request-id").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 36), "{ids:?}");

    let server = failing(1, busy());
    let error = patient(&server.url("http")).create(app()).await.unwrap_err();
    assert_eq!((error.code, error.delivery, server.requests().len()), (RpcCode::Unavailable, Delivery::Answered, 1));
    let id = server.requests()[0].header("x-request-id").unwrap().to_owned();
    assert!(error.to_string().ends_with(&format!("busy (request {id})")), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it_within_the_deadline() {
    let body = r#"{"code":"resource_exhausted","message":"too many"}"#;
    let refusal = |wait: &str| {
        answer("429 Too Many Requests", &format!("content-type: application/json\r\nretry-after: {wait}\r\n"), body)
    };
    let server = failing(1, refusal("1"));
    let begun = Instant::now();
    assert!(patient(&server.url("http")).get(&id()).await.is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());

    for forever in ["18446744073709551615", "9223372036854775807"] {
        let server = failing(1, refusal(forever));
        let error = patient(&server.url("http")).get(&id()).await.unwrap_err();
        assert_eq!((error.code, server.requests().len()), (RpcCode::ResourceExhausted, 1), "{error}");
    }

    let server = failing(1, refusal("3600"));
    let begun = Instant::now();
    let error = patient(&server.url("http")).get(&id()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5) && server.requests().len() == 1);
    assert!(error.message.contains("it asks to wait for 3600s"), "{error}");
}

#[tokio::test]
async fn a_list_that_goes_in_a_circle_ends() {
    let circle = || {
        let count = AtomicUsize::new(0);
        Server::http(move |request| {
            let token = ["a", "b"][count.fetch_add(1, Ordering::Relaxed) % 2].to_owned();
            match () {
                () if request.asks("SelectCluster") => proto(&SelectClusterResponse::default()),
                () if request.asks("ListSecrets") => proto(&ListSecretsResponse { token, ..Default::default() }),
                () => proto(&ListResponse { token, ..Default::default() }),
            }
        })
    };
    let server = circle();
    let error = patient(&server.url("http")).list(&scope()).await.unwrap_err();
    assert_eq!((error.method.as_str(), server.requests().len()), ("AppService/List", 3));
    assert!(error.message.contains("it names the same page again"), "{error}");
    let server = circle();
    let error = patient(&server.url("http")).list_secrets(&scope()).await.unwrap_err();
    assert_eq!((error.method.as_str(), server.requests().len()), ("SecretService/ListSecrets", 4));
    assert!(error.message.contains("it names the same page again"), "{error}");
}

#[tokio::test]
async fn what_there_is_of_a_log_is_waited_for_until_the_server_answers() {
    let late = |pause: Duration| {
        Server::http(move |request| {
            if request.asks("SelectCluster") {
                return proto(&SelectClusterResponse::default());
            }
            std::thread::sleep(pause);
            rpc_error("403 Forbidden", r#"{"code":"permission_denied","message":"no"}"#)
        })
    };
    let server = late(Duration::from_secs(2));
    let error = patient(&server.url("http")).logs_so_far(&id()).await.err().unwrap();
    assert_eq!(error.code, RpcCode::PermissionDenied, "{error}");
    let server = late(Duration::from_secs(60));
    let error = client(&server.url("http")).logs_so_far(&id()).await.err().unwrap();
    assert_eq!((error.code, error.delivery), (RpcCode::DeadlineExceeded, Delivery::Unanswered));
    assert!(error.message.contains("no answer within 1s"), "{error}");
}

#[tokio::test]
async fn a_write_that_was_never_sent_is_sent_again() {
    // Bound all the time, so that nobody else is given it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let answers = proto(&CreateResponse { app: app().into(), ..Default::default() });
        let listener = socket.listen(8).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        Server::on(listener, move |mut stream, server| {
            server.requests.lock().unwrap().push(read_request(&mut stream).unwrap());
            stream.write_all(&answers).unwrap();
        })
    });
    patient(&format!("http://{port}")).create(app()).await.unwrap();
    assert_eq!(late.await.unwrap().requests().len(), 1);
}

#[tokio::test]
async fn an_address_with_https_is_never_spoken_to_without() {
    let server = Server::http(|_| proto(&GetResponse::default()));
    let error = patient_of(&Connection::open(server.url("https"), true)).get(&id()).await.unwrap_err();
    assert_eq!((error.delivery, server.requests().len()), (Delivery::NotSent, 0), "{error}");
}

#[tokio::test]
async fn how_far_a_write_came_is_told_as_it_is() {
    let told = async |client: Client| {
        let error = client.create(app()).await.unwrap_err();
        (error.delivery, error.is_outcome_unknown())
    };
    let delivery = async |server: Server, scheme: &str| told(patient(&server.url(scheme))).await;
    let silent = Server::raw(keep_silent);
    let (not_sent, unknown, refused) =
        ((Delivery::NotSent, false), (Delivery::Unanswered, true), (Delivery::Answered, false));
    let certificate = Certificate::new("127.0.0.1", |_| {});
    assert_eq!(delivery(Server::https(&certificate, |_| Vec::new()), "https").await, not_sent);
    assert_eq!(told(client(&silent.url("https"))).await, not_sent);
    assert_eq!(told(client(&silent.url("http"))).await, unknown);
    assert_eq!(delivery(Server::raw(drop), "http").await, unknown);
    let http = |answer: Vec<u8>| Server::http(move |_| answer.clone());
    assert_eq!(delivery(http(page("504 Gateway Timeout", "slow")), "http").await, unknown);
    assert_eq!(delivery(http(page("200 OK", "hello")), "http").await, unknown);
    assert_eq!(delivery(http(page("500 Internal Server Error", "oops")), "http").await, unknown);
    assert_eq!(delivery(http(answer("200 OK", "content-type: application/proto\r\n", "no")), "http").await, unknown);
    assert_eq!(delivery(http(page("403 Forbidden", "no")), "http").await, refused);
    let json = rpc_error("400 Bad Request", r#"{"code":"invalid_argument","message":"no"}"#);
    assert_eq!(delivery(http(json.clone()), "http").await, refused);
    // A gateway may speak as a control plane does, after the write was taken.
    let gateway = rpc_error("503 Service Unavailable", r#"{"code":"unavailable","message":"upstream"}"#);
    assert_eq!(delivery(http(gateway), "http").await, (Delivery::Answered, true));
    let torn = |mut stream: std::net::TcpStream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 9\r\n\r\nabc");
    };
    assert_eq!(delivery(Server::raw(torn), "http").await, unknown);
}

#[tokio::test]
async fn a_thousand_apps_are_ten_calls_on_one_connection() {
    let server = Server::http(|request| {
        std::thread::sleep(Duration::from_millis(50));
        let asked = decode::<ListRequest>(request);
        let start: u32 = asked.request.token.parse().unwrap_or_default();
        let end = start + asked.request.limit;
        let named = |n: u32| {
            let mut app = app();
            app.metadata.get_or_insert_default().id.get_or_insert_default().name = format!("web-{n}");
            app
        };
        let token = if end < 1000 { end.to_string() } else { String::new() };
        proto(&ListResponse { apps: (start..end).map(named).collect(), token, ..Default::default() })
    });
    let begun = Instant::now();
    assert_eq!(patient(&server.url("http")).list(&scope()).await.unwrap().len(), 1000);
    let took = begun.elapsed();
    assert_eq!((server.requests().len(), *server.connections.lock().unwrap()), (10, 1));
    // Ten round trips of 50 ms; the rest is this build without optimisation, on a machine under load.
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// The message of a request, decompressed.
fn decode<M: buffa::Message + Default>(request: &Request) -> M {
    let mut plain = request.body.clone();
    if request.header("content-encoding") == Some("gzip") {
        plain = Vec::new();
        GzDecoder::new(&request.body[..]).read_to_end(&mut plain).unwrap();
    }
    M::decode_from_slice(&plain).unwrap()
}

#[tokio::test]
async fn large_requests_are_compressed_and_small_ones_are_not() {
    let server = failing(0, Vec::new());
    let client = patient(&server.url("http"));
    client.create(app()).await.unwrap();
    let mut large = app();
    let pair = |n: usize| KeyValuePair { key: format!("V{n}"), value: "value".into(), ..Default::default() };
    let container = Container { env: (0..500).map(pair).collect(), ..Default::default() };
    large.spec.get_or_insert_default().app_payload = Some(container.into());
    client.create(large.clone()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].header("content-encoding"), None);
    assert_eq!(requests[1].header("content-encoding"), Some("gzip"));
    assert_eq!(decode::<CreateRequest>(&requests[1]).app.into_option(), Some(large));
    assert!(requests[0].header("accept-encoding").unwrap().contains("gzip"));
    assert_eq!(requests[0].header("authorization"), None);
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_its_file_is_named() {
    let certificate = Certificate::new("localhost", |_| {});
    let server = Server::https(&certificate, |_| proto(&GetResponse { app: app().into(), ..Default::default() }));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, format!("# ours\n{}\n{}", Certificate::new("x", |_| {}).authority, certificate.authority))
        .unwrap();
    let endpoint = format!("dns:///localhost:{}", server.address.port());
    let trusting = Connection { ca_file: Some(file), ..Connection::open(endpoint.clone(), false) };
    assert!(patient_of(&trusting).get(&id()).await.unwrap().is_some());
    // A CA file and no check: what is checked wins.
    let both = Connection { insecure_skip_verify: true, endpoint: server.url("https"), ..trusting };
    assert!(!patient_of(&both).trusts_anyone());
    assert!(patient_of(&both).get(&id()).await.unwrap_err().message.contains("not for that name"));
    let any = Connection { ca_file: None, ..both };
    assert!(patient_of(&any).trusts_anyone());
    assert!(patient_of(&any).get(&id()).await.unwrap().is_some());
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    let certificate = Certificate::new("localhost", |_| {});
    let mut config = (*certificate.server()).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let noted = noted.clone();
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                noted.lock().unwrap().push(request.version());
                let body = buffa::Message::encode_to_bytes(&GetResponse { app: app().into(), ..Default::default() });
                let response = http::Response::builder().header("content-type", "application/proto");
                async move { response.body(http_body_util::Full::new(body)) }
            });
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let endpoint = format!("https://localhost:{port}");
    let any = Connection { insecure_skip_verify: true, ..Connection::open(endpoint, false) };
    let client = patient_of(&any);
    let both = tokio::join!(async { client.get(&id()).await }, async { client.get(&id()).await });
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert!(seen.lock().unwrap().iter().all(|version| *version == http::Version::HTTP_2));
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_is_not_at_its_end() {
    let envelope = |message: &[u8]| [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\n";
    let streams = move |rest: Vec<u8>, length: Option<usize>| {
        Server::raw(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
            let _ = stream.write_all(format!("{head}{length}\r\n").as_bytes());
            let _ = stream.write_all(&rest);
            std::thread::sleep(Duration::from_millis(50));
        })
    };
    let last = |server: Server| async move {
        let mut updates = client(&server.url("http")).watch(&id()).await.unwrap();
        let mut last = None;
        while let Some(update) = updates.next().await {
            last = Some(update);
        }
        last.unwrap().unwrap_err()
    };
    for (rest, length) in [(envelope(b"")[..3].to_vec(), None), (envelope(b""), None), (envelope(b""), Some(1000))] {
        let error = last(streams(rest, length)).await;
        assert_eq!((error.code, error.delivery), (RpcCode::Unavailable, Delivery::Unanswered), "{error}");
        assert!(error.message.starts_with("the stream broke off after"), "{error}");
    }
    let mut end = envelope(br#"{"error":{"code":"not_found","message":"gone"}}"#);
    end[0] = 2;
    let error = last(streams(end, None)).await;
    assert_eq!((error.code, error.delivery, error.message.as_str()), (RpcCode::NotFound, Delivery::Answered, "gone"));
}
