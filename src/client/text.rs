//! What others wrote, made fit to be shown: bounded, on one line, without control characters.

/// The first characters of a text, as [`cut`]; one that is cut ends with how long it is.
pub fn clean(text: &str, characters: usize) -> String {
    let shown = cut(text, characters);
    if shown.ends_with('…') && !text.ends_with('…') {
        format!("{shown} ({} bytes in all)", text.len())
    } else {
        shown
    }
}

/// The first characters of a text, blanks and control characters made into single spaces. A text that is cut ends with
/// `…`.
pub fn cut(text: &str, characters: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    let mut blank = false;
    for character in text.chars() {
        if is_invisible(character) {
            blank = !shown.is_empty();
            continue;
        }
        if count >= characters {
            return shown + "…";
        }
        if std::mem::take(&mut blank) {
            shown.push(' ');
            count += 1;
        }
        shown.push(character);
        count += 1;
    }
    shown
}

/// Blanks, controls, and what changes the direction of a line.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a page says at its beginning: the title of HTML, `Code` and `Message` of a store's XML, else the first
/// characters. Queries of addresses are taken out: they may be signed.
pub fn excerpt(text: &str, characters: usize) -> String {
    let between = |tag: &str| {
        let start = text.find(&format!("<{tag}>"))? + tag.len() + 2;
        let end = start + text[start..].find(&format!("</{tag}>"))?;
        Some(&text[start..end])
    };
    let chosen = match (between("title"), between("Code"), between("Message")) {
        (Some(title), ..) => title.to_owned(),
        (_, Some(code), Some(message)) => format!("{code}: {message}"),
        (_, Some(code), None) => code.to_owned(),
        _ if text.trim_start().starts_with('<') => String::new(),
        _ => text.chars().take(characters * 4).collect(),
    };
    cut(&without_queries(&chosen), characters)
}

/// `/path?…` in place of paths and addresses with a query: of a whole address any, elsewhere what sets something.
fn without_queries(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let mut shown = String::new();
    for word in text.split_inclusive(is_end) {
        let (word, end) = word.split_at(word.trim_end_matches(is_end).len());
        match word.split_once('?') {
            Some((before, query)) if before.contains("://") || query.contains(['=', '&', '%']) => {
                shown.push_str(before);
                shown.push_str("?…");
            }
            _ => shown.push_str(word),
        }
        shown.push_str(end);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_visible() {
        let check = |text: &str, expected: &str| assert_eq!(clean(text, 10), expected, "{text:?}");
        check("a\u{1b}[31mb\r\n\tc", "a [31mb c");
        check("  around  ", "around");
        check("\u{202e}abc", "abc");
        check("0123456789", "0123456789");
        check("0123456789äb", "0123456789… (13 bytes in all)");
        check("", "");
    }

    #[test]
    fn pages_are_told_by_what_they_say() {
        let check = |text: &str, expected: &str| assert_eq!(excerpt(text, 60), expected, "{text:?}");
        check("<html><head><title>502 Bad\nGateway</title></head>", "502 Bad Gateway");
        check(
            "<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>\
             <StringToSign>secret</StringToSign></Error>",
            "SignatureDoesNotMatch: no",
        );
        check("<html><body>form</body>", "");
        check("see https://a/b?X-Amz-Signature=1 or 'http://c?d'", "see https://a/b?… or 'http://c?…'");
        check("https://a/b", "https://a/b");
        check("GET /b/k?X-Amz-Signature=1&a=2 failed", "GET /b/k?… failed");
        check("no 'k?sig%3Dcanary' here", "no 'k?…' here");
        check("what? is it so? no=1", "what? is it so? no=1");
    }
}
