//! The listener on this machine to which a log-in page sends the browser back.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oauth2::{AuthorizationCode, CsrfToken};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use url::Url;

use super::error::{AuthError, Said, plain};

/// A listener that is open, and the address under which a browser finds it.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    pub redirect: Url,
}

impl Listener {
    /// Opens what a redirect address names, on this machine. An address without a port gets one.
    ///
    /// # Errors
    /// [`AuthError::Unusable`] for an address elsewhere, [`AuthError::PortInUse`], [`AuthError::Listen`]
    pub async fn open(endpoint: &str, redirect: &str) -> Result<Self, AuthError> {
        let unusable = || AuthError::Unusable {
            endpoint: endpoint.to_owned(),
            what: "redirect address of log-ins",
            value: plain(redirect),
        };
        let mut redirect = Url::parse(redirect).map_err(|_| unusable())?;
        let hosts: &[std::net::IpAddr] = match redirect.host_str() {
            _ if redirect.scheme() != "http" => return Err(unusable()),
            Some("localhost") => {
                &[std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), std::net::IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Some("127.0.0.1") => &[std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)],
            Some("[::1]") => &[std::net::IpAddr::V6(Ipv6Addr::LOCALHOST)],
            _ => return Err(unusable()),
        };
        let mut port = redirect.port().unwrap_or(0);
        let mut sockets: Vec<TcpListener> = Vec::new();
        for host in hosts {
            match TcpListener::bind(SocketAddr::new(*host, port)).await {
                Ok(socket) => {
                    port = socket.local_addr().map_err(AuthError::Listen)?.port();
                    sockets.push(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(AuthError::PortInUse(port)),
                // A machine may know only one of the two protocols.
                Err(_) if !sockets.is_empty() || hosts.len() > 1 && host.is_ipv4() => {}
                Err(error) => return Err(AuthError::Listen(error)),
            }
        }
        if redirect.set_port(Some(port)).is_err() {
            return Err(unusable());
        }
        Ok(Self { sockets, redirect })
    }

    /// Waits for the browser to come back from the log-in of this state. Whatever else asks here is answered and
    /// forgotten.
    ///
    /// # Errors
    /// [`AuthError::Denied`] as the log-in page says, [`AuthError::StateMismatch`]
    pub async fn code(self, state: CsrfToken) -> Result<AuthorizationCode, AuthError> {
        let (sender, mut receiver) = mpsc::channel(1);
        let path: Arc<str> = self.redirect.path().into();
        let state = Arc::new(state);
        let mut accepting = JoinSet::new();
        for socket in self.sockets {
            let (sender, path, state) = (sender.clone(), path.clone(), state.clone());
            accepting.spawn(async move {
                while let Ok((stream, _)) = socket.accept().await {
                    let (sender, path, state) = (sender.clone(), path.clone(), state.clone());
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (told, page) = answer(&request, &path, &state);
                        let sender = sender.clone();
                        async move {
                            if let Some(told) = told {
                                // A second answer finds nobody.
                                let _ = sender.try_send(told);
                            }
                            Ok::<_, Infallible>(page)
                        }
                    });
                    // On its own: a browser opens connections that it does not use, and the page must still go out when
                    // nobody accepts any more.
                    tokio::spawn(
                        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service),
                    );
                }
            });
        }
        drop(sender);
        receiver.recv().await.unwrap_or_else(|| Err(AuthError::Listen(io::Error::other("it was closed"))))
    }
}

type Told = Option<Result<AuthorizationCode, AuthError>>;

fn answer(request: &Request<Incoming>, path: &str, state: &CsrfToken) -> (Told, Response<Full<Bytes>>) {
    if request.uri().path() != path || request.method() != Method::GET {
        return (None, page(StatusCode::NOT_FOUND, "Nothing is here", "This is a log-in of flyte that waits."));
    }
    let told = read(request.uri().query().unwrap_or_default(), state);
    let page = match &told {
        None => page(StatusCode::BAD_REQUEST, "No log-in is here", "This is a log-in of flyte that waits."),
        Some(Ok(_)) => page(StatusCode::OK, "You have logged in", "You may close this page and go back to flyte."),
        Some(Err(_)) => {
            page(StatusCode::BAD_REQUEST, "The log-in has failed", "You may close this page: flyte tells why.")
        }
    };
    (told, page)
}

