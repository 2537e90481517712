//! The arguments of an app behind `fserve`, which joins them with blanks and hands the line to `/bin/sh`; an argument
//! that begins with `$` it replaces by the variable of that name before. Source: the published SDK.

/// What the line means.
#[derive(Debug, PartialEq, Eq)]
pub enum Arguments {
    /// What the program receives. `$NAME` alone is the value of that variable.
    Words(Vec<String>),
    /// The shell finds more than words in it: variables, operators, an assignment in front.
    Line(String),
    /// `fserve` looks for a variable that cannot be, and does not start.
    Broken(String),
}

/// Words that begin something where a command is expected. Source: POSIX.
const RESERVED: [&str; 16] =
    ["!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while"];

/// What these arguments come to.
pub fn read(sent: &[&str]) -> Arguments {
    let mut words: Vec<String> = Vec::new();
    let mut only_words = true;
    for argument in sent {
        if is_variable(argument) {
            words.push((*argument).to_owned());
        } else if argument.starts_with('$') {
            return Arguments::Broken(sent.join(" "));
        } else {
            match split(argument, words.is_empty()) {
                // A text that looks like a variable has no words in which it would arrive as a text.
                Some(inner) if !inner.iter().any(|word| is_variable(word)) => words.extend(inner),
                _ => only_words = false,
            }
        }
    }
    if only_words { Arguments::Words(words) } else { Arguments::Line(sent.join(" ")) }
}

/// Words such that each arrives whole. `None`: there is a NUL in one, which no program can be given.
pub fn sent(words: &[String]) -> Option<Vec<String>> {
    words.iter().enumerate().map(|(at, word)| quoted(word, at == 0)).collect()
}

/// The arguments that do not arrive as they are written, where all that arrives is words: which, and what would arrive.
/// What is one word in quotes is meant as it arrives; so is a line in the place of the program.
pub fn altered(arguments: &[&str]) -> Vec<(usize, String)> {
    let whole = |(at, argument): (usize, &&str)| {
        let words = if is_variable(argument) { return None } else { split(argument, at == 0)? };
        let is_meant = |word: &String| {
            word == argument || format!("\"{word}\"") == *argument || quoted(word, at == 0).as_deref() == Some(argument)
        };
        let is_whole = match words.as_slice() {
            [word] => is_meant(word),
            words => at == 0 && !words.is_empty(),
        };
        if is_whole { None } else { Some((at, quoted(argument, at == 0)?)) }
    };
    arguments.iter().enumerate().filter_map(whole).collect()
}

/// One spelling for all arguments that mean the same. `None` where they mean nothing.
pub fn alike(arguments: &[&str]) -> Option<Vec<String>> {
    match read(arguments) {
        Arguments::Words(words) => sent(&words),
        Arguments::Line(line) => sent(&through_shell(line)),
        Arguments::Broken(_) => None,
    }
}

/// A line as words.
pub fn through_shell(line: String) -> Vec<String> {
    vec!["sh".to_owned(), "-c".to_owned(), line]
}

/// Quotes only where a shell would not leave the word alone.
fn quoted(word: &str, is_first: bool) -> Option<String> {
    let arrives = || split(word, is_first).is_some_and(|words| words == [word]);
    match word {
        _ if word.contains('\0') => None,
        _ if is_variable(word) || arrives() => Some(word.to_owned()),
        _ if !word.contains('\'') => Some(format!("'{word}'")),
        _ if !word.contains(['"', '$', '`', '\\']) => Some(format!("\"{word}\"")),
        _ => Some(format!("'{}'", word.replace('\'', "'\"'\"'"))),
    }
}

fn is_variable(word: &str) -> bool {
    word.strip_prefix('$').is_some_and(|name| !name.is_empty() && name_length(name) == name.len())
}

/// How much of a text, from its beginning, is the name of a variable.
fn name_length(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { text.find(|c| !is_part(c)).unwrap_or(text.len()) }
}

