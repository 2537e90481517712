//! Bodies that may be longer than they should.

/// The whole body. `None` where it is longer, or breaks off.
pub async fn read_at_most(mut response: reqwest::Response, bytes: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if text.len() + chunk.len() > bytes {
            return None;
        }
        text.extend_from_slice(&chunk);
    }
    Some(text)
}
