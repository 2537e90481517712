//! One log line, and how it is written to a file.

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originator {
    /// The app, on its standard output or error.
    User,
    /// The runtime.
    System,
}

/// A line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub time: jiff::Timestamp,
    /// The process that wrote it or that it is about; the app's name where there is none.
    pub replica: String,
    pub originator: Originator,
    /// Without its line break; at most 16 KiB, longer ones come in pieces.
    pub text: String,
}

impl Line {
    /// `<time> TAB <replica> TAB user|system TAB <text> LF`: readable with `tail -f`, and back.
    pub(super) fn encode(&self) -> String {
        let originator = match self.originator {
            Originator::User => "user",
            Originator::System => "system",
        };
        format!("{}\t{}\t{originator}\t{}\n", self.time, self.replica, self.text)
    }

    /// `None` for what [`Line::encode`] did not write, such as a line cut off by a crash.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '\t');
        let time = parts.next()?.parse().ok()?;
        let replica = parts.next()?.to_owned();
        let originator = match parts.next()? {
            "user" => Originator::User,
            "system" => Originator::System,
            _ => return None,
        };
        Some(Self { time, replica, originator, text: parts.next()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was() {
        let check = |originator, text: &str| {
            let line = Line {
                time: "2026-01-02T03:04:05.678Z".parse().expect("a time"),
                replica: "backend-00001-abcde".into(),
                originator,
                text: text.into(),
            };
            let encoded = line.encode();
            assert_eq!(Line::decode(encoded.strip_suffix('\n').expect("one line")), Some(line));
        };
        check(Originator::User, "plain");
        check(Originator::System, "");
        check(Originator::User, "tabs\tinside\tstay");
        assert_eq!(Line::decode("2026-01-02T03:04:05Z\tbackend"), None);
        assert_eq!(Line::decode("ello world"), None);
    }
}
