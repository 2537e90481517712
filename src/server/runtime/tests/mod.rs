//! The runtime with real processes.
