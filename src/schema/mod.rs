//! `schema/manifest.kdl` as a value: every key with its type, default, limits, unit and manual text.

pub mod docs;

/// The schema.
pub struct Schema;

impl Schema {
    pub fn load() -> &'static Self {
        &Self
    }
    pub fn key_for_wire(&self, path: &str) -> Option<String> {
        path.strip_prefix("spec.container.").map(str::to_owned)
    }
}
