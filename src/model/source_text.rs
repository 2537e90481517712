//! Lines of source code, configuration and the like, as they may be shown.

use super::inside::credentials_in;
use super::sensitive::{holds_credential, is_sensitive_name, looks_like_credential, placeholder_of_line};

/// Endings of files in which only what is quoted is a value; elsewhere (`DB_PASSWORD: abc`) whatever follows a name is.
const PROGRAMS: [&str; 16] =
    ["py", "pyi", "js", "mjs", "ts", "tsx", "jsx", "go", "rs", "java", "kt", "c", "h", "cpp", "rb", "md"];

/// The characters of a line that are looked at; the rest is not shown.
const MAX_LINE: usize = 2_000;

/// The lines of a text, with placeholders for what is called or looks like a credential. Each stands for the line of
/// `text.lines()` at its place.
pub fn concealed_lines(path: &str, text: &str, salt: &str) -> Vec<String> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_program = PROGRAMS.contains(&ending);
    let mut in_key = false;
    let conceal = |line: &str| {
        let begins = line.contains("-----BEGIN") && !line.contains("-----BEGIN CERTIFICATE");
        let ends = line.contains("-----END");
        let hide = in_key || begins;
        in_key = hide && !ends;
        if hide { placeholder_of_line(salt, line) } else { concealed(line, is_program, salt) }
    };
    text.lines().map(conceal).collect()
}

fn concealed(line: &str, is_program: bool, salt: &str) -> String {
    if let Some((end, _)) = line.char_indices().nth(MAX_LINE) {
        let more = line[end..].chars().count();
        return format!("{}… ({more} characters more)", concealed(&line[..end], is_program, salt));
    }
    let mut shown = String::with_capacity(line.len());
    // Whether the name before says that the next value is not for other eyes.
    let mut sensitive = false;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_word = is_word(first);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ')');
        let whole = if is_word { &rest[..rest.find(ends).unwrap_or(rest.len())] } else { "" };
        if looks_like_credential(whole) {
            shown.push_str(&placeholder_of_line(salt, whole));
            rest = &rest[whole.len()..];
            continue;
        }
        let is_quote = matches!(first, '"' | '\'' | '`');
        let quoted = is_quote.then(|| quoted(rest, first)).flatten();
        let length = match quoted {
            Some(length) => length,
            None if is_word => rest.find(|c| !self::is_word(c)).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let is_between = first.is_whitespace() || matches!(first, '=' | ':' | '>' | ']');
        if sensitive && quoted.is_none() && !is_between && (is_quote || !is_program) {
            // Without quotes, or with one that is not closed here, a value reaches to the end of its line.
            shown.push_str(&if is_value(rest) { placeholder_of_line(salt, rest) } else { rest.to_owned() });
            break;
        }
        let (token, after) = rest.split_at(length);
        let inner = if quoted.is_some() { &token[1..length - 1] } else { token };
        let is_name = after.trim_start().starts_with(['=', ':', ']', ',']) || after.trim_start().starts_with("=>");
        if !(is_word || quoted.is_some()) {
            shown.push_str(token);
            // A value stands behind `=`, `:` or `,` alone.
            sensitive &= first.is_whitespace() || matches!(first, '=' | ':' | ',' | ']' | '>' | '{' | '(' | '[');
        } else if quoted.is_some() && (holds_credential(inner) || sensitive && is_value(inner)) {
            let quote = &token[..1];
            shown.push_str(&format!("{quote}{}{quote}", placeholder_of_line(salt, inner)));
            sensitive = false;
        } else {
            shown.push_str(token);
            // Three quotes in a row begin with two.
            sensitive = if inner.is_empty() { sensitive } else { is_name && is_sensitive_name(inner) };
        }
        rest = after;
    }
    // Behind an option or a word such as `Bearer`; a program has these in quotes.
    for range in if is_program { Vec::new() } else { credentials_in(&shown) }.into_iter().rev() {
        let placeholder = placeholder_of_line(salt, &shown[range.clone()]);
        shown.replace_range(range, &placeholder);
    }
    shown
}

/// The bytes of a quoted text at the beginning, quotes included.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Credentials hold more than letters: a URL with a password is one word.
fn is_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | '$' | '%' | '!' | '~' | '^' | '&' | '*' | '#' | '?')
}

fn is_value(text: &str) -> bool {
    !text.is_empty() && !matches!(text, "true" | "false" | "null" | "None" | "nil")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, line: &str, hidden: &str) {
        let shown = concealed_lines(path, line, "shop").join("\n");
        assert!(!shown.contains(hidden) && shown.contains("(sensitive #"), "{line} is shown as {shown}");
    }

    #[test]
    fn credentials_are_not_shown() {
        check("a.py", "DB_PASSWORD = \"hunter2\"", "hunter2");
        check("a.py", "connect(password='hunter2', port=1)", "hunter2");
        check("a.py", "os.environ[\"API_TOKEN\"] = 'hunter2'", "hunter2");
        check("a.py", "os.environ.setdefault('API_TOKEN', 'hunter2')", "hunter2");
        check("a.py", "{\"api_key\": \"hunter2\"}", "hunter2");
        check("a.py", "url = \"postgres://app:hunter2@db/main\"", "hunter2");
        check("a.py", "x = f(\"ghp_0123456789abcdefghij\")", "ghp_0123456789");
        check("a.py", "PASSWORD = \"\"\"hunter2", "hunter2");
        check("a.py", &format!("PASSWORD = \"hunter2{}\"", "x".repeat(5_000)), "hunter2");
        check("config.yaml", "  password: hunter2", "hunter2");
        check("config.yaml", "password: my hunter2, (really) #1", "hunter2");
        check("config.yaml", "password: (hunter2)", "hunter2");
        check("config.yaml", "url: postgres://app:hunter2@db/main", "hunter2");
        check("settings.env", "API_TOKEN=hunter2", "hunter2");
        check("settings.env", "export API_TOKEN=hunter2", "hunter2");
        check("Dockerfile", "ENV DB_PASSWORD=hunter2", "hunter2");
        check("a.py", "PGPASSWORD = \"hunter2\"", "hunter2");
        check("a.py", "run(\"serve --token hunter2\")", "hunter2");
        check("a.py", "h = {\"X\": \"Bearer hunter234\"}", "hunter234");
        check("run.sh", "serve --token hunter2 --port 80", "hunter2");
        check("run.sh", "curl -H 'Authorization: Bearer hunter234' http://db", "hunter234");
        check("a.pem", "-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----", "hunter2");
    }

    #[test]
    fn other_lines_are_shown_as_they_are() {
        for line in [
            "def login(user: str, password: str) -> None:",
            "token = os.environ[\"TOKEN\"]",
            "run(f\"--token {token} --password=$PW\")",
            "print(\"hello\")  # it's 5 o'clock",
            "größer = 'ü' if x else \"→\"",
        ] {
            assert_eq!(concealed_lines("a.py", line, "shop"), [line]);
        }
        assert_eq!(concealed_lines("a.yaml", "level: info\nverbose: true", "s"), ["level: info", "verbose: true"]);
        let text = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nafter";
        assert_eq!(concealed_lines("a", text, "s")[3], "after");
    }
}
