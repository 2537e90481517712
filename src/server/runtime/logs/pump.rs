//! Carries what a process prints into its log, line by line.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::AppLog;

/// The longest line, in bytes; longer ones are cut into pieces.
const LINE_BYTES: usize = 16 << 10;

/// Reads until the last holder of the other end has closed it.
pub async fn pump(mut output: impl AsyncRead + Unpin, log: &AppLog, replica: &str) {
    let mut lines = Splitter::default();
    let mut buffer = vec![0; 8 << 10];
    loop {
        match output.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => lines.push(&buffer[..read], |text| log.user(replica, text)),
        }
    }
    lines.finish(|text| log.user(replica, text));
}

/// Splits bytes into lines, however they arrive.
#[derive(Default)]
struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (content, ends) = match part.strip_suffix(b"\n") {
                Some(content) => (content, true),
                None => (part, false),
            };
            self.pending.extend_from_slice(content);
            while self.pending.len() > LINE_BYTES {
                let rest = self.pending.split_off(boundary(&self.pending));
                line(text(&std::mem::replace(&mut self.pending, rest)));
            }
            if ends {
                line(text(&std::mem::take(&mut self.pending)));
            }
        }
    }

    fn finish(self, mut line: impl FnMut(String)) {
        if !self.pending.is_empty() {
            line(text(&self.pending));
        }
    }
}

/// Where to cut a line that is too long: not inside a character.
fn boundary(bytes: &[u8]) -> usize {
    let continues = |at: &usize| bytes[*at] & 0b1100_0000 == 0b1000_0000;
    let inside = (LINE_BYTES - 3..=LINE_BYTES).rev().take_while(continues).count();
    LINE_BYTES - inside.min(3)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&str], expected: &[&str]) {
        let mut lines = Splitter::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.push(chunk.as_bytes(), |text| found.push(text));
        }
        lines.finish(|text| found.push(text));
        assert_eq!(found, expected);
    }

    #[test]
    fn lines() {
        check(&["one\ntwo\n"], &["one", "two"]);
        check(&["o", "ne\r\n", "\n", "rest"], &["one", "", "rest"]);
        check(&[], &[]);
        let long = "é".repeat(LINE_BYTES);
        let pieces: Vec<&str> = vec![&long[..LINE_BYTES], &long[LINE_BYTES..]];
        check(&[&long, "\n"], &pieces);
        let odd = format!("x{}", "é".repeat(LINE_BYTES / 2));
        check(&[&odd], &[&odd[..LINE_BYTES - 1], &odd[LINE_BYTES - 1..]]);
    }
}
