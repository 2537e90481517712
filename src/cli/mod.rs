//! The command line: arguments, one file per command, rendering, exit codes.
