//! Servers that do what they are told, one thread for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST /path HTTP/1.1`
    pub line: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn asks(&self, method: &str) -> bool {
        self.line.contains(&format!("/{method} "))
    }
}

pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// What listens until the test ends.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Does something with every connection.
    pub fn raw(work: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, move |stream, _| work(stream))
    }

    /// Answers every request with the bytes of an answer.
    pub fn http(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), move |stream, server| {
            talk(stream, server, &answer);
        })
    }

    /// The same, encrypted.
    pub fn https(certificate: &Certificate, answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let config = certificate.server();
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), move |stream, server| {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            talk(rustls::StreamOwned::new(session, stream), server, &answer);
        })
    }

    pub fn on(listener: TcpListener, work: impl Fn(TcpStream, &Self) + Send + Sync + 'static) -> Self {
        let server =
            Self { address: listener.local_addr().unwrap(), requests: Arc::default(), connections: Arc::default() };
        let (work, told) = (Arc::new(work), server.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                *told.connections.lock().unwrap() += 1;
                let (work, told) = (work.clone(), told.clone());
                std::thread::spawn(move || work(stream, &told));
            }
        });
        server
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn talk(mut stream: impl Stream, server: &Server, answer: &dyn Fn(&Request) -> Vec<u8>) {
    while let Some(request) = read_request(&mut stream) {
        server.requests.lock().unwrap().push(request.clone());
        if stream.write_all(&answer(&request)).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

pub fn read_request(stream: &mut impl Stream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut request = Request { line, headers, body: Vec::new() };
    if let Some(length) = request.header("content-length").and_then(|length| length.parse().ok()) {
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

/// An answer with a body and its length.
pub fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

pub fn proto(message: &impl buffa::Message) -> Vec<u8> {
    answer("200 OK", "content-type: application/proto\r\n", message.encode_to_vec())
}

pub fn rpc_error(status: &str, body: &str) -> Vec<u8> {
    answer(status, "content-type: application/json\r\n", body)
}

pub fn page(status: &str, body: &str) -> Vec<u8> {
    answer(status, "content-type: text/html; charset=utf-8\r\n", body)
}

/// Nothing more happens on a connection.
pub fn keep_silent<T>(stream: T) {
    std::thread::sleep(Duration::from_secs(60));
    drop(stream);
}

/// A certificate with its key, and the authority that signs it.
pub struct Certificate {
    pub authority: String,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: KeyPair,
}

impl Certificate {
    pub fn new(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of the tests");
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self { authority: authority.pem(), chain: vec![certificate.der().clone()], key }
    }

    pub fn server(&self) -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        Arc::new(config)
    }
}