/// What the browser brings. `None` where it is nothing of a log-in.
fn read(query: &str, state: &CsrfToken) -> Told {
    let parameters: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let of = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_ours = of("state").is_some_and(|found| found == state.secret());
    match (of("code"), of("error")) {
        // Some servers leave the state out of their errors.
        (_, Some(code)) if is_ours || of("state").is_none() => {
            let said = Said::new(of("error_description").unwrap_or_default());
            Some(Err(AuthError::Denied { code: plain(code), said }))
        }
        (Some(code), None) if is_ours => Some(Ok(AuthorizationCode::new(code.to_owned()))),
        (Some(_), _) | (_, Some(_)) => Some(Err(AuthError::StateMismatch)),
        (None, None) => None,
    }
}

/// A page that loads nothing and tells no other page where it was.
fn page(status: StatusCode, title: &str, text: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>flyte</title>\
         <body style=\"font-family: sans-serif; margin: 4em\"><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ] {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(port: u16, line: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// What comes of a log-in whose browser asks these things one after the other, and the last page it sees.
    async fn check(questions: &[&str]) -> (Result<String, String>, String) {
        let listener = Listener::open("h", "http://localhost/callback").await.unwrap();
        let port = listener.redirect.port().unwrap();
        // A connection that is never used, as browsers open them.
        let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let waiting = tokio::spawn(listener.code(CsrfToken::new("s1".to_owned())));
        let mut last = String::new();
        for question in questions {
            last = ask(port, question).await;
        }
        let told = waiting.await.unwrap();
        (told.map(|code| code.secret().clone()).map_err(|error| error.to_string()), last)
    }

    #[tokio::test]
    async fn a_code_is_taken_after_stray_requests() {
        let stray = ["GET /favicon.ico", "GET /callback", "POST /callback?code=x&state=s1"];
        let (code, page) = check(&[&stray[..], &["GET /callback?state=s1&code=a%2Fb"]].concat()).await;
        assert_eq!(code, Ok("a/b".to_owned()));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("You may close this page"), "{page}");
    }

    #[tokio::test]
    async fn errors_of_the_page_are_reported() {
        let (told, page) =
            check(&["GET /callback?state=s1&error=access_denied&error_description=not+%1b[31mtoday"]).await;
        assert_eq!(told, Err("the log-in was refused: access_denied: not [31mtoday".to_owned()));
        assert!(page.starts_with("HTTP/1.1 400") && !page.contains("today"), "{page}");
        let (told, _) = check(&["GET /callback?error=server_error"]).await;
        assert_eq!(told, Err("the log-in was refused: server_error".to_owned()));
    }

    #[tokio::test]
    async fn another_state_ends_it() {
        for question in ["GET /callback?state=s2&code=c", "GET /callback?code=c", "GET /callback?state=s2&error=e"] {
            let (told, _) = check(&[question]).await;
            assert_eq!(told, Err(AuthError::StateMismatch.to_string()), "{question}");
        }
    }

    #[tokio::test]
    async fn only_addresses_of_this_machine_are_opened() {
        for elsewhere in ["https://localhost:1/", "http://example.com/callback", "callback", "http://10.0.0.1:5/"] {
            let told = Listener::open("h", elsewhere).await.unwrap_err();
            assert!(matches!(told, AuthError::Unusable { .. }), "{elsewhere}: {told}");
        }
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let told = Listener::open("h", &format!("http://localhost:{port}/callback")).await.unwrap_err();
        assert!(matches!(told, AuthError::PortInUse(found) if found == port), "{told}");
    }
}
