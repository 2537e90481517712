//! Codes are a public promise: stable, listed here, each explained on one page by `flyte explain CODE`.

use std::fmt;

use serde::Serialize;

/// A stable name of one kind of finding, such as `manifest::unknown_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The page behind a code.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// What it means, why it is refused, how it is mended, with an example.
    pub text: &'static str,
}

/// Every page, in the order of codes.
pub static PAGES: &[Page] = &[];

/// The page of a code, given with or without the leading `flyte::`.
pub fn page(code: &str) -> Option<&'static Page> {
    let code = code.strip_prefix("flyte::").unwrap_or(code);
    PAGES.iter().find(|page| page.code.0 == code)
}
