//! `schema/manifest.kdl` as a value: every key with its type, default, limits, unit and manual text.

pub mod docs;
