//! The exit codes: a public promise, the same for every command.

use std::process::ExitCode;

/// What the caller of the program is told by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done, or there was nothing to do.
    Success = 0,
    /// Usage, manifest or connection: nothing was written.
    Error = 1,
    /// `plan --detailed-exitcode` found changes.
    ChangesPending = 2,
    /// What runs is not what the plan was made on; nothing of the app concerned was written.
    StalePlan = 3,
    /// Some apps were written, others failed or were skipped.
    PartlyApplied = 4,
    /// Everything was written, but an app did not become ready.
    NotReady = 5,
    /// `plan --fail-on-drift` found what runs to be otherwise than we last wrote it.
    Drift = 6,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The same list for people: the end of `flyte --help` and of the man page.
pub const HELP: &str = "\
Exit codes:
    0  done, or nothing to do
    1  error in usage, manifest or connection: nothing was written
    2  changes are pending (only `plan --detailed-exitcode`)
    3  what runs changed since the plan was made: refused
    4  partly applied: some apps failed or were skipped
    5  applied, but an app did not become ready
    6  what runs was changed outside (only `plan --fail-on-drift`; before 2)
  130  interrupted";
