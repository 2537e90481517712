//! Plan and outcome as text and as JSON.
