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
