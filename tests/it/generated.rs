//! Files made from the schema do not differ from it. `UPDATE_GENERATED=1` writes them anew.

#![allow(clippy::disallowed_methods, reason = "a test reads and writes the repository itself")]

use std::fs;
use std::path::Path;

use flyte::schema::docs;

fn check(path: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().expect("inside the repository")).expect("the directory can be made");
        fs::write(&path, generated).expect("the file can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(committed, generated, "run with UPDATE_GENERATED=1, then commit {}", path.display());
}

#[test]
fn the_reference_page_is_current() {
    check("docs/manifest.md", &docs::markdown());
}

#[test]
fn the_json_schema_is_current() {
    check("schema/flyte.schema.json", &docs::json_schema());
}

#[test]
fn every_key_has_a_text() {
    fn keys(table: &flyte::schema::TableType, prefix: &str) {
        for key in &table.keys {
            let path = format!("{prefix}{}", key.name);
            let text = docs::explain(&path).unwrap_or_else(|| panic!("{path} has no text"));
            assert!(text.contains(&key.summary), "{path}");
            if let Some(inner) = key.table() {
                keys(inner, &format!("{path}."));
            }
        }
    }
    keys(&flyte::schema::Schema::load().root, "");
    keys(flyte::schema::Schema::load().table("app").expect("it is defined"), "app.");
}