/// The words of a text as a shell splits it. `None` where it finds more than words, or an end that is none.
/// `is_first`: the command is expected, before which variables are set.
fn split(text: &str, is_first: bool) -> Option<Vec<String>> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let start = text.trim_start_matches(BLANKS);
    let name = name_length(start);
    let assigns = name > 0 && (start[name..].starts_with('=') || start[name..].starts_with("+="));
    let begins = RESERVED.contains(&start.split(BLANKS).next().unwrap_or_default());
    if is_first && (assigns || begins) {
        return None;
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => quotation(&mut characters, word.get_or_insert_default())?,
            '"' => double_quotation(&mut characters, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(characters.next().filter(|c| *c != '\n')?),
            '#' if word.is_none() => return None,
            '$' | '`' | ';' | '|' | '&' | '<' | '>' | '*' | '?' | '[' | '(' | ')' | '{' | '~' | '\n' => return None,
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

/// Up to the closing quote.
fn quotation(characters: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match characters.next()? {
            '\'' => return Some(()),
            c => word.push(c),
        }
    }
}

/// The same, where nothing in it is replaced.
fn double_quotation(characters: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match characters.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match characters.next()? {
                c @ ('$' | '`' | '"' | '\\') => word.push(c),
                '\n' => {}
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn arguments_are_what_the_shell_makes_of_them() {
        let check = |sent: &[&str], expected: &[&str]| {
            assert_eq!(read(sent), Arguments::Words(owned(expected)), "{sent:?}");
        };
        check(&["python", "a.py"], &["python", "a.py"]);
        check(&["python a.py", "--name", "'a b'"], &["python", "a.py", "--name", "a b"]);
        check(&["$PORT", "\"a;b\"", "''", ""], &["$PORT", "a;b", ""]);
        check(&["x", "FOO=1", "--port=8080", "if", "a#b", "a\\ b"], &["x", "FOO=1", "--port=8080", "if", "a#b", "a b"]);
        check(&["'FOO=1'", "x"], &["FOO=1", "x"]);
        let line = |sent: &[&str]| assert_eq!(read(sent), Arguments::Line(sent.join(" ")), "{sent:?}");
        line(&["serve", "--port=$PORT"]);
        line(&["a", "&&", "b"]);
        line(&["echo", "\"$X\""]);
        line(&["echo", "it's"]);
        line(&["FOO=1", "python", "x.py"]);
        line(&["", "FOO='a b' python x.py"]);
        line(&["if", "true;", "then", "x;", "fi"]);
        line(&["echo", "'$HOME'"]);
        line(&["echo", "\\$HOME"]);
        assert_eq!(read(&["x", "$PORT/y"]), Arguments::Broken("x $PORT/y".to_owned()));
    }

    #[test]
    fn what_does_not_arrive_as_it_is_written() {
        let check = |sent: &[&str], expected: &[(usize, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(at, whole)| (*at, (*whole).to_owned())).collect();
            assert_eq!(altered(sent), expected, "{sent:?}");
        };
        check(&["x", "--title", "my  model", "--filter", ""], &[(2, "'my  model'"), (4, "''")]);
        check(&["python x.py", "'a b'", "\"c d\"", "\"it's\"", "''", "$PORT", "--port=8080"], &[]);
        check(&["x", "\"a\":1", "a\\b"], &[(1, "'\"a\":1'"), (2, "'a\\b'")]);
    }

    #[test]
    fn only_what_a_shell_touches_is_quoted() {
        let check = |words: &[&str], expected: &str| assert_eq!(sent(&owned(words)).unwrap().join(" "), expected);
        check(
            &["python", "-m", "a.b:c", "--port=8080", "a,b", "5%", "^", "a+b@c"],
            "python -m a.b:c --port=8080 a,b 5% ^ a+b@c",
        );
        check(&["FOO=1", "FOO=1"], "'FOO=1' FOO=1");
        check(&["if", "if"], "'if' if");
        check(&["$PORT", "$PORT/x", "a b", "", "it's", "'\"$"], "$PORT '$PORT/x' 'a b' '' \"it's\" ''\"'\"'\"$'");
        assert_eq!(sent(&owned(&["a\0b"])), None);
    }

    proptest! {
        #[test]
        fn what_is_sent_arrives(words in prop::collection::vec("[a-c=$'\"\\\\ \t\n#~*!{};é_1-]{0,6}", 0..4)) {
            let line = sent(&words).unwrap();
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            prop_assert_eq!(read(&line), Arguments::Words(words));
            let spelled = alike(&line).unwrap();
            prop_assert_eq!(spelled, line);
        }

        #[test]
        fn a_shell_reads_the_same(words in prop::collection::vec("[a-c=$'\"\\\\ \t\n#~*!{};é_1,%^+@:-]{0,6}", 0..4)) {
            prop_assume!(!words.iter().any(|word| is_variable(word)));
            let line = format!("printf '%s\\0' x {}", sent(&[&["x".to_owned()][..], &words].concat()).unwrap()[1..].join(" "));
            let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
            let expected: String = std::iter::once("x").chain(words.iter().map(String::as_str)).map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        }
    }
}
