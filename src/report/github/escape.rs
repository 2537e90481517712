//! Foreign text inside a page: it is shown, and means nothing.

use crate::diagnostic::is_command;

/// A text as code, to be used anywhere in a line: GitHub reads no markdown, mention or reference in it.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", entities(text))
}

/// An address as a link, where it is one and nothing else.
pub fn link(address: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/.-_~%?=&".contains(c);
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    if is_web && address.chars().all(is_plain) { format!("<{address}>") } else { code(address) }
}

/// A sentence of ours: what it holds in backticks is foreign, and code.
pub fn words(sentence: &str) -> String {
    let parts = sentence.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { code(part) } else { entities(part) }).collect()
}

/// Every character that markdown, HTML or a table may take for its own, as a reference to it.
fn entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match harmless(c) {
            // Not the one of an address, which would become a link.
            ':' if rest.peek() != Some(&'/') => escaped.push(':'),
            c if c.is_alphanumeric() || " .,/-;()=+?→…".contains(c) => {
                escaped.push(c);
            }
            '\u{200b}' => {}
            c => escaped.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    escaped
}

/// Control characters, line breaks and what turns the direction of text, as a mark.
fn harmless(c: char) -> char {
    if is_command(c) && c != '\t' { '\u{fffd}' } else { c }
}

/// A line inside a fence.
pub fn fenced_line(line: &str) -> String {
    no_command(&line.chars().map(harmless).collect::<String>())
}

/// A line in which a runner finds no command of a workflow: what it would take for one is broken up.
pub fn no_command(line: &str) -> String {
    let line = line.replace("##[", "##\u{200b}[");
    match line.trim_start().starts_with("::") {
        true => line.replacen("::", ":\u{200b}:", 1),
        false => line,
    }
}

/// Lines between fences that none of them can close.
pub fn fence(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn longest_run(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_means_nothing() {
        assert_eq!(code("a|b`c</code>@d #1"), "<code>a&#124;b&#96;c&#60;/code&#62;&#64;d &#35;1</code>");
        assert_eq!(words("adopted from the manifest `x*y`"), "adopted from the manifest <code>x&#42;y</code>");
        assert_eq!(code("http://a:1 b::c"), "<code>http&#58;//a:1 b::c</code>");
        assert_eq!(link("http://a:1/x"), "<http://a:1/x>");
        assert_eq!(link("http://a|b"), "<code>http&#58;//a&#124;b</code>");
        assert_eq!(code("a\nb\u{202e}"), "<code>a&#65533;b&#65533;</code>");
    }

    #[test]
    fn no_line_leaves_its_fence() {
        let text = fence("diff", &["+ ````".to_owned(), "- x".to_owned()]);
        assert_eq!(text, "`````diff\n+ ````\n- x\n`````\n");
        assert_eq!(fenced_line("  ::error::x"), "  :\u{200b}:error::x");
        assert_eq!(fenced_line("a ##[error]x\r"), "a ##\u{200b}[error]x\u{fffd}");
    }
}
