//! Text that others wrote, as it may be shown: what a terminal takes for a command is told by its number.

/// A text on one line, such as the name of a file.
pub fn printable(text: &str) -> String {
    escaped(text, is_command)
}

/// A text of many lines that may be in colours; all else that a terminal obeys is told.
pub fn printable_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, sequence) = rest.split_at(at);
        shown.push_str(&printable_part(before));
        let length = color(sequence);
        shown.push_str(if length == 0 { "\\u001b" } else { &sequence[..length] });
        rest = &sequence[length.max(1)..];
    }
    shown + &printable_part(rest)
}

fn printable_part(text: &str) -> String {
    escaped(text, |c| is_command(c) && !matches!(c, '\n' | '\t'))
}

/// As JSON has it, so that a document stays one.
fn escaped(text: &str, is_told: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if is_told(c) => shown.push_str("\\n"),
            '\r' if is_told(c) => shown.push_str("\\r"),
            '\t' if is_told(c) => shown.push_str("\\t"),
            c if is_told(c) => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Controls, line breaks, and what turns the direction of text.
pub fn is_command(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The bytes of a sequence that sets a colour, at the beginning.
fn color(sequence: &str) -> usize {
    let Some(parameters) = sequence.strip_prefix("\u{1b}[") else { return 0 };
    let length = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';')).unwrap_or(parameters.len());
    if parameters[length..].starts_with('m') { 2 + length + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_obey() {
        assert_eq!(
            printable("a\n::error::b\r\t\u{1b}[31m\u{9b}\u{202e}ü"),
            "a\\n::error::b\\r\\t\\u001b[31m\\u009b\\u202eü"
        );
        assert_eq!(printable_lines("a\n\tb\u{1b}[1;31mc\u{1b}[m"), "a\n\tb\u{1b}[1;31mc\u{1b}[m");
        assert_eq!(
            printable_lines("\u{1b}]0;t\u{7}\u{1b}[2J\u{1b}\r\u{1b}[3"),
            "\\u001b]0;t\\u0007\\u001b[2J\\u001b\\r\\u001b[3"
        );
    }
}
