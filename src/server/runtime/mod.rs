//! Runs apps as processes of this machine: start, readiness, restart, blue/green, drain, scale to zero.

mod workload;

pub use workload::{Entry, Observation, Parameter, ParameterValue, ReadyProbe, RuntimeEvent, Surroundings, Workload};
