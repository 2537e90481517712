//! The program itself, its embedded control plane, and real processes: what a user does, seen from outside.

mod crash;
mod deploy;
pub mod desk;
mod example;
mod mistakes;
mod scaling;
