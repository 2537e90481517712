//! Folds profile, workspace, flags and an environment snapshot into a [`Project`]: one meaning, nothing inherited.

mod graph;
mod project;

pub use graph::{Cycle, Graph};
pub use project::{Layer, Origin, Project, Selection, Setting, Target};
