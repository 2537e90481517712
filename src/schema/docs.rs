//! What is generated from the schema: the reference page, the JSON Schema for editors, the text of `flyte explain`.

/// The manual text of a key, such as `app.scaling.replicas`.
pub fn explain(key: &str) -> Option<String> {
    let _ = key;
    None
}
/// `docs/manifest.md`.
pub fn markdown() -> String {
    String::new()
}
/// `schema/flyte.schema.json`.
pub fn json_schema() -> String {
    String::new()
}
