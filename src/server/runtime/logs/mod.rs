//! What apps print and what the runtime says about them: per app, in memory and in rotated files.

mod line;

pub use line::{Line, Originator};

use tokio::sync::broadcast;

/// The latest lines of an app, then every further one, without a gap or a repetition between.
pub struct Tail {
    /// At most the last 1000, oldest first.
    pub latest: Vec<Line>,
    /// A receiver too slow loses lines and is told how many.
    pub further: broadcast::Receiver<Line>,
}
