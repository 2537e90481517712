//! The command of `fserve` taken apart, and its arguments as a manifest writes them.

use super::STARTER;

/// The options of `fserve` that say something about the app.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Starter<'a> {
    pub parameters: Option<&'a str>,
    /// `module:attribute`
    pub python: Option<&'a str>,
}

/// `None` for a command that is not that of the starter, or has more in it than flyte writes.
pub fn starter<'a>(command: &[&'a str]) -> Option<Starter<'a>> {
    let mut words = command.iter().copied();
    if words.next() != Some(STARTER) {
        return None;
    }
    let mut found = Starter::default();
    while let Some(word) = words.next() {
        match word {
            "--" => return words.next().is_none().then_some(found),
            // The scope is the manifest's; the code and the version are none of the command's.
            "--version" | "--project" | "--domain" | "--org" | "--image-cache" | "--tgz" | "--dest"
            | "--raw-data-path" | "--resolver" => {
                words.next()?;
            }
            "--parameters" => found.parameters = Some(words.next()?),
            "--resolver-args" => found.python = Some(words.next()?),
            _ => return None,
        }
    }
    None
}

/// The arguments behind `fserve`, which are joined with blanks for a shell.
#[derive(Debug, PartialEq, Eq)]
pub enum Arguments {
    /// What the program receives.
    Words(Vec<String>),
    /// A line that a shell must read: it has variables or operators in it.
    Line(String),
}

/// As the shell in the container reads them.
pub fn arguments(sent: &[&str]) -> Arguments {
    let mut words = Vec::new();
    for word in sent {
        match shlex::split(word) {
            // `fserve` itself puts the value of a variable in.
            _ if is_variable(word) => words.push((*word).to_owned()),
            Some(inner) if is_literal(word) => words.extend(inner),
            _ => return Arguments::Line(sent.join(" ")),
        }
    }
    Arguments::Words(words)
}

/// Words as flyte sends them: each arrives whole.
pub fn sent(words: &[String]) -> Vec<String> {
    let quote = |word: &String| match shlex::try_quote(word) {
        Ok(quoted) if !is_variable(word) => quoted.into_owned(),
        _ => word.clone(),
    };
    words.iter().map(quote).collect()
}

fn is_variable(word: &str) -> bool {
    word.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Whether a shell finds nothing in it but words: no variable, pattern, operator or comment outside quotes.
fn is_literal(text: &str) -> bool {
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => drop(characters.next()),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (Some('"'), '$' | '`') => return false,
            (
                None,
                '$' | '`' | ';' | '|' | '&' | '<' | '>' | '*' | '?' | '[' | '(' | ')' | '{' | '~' | '#' | '!' | '\n',
            ) => {
                return false;
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_what_the_shell_makes_of_them() {
        let check = |sent: &[&str], expected: &[&str]| {
            let expected = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(arguments(sent), Arguments::Words(expected), "{sent:?}");
        };
        check(&["python", "a.py"], &["python", "a.py"]);
        check(&["python a.py", "--name", "'a b'"], &["python", "a.py", "--name", "a b"]);
        check(&["$PORT", "'$HOME'", "\"a;b\""], &["$PORT", "$HOME", "a;b"]);
        let line = |sent: &[&str]| assert_eq!(arguments(sent), Arguments::Line(sent.join(" ")), "{sent:?}");
        line(&["serve", "--port=$PORT"]);
        line(&["a", "&&", "b"]);
        line(&["echo", "\"$X\""]);
        line(&["echo", "it's"]);
    }

    #[test]
    fn a_command_that_is_not_only_the_starters_is_kept() {
        let command = ["fserve", "--version", "v", "--tgz", "s3://b/c", "--dest", ".", "--parameters", "p"];
        let whole: Vec<&str> = command.into_iter().chain(["--resolver", "r", "--resolver-args", "m:v", "--"]).collect();
        assert_eq!(starter(&whole), Some(Starter { parameters: Some("p"), python: Some("m:v") }));
        assert_eq!(starter(&command), None);
        assert_eq!(starter(&["fserve", "--pkl", "x", "--"]), None);
        assert_eq!(starter(&["nginx"]), None);
    }
}
