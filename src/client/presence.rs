//! Whether a file is still where a signed address leads. The address opens the store, and is told nowhere.

use http::header::{CONTENT_TYPE, HeaderValue, RANGE};
use http::{StatusCode, Uri};

use super::answer::{Told, shown};
use super::network::Network;
use super::store;

/// Asks for the first byte. `None`: the store gives no answer that says it, such as one that hides what is missing from
/// those who may not list it.
pub async fn is_there(network: &Network, url: &str) -> Option<bool> {
    let address = store::address(url).ok()?;
    let first = HeaderValue::from_static("bytes=0-0");
    let response = network.to(&address).get(url).header(RANGE, first).send().await.ok()?;
    let status = response.status();
    tracing::debug!(from = shown(&address), status = status.as_u16(), "presence of a bundle");
    match status {
        // The last is the answer for an empty file.
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Some(true),
        StatusCode::GONE => Some(false),
        // A page is of something in front of the store, which has not been asked.
        StatusCode::NOT_FOUND => (!is_page(&response)).then_some(false),
        _ => {
            let (parts, body) = http::Response::from(response).into_parts();
            let told = Told::read(&parts, body, network.timeouts.read).await;
            String::from_utf8_lossy(&told.text).contains("<Code>NoSuchKey</Code>").then_some(false)
        }
    }
}

fn is_page(response: &reqwest::Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Whether a signed address is one of the file at an address such as `s3://bucket/shop/code.tar.gz`: its path ends in
/// that one's.
pub fn leads_to(url: &str, address: &str) -> bool {
    let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    let Some(path) = path.filter(|path| !path.is_empty()) else { return false };
    let Ok(url) = url.parse::<Uri>() else { return false };
    decoded(url.path()).ends_with(format!("/{path}").as_bytes())
}

/// A path with what was escaped in it.
fn decoded(path: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| (*byte? as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (bytes, mut plain, mut at) = (path.as_bytes(), Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high << 4 | low);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_the_end_of_its_path() {
        let check = |url: &str, address: &str, expected: bool| {
            assert_eq!(leads_to(url, address), expected, "{url} {address}");
        };
        let address = "s3://bucket/shop/dev/AB=/0123.tar.gz";
        check("https://bucket.s3.amazonaws.com/shop/dev/AB%3D/0123.tar.gz?X-Amz-Signature=x", address, true);
        check("http://minio:9000/bucket/shop/dev/AB=/0123.tar.gz?x", address, true);
        check("http://minio:9000/bucket/shop/dev/AB=/4567.tar.gz?x", address, false);
        check("http://minio:9000/bucket/0123.tar.gz?shop/dev/AB=/0123.tar.gz", address, false);
        check("http://127.0.0.1:80/bundles/p/d/r/a.tar.gz?signature=x", "flyte://bundles/p/d/r/a.tar.gz", true);
        check("https://account.blob.core.windows.net/box/a/%zz.gz", "abfs://box@account/a/%zz.gz", true);
        check("http://minio/bucket/", "s3://bucket/", false);
        check("http://minio/bucket", "s3://bucket", false);
        check("no address", address, false);
    }
}
