//! The runtime with real processes.

mod bed;
mod lifecycle;
mod orphans;
mod traffic;
