//! Runs an approved plan in order and waits at gates.
