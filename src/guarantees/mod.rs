//! What a control plane guarantees, found out by looking at what it answers during ordinary work.
//!
//! [`Observed`] stands in front of a control plane and hands every call on. What an answer tells is worked out by the
//! functions of [`infer`], one fact each, and kept for a week.

pub mod infer;
mod kept;
mod observed;
#[cfg(test)]
mod tests;

pub use observed::Observed;
