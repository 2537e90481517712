//! A page of a bounded size.

/// The greatest size of a page. A comment has at most 65,536 characters; the rest is for what a workflow puts around it.
pub const LIMIT: usize = 65_000;

/// The size of a text as GitHub may count it: UTF-16 code units. A comment is refused above 262,144 bytes and the body of
/// a pull request above 65,536 code points; a text of so many code units is below either, whatever is in it.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Text that never grows beyond its limit.
#[derive(Debug)]
pub struct Page {
    text: String,
    used: usize,
}

impl Page {
    pub fn new() -> Self {
        Self { text: String::new(), used: 0 }
    }

    /// Adds a part if it fits and leaves `reserve` units; answers whether it did.
    pub fn push(&mut self, part: &str, reserve: usize) -> bool {
        let size = units(part);
        let fits = self.used + size + reserve <= LIMIT;
        if fits {
            self.text.push_str(part);
            self.used += size;
        }
        fits
    }

    pub fn used(&self) -> usize {
        self.used
    }

    pub fn into_text(self) -> String {
        self.text
    }
}

/// The beginning of a text, and how much more there is.
pub fn clip(text: &str, most: usize) -> String {
    if units(text) <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.len_utf16();
        used <= most
    };
    let kept: String = text.chars().take_while(fits).collect();
    let more = text.chars().count() - kept.chars().count();
    format!("{kept}… ({more} characters more)")
}

/// Names in so many units, and the number of the others: `a, b and 3 more`.
pub fn names<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    let mut text = String::new();
    for (at, name) in all.iter().enumerate() {
        if units(&text) + units(name) + 2 > most {
            return format!("{text} and {} more", all.len() - at);
        }
        if at > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counted_as_github_may() {
        assert_eq!([units("a"), units("日"), units("🔴")], [1, 1, 2]);
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("🔴🔴🔴", 5), "🔴🔴… (1 characters more)");
        assert_eq!(names(["aa", "bb", "cc"], 9), "aa, bb and 1 more");
        assert_eq!(names(["aa", "bb"], 100), "aa, bb");
        let mut page = Page::new();
        assert!(!page.push(&"x".repeat(LIMIT), 1) && page.push(&"x".repeat(LIMIT), 0));
    }
}
