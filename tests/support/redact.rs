//! What differs from run to run or from machine to machine, replaced by its kind.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// In order; the first ones may make what the later ones would match.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b(127\.0\.0\.1|localhost):\d+", "$1:[port]"),
        (r"\b(port |PORT=)\d{4,5}\b", "${1}[port]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?", "[time]"),
        (r"\brequest [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "request [id]"),
        (r"\bprocess( +)\d+", "process$1[pid]"),
        (r#""pid": \d+"#, r#""pid": [pid]"#),
        (r"\blast seen: .*", "last seen: [status]"),
        (r"(-\d{5})-[0-9a-f]{5}\b", "$1-[replica]"),
        (r"\(os error \d+\)", "(os error [number])"),
        // Told only where it was long enough to notice.
        (r" The longest wait was [^\n]*\.", ""),
        (r"\b\d+(\.\d+)? ?(ms|s)\b", "[duration]"),
    ]
    .into_iter()
    .map(|(pattern, kind)| (Regex::new(pattern).unwrap(), kind))
    .collect()
});

static DIGEST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{12,64}\b").unwrap());

/// The texts of one case: the same digest has the same name in all of them.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Paths and other texts that are known beforehand, with their names.
    known: Vec<(String, String)>,
    /// The first digits of each digest so far.
    digests: Vec<String>,
}

impl Redactor {
    pub fn know(&mut self, text: impl Into<String>, name: &str) {
        self.known.push((text.into(), name.to_owned()));
    }

    /// For texts whose order is not that of the program: digests have no name in them.
    pub fn redact_request(&self, line: &str) -> String {
        DIGEST.replace_all(line, "[digest]").into_owned()
    }

    pub fn redact(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (known, name) in &self.known {
            text = text.replace(known, name);
        }
        for (pattern, kind) in RULES.iter() {
            text = pattern.replace_all(&text, *kind).into_owned();
        }
        let digests = &mut self.digests;
        let name = |found: &Captures<'_>| {
            let short = &found[0][..12];
            let at = digests.iter().position(|known| known == short).unwrap_or_else(|| {
                digests.push(short.to_owned());
                digests.len() - 1
            });
            // As wide as a short one, so that tables stay straight.
            format!("[digest-{:03}]", at + 1)
        };
        DIGEST.replace_all(&text, name).into_owned()
    }
}
