//! A program that prints a token.

use std::process::Stdio;
use std::time::Duration;

use oauth2::AccessToken;
use tokio::process::Command;

use super::error::{AuthError, Said};
use super::token::Token;
use crate::client::text::HIDDEN;
use crate::model::credentials_in;

/// The longest the program may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the program, without a shell and without input. What it prints, less the white space around, is the token.
///
/// # Errors
/// It cannot be run, fails, takes too long, or prints no token.
pub async fn run(words: &[String]) -> Result<Token, AuthError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(AuthError::CommandNotRun { program: String::new(), cause: "no program is named".to_owned() });
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let failed = |how: String, stderr: &[u8]| AuthError::CommandFailed {
        program: program.clone(),
        how,
        stderr: Said::new(&without_credentials(&String::from_utf8_lossy(stderr))),
    };
    let output = match tokio::time::timeout(TIMEOUT, command.output()).await {
        Err(_) => return Err(failed(format!("has not ended within {} s", TIMEOUT.as_secs()), b"")),
        Ok(Err(error)) => {
            return Err(AuthError::CommandNotRun { program: program.clone(), cause: error.to_string() });
        }
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        return Err(failed(format!("failed ({})", output.status), &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim() {
        "" => Err(failed("has printed nothing".to_owned(), &output.stderr)),
        token if token.contains(char::is_whitespace) => {
            Err(failed("has printed more than one word".to_owned(), &output.stderr))
        }
        token => Ok(Token::found(AccessToken::new(token.to_owned()), None)),
    }
}

/// What a program says of its failure, without what it may have been given to log in with: `curl -v` says all it sends.
fn without_credentials(text: &str) -> String {
    let mut shown = String::new();
    let mut end = 0;
    for credential in credentials_in(text) {
        shown.push_str(&text[end..credential.start]);
        shown.push_str(HIDDEN);
        end = credential.end;
    }
    shown + &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(words: &[&str], expected: Result<&str, &str>) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let token = run(&words).await.map(|token| token.access.secret().clone());
        assert_eq!(token.map_err(|error| error.to_string()), expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[tokio::test]
    async fn what_it_prints_is_the_token() {
        check(&["printf", "  abc\n"], Ok("abc")).await;
        check(&["printf", "$HOME"], Ok("$HOME")).await;
        check(&["true"], Err("`true`, which should print a token, has printed nothing")).await;
        check(&["echo", "two", "words"], Err("`echo`, which should print a token, has printed more than one word"))
            .await;
        let script = "echo not the token; echo 'sign in\nfirst' >&2; exit 3";
        let told = "`sh`, which should print a token, failed (exit status: 3): sign in first";
        check(&["sh", "-c", script], Err(told)).await;
        let script = "echo '> Authorization: Bearer abcdefgh12345678' >&2; echo password=hunter2hunter2 >&2; exit 1";
        let told =
            "`sh`, which should print a token, failed (exit status: 1): > Authorization: Bearer *** password=***";
        check(&["sh", "-c", script], Err(told)).await;
        let told = "`/no/such/program` cannot be run: No such file or directory (os error 2)";
        check(&["/no/such/program"], Err(told)).await;
    }
}
