//! The embedded control plane: Flyte's services over loopback, a pure state machine behind them, processes below.

pub mod at_rest;
pub mod bundles;
pub mod daemon;
pub mod hub;
pub mod ingress;
pub mod runtime;
pub mod service;
pub mod simulator;
pub mod state;
pub mod store;
