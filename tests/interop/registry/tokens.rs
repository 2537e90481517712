//! A server that gives tokens for a registry, signed as the registry checks them (JWT with ES256).

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};

use super::bed::{PASSWORD, USER};
use crate::answers;

pub struct TokenServer {
    server: answers::Server,
    issuer: Arc<Issuer>,
    /// PEM, for the registry.
    pub certificate: String,
}

struct Issuer {
    key: KeyPair,
    certificate: Vec<u8>,
    handed_out: Mutex<Vec<String>>,
}

impl TokenServer {
    pub fn start() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["tokens".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let der = certificate.der().to_vec();
        let issuer = Arc::new(Issuer { key, certificate: der, handed_out: Mutex::default() });
        let told = issuer.clone();
        let server = answers::Server::http(move |request| answer(request, &told));
        Self { server, issuer, certificate: certificate.pem() }
    }

    pub fn realm(&self) -> String {
        format!("{}/token", self.server.url("http"))
    }

    /// A token for everything in `acme/web`.
    pub fn for_all(&self) -> String {
        self.issuer.token(&json!([{ "type": "repository", "name": "acme/web", "actions": ["pull", "push", "delete"] }]))
    }

    pub fn handed_out(&self) -> Vec<String> {
        self.issuer.handed_out.lock().expect("no thread panics").clone()
    }
}

impl Issuer {
    fn token(&self, access: &Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(&self.certificate)] });
        let claims = json!({
            "iss": "x", "aud": "x", "sub": USER, "jti": "1",
            "iat": now - 60, "nbf": now - 60, "exp": now + 600, "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(flat(&signature)));
        self.handed_out.lock().expect("no thread panics").push(token.clone());
        token
    }
}

/// Both numbers of an ECDSA signature, 32 bytes each, of their DER form.
fn flat(der: &[u8]) -> Vec<u8> {
    let mut flat = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let (number, after) = rest[2..].split_at(length);
        let number = &number[number.len().saturating_sub(32)..];
        flat.extend(vec![0; 32 - number.len()]);
        flat.extend(number);
        rest = after;
    }
    flat
}

/// A token to read `acme/web` for whoever has the password, and one for nothing to others.
fn answer(request: &answers::Request, issuer: &Issuer) -> Vec<u8> {
    let proof = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let asks = request.line.starts_with("GET /token?service=x&scope=repository%3Aacme%2Fweb%3Apull ");
    let access = match request.header("authorization") == Some(&proof) && asks {
        true => json!([{ "type": "repository", "name": "acme/web", "actions": ["pull"] }]),
        false => json!([]),
    };
    answers::answer("200 OK", "", json!({ "token": issuer.token(&access) }).to_string())
}
