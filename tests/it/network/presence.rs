//! Whether code is still stored: by the link of the control plane, and the first byte of what it leads to.

use flyte::port::ControlPlane as _;
use flyte_schema::flyteidl2::cluster::SelectClusterResponse;
use flyte_schema::flyteidl2::dataproxy::{CreateDownloadLinkResponse, PreSignedURLs};

use super::server::{Server, answer, keep_silent, page, proto, rpc_error};
use super::{client, id};

const ADDRESS: &str = "s3://bucket/shop/0123.tar.gz";

/// A control plane that links to a place in a store.
fn control_plane(link: String) -> Server {
    Server::http(move |request| {
        if request.asks("SelectCluster") {
            return proto(&SelectClusterResponse::default());
        }
        let urls = PreSignedURLs { signed_url: vec![link.clone()], ..Default::default() };
        proto(&CreateDownloadLinkResponse { pre_signed_urls: urls.into(), ..Default::default() })
    })
}

async fn asked(control_plane: &Server) -> Option<bool> {
    client(&control_plane.url("http")).has_bundle(&id(), ADDRESS).await
}

#[tokio::test]
async fn a_store_is_taken_at_its_word_and_at_no_other() {
    let check = async |answer: Vec<u8>, expected: Option<bool>| {
        let told = String::from_utf8_lossy(&answer).into_owned();
        let store = Server::http(move |_| answer.clone());
        let link = format!("{}/bucket/shop/0123.tar.gz?X-Amz-Signature=x", store.url("http"));
        assert_eq!(asked(&control_plane(link)).await, expected, "{told}");
        let request = store.requests().remove(0);
        assert_eq!(request.line, "GET /bucket/shop/0123.tar.gz?X-Amz-Signature=x HTTP/1.1");
        assert_eq!(request.header("range"), Some("bytes=0-0"));
        assert_eq!(request.header("authorization"), None);
    };
    check(answer("206 Partial Content", "", "P"), Some(true)).await;
    check(answer("200 OK", "", "PK"), Some(true)).await;
    check(answer("416 Range Not Satisfiable", "", ""), Some(true)).await;
    check(answer("404 Not Found", "content-type: application/xml\r\n", "<Code>NoSuchKey</Code>"), Some(false)).await;
    check(answer("404 Not Found", "", "there is no such file"), Some(false)).await;
    check(answer("410 Gone", "", ""), Some(false)).await;
    check(answer("400 Bad Request", "", "<Error><Code>NoSuchKey</Code></Error>"), Some(false)).await;
    check(page("404 Not Found", "no such host"), None).await;
    check(answer("403 Forbidden", "", "<Code>AccessDenied</Code>"), None).await;
    check(answer("307 Temporary Redirect", "location: http://127.0.0.1:1/\r\n", ""), None).await;
    check(answer("503 Slow Down", "", ""), None).await;
}

#[tokio::test]
async fn a_link_elsewhere_or_none_tells_nothing() {
    let store = Server::http(|_| answer("404 Not Found", "", ""));
    let elsewhere = control_plane(format!("{}/bucket/shop/4567.tar.gz", store.url("http")));
    assert_eq!(asked(&elsewhere).await, None);
    assert_eq!(asked(&control_plane(String::new())).await, None);
    let none = Server::http(|_| rpc_error("404 Not Found", "{\"code\": \"not_found\"}"));
    assert_eq!(asked(&none).await, None);
    assert!(store.requests().is_empty());
}

#[tokio::test]
async fn a_silent_store_is_not_waited_for_long() {
    let silent = Server::raw(keep_silent);
    let begun = std::time::Instant::now();
    assert_eq!(asked(&control_plane(format!("{}/bucket/shop/0123.tar.gz", silent.url("http")))).await, None);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
