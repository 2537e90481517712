//! Lists that come page by page.

use std::collections::BTreeSet;

use crate::port::{RpcCode, RpcError};

/// The most pages of one list. With a hundred on each that is a million things.
const MOST: usize = 10_000;

/// The tokens of the pages so far: a list in which one comes again has no end.
pub struct Pages {
    method: &'static str,
    seen: BTreeSet<String>,
}

impl Pages {
    pub fn of(method: &'static str) -> Self {
        Self { method, seen: BTreeSet::new() }
    }

    /// The token of the next page, given the one that the last page named. `None`: that was the last.
    ///
    /// # Errors
    /// The server goes in a circle, or on for too long.
    pub fn next(&mut self, token: String) -> Result<Option<String>, RpcError> {
        let endless = |message: String| Err(RpcError::answered(self.method, RpcCode::Internal, message));
        if token.is_empty() {
            return Ok(None);
        }
        if self.seen.len() >= MOST {
            return endless(format!("the server's list has no end: {MOST} pages have come"));
        }
        if !self.seen.insert(token.clone()) {
            return endless("the server's list has no end: it names the same page again".to_owned());
        }
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_an_end() {
        let mut pages = Pages::of("A/List");
        let mut next = |token: &str| pages.next(token.to_owned()).map_err(|error| error.message);
        assert_eq!(next("a"), Ok(Some("a".to_owned())));
        assert_eq!(next("b"), Ok(Some("b".to_owned())));
        assert_eq!(next("a"), Err("the server's list has no end: it names the same page again".to_owned()));
        assert_eq!(next(""), Ok(None));
        let mut pages = Pages::of("A/List");
        let last = (0..=MOST).map(|n| pages.next(n.to_string())).last().unwrap();
        assert_eq!(last.unwrap_err().message, "the server's list has no end: 10000 pages have come");
    }
}
