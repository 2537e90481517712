//! The reference page, `docs/manifest.md`.

use super::super::{Form, Key, Schema, TableType, table_form};
use super::accepts;

const INTRODUCTION: &str = "\
# The manifest

<!-- Generated from schema/manifest.kdl by a test; UPDATE_GENERATED=1 rewrites it. -->

A `flyte.toml` declares the apps of a directory tree and what they depend on. `flyte validate` checks it offline and
tells every mistake at once; `flyte explain KEY` prints what this page says about a key.

```toml
#:schema ./schema/flyte.schema.json
name    = \"shop\"
project = \"flytesnacks\"
domain  = \"development\"

[app.backend]
image = \"ghcr.io/acme/catalogue:1.4\"
args  = [\"python\", \"backend.py\"]
port  = 8081

[app.frontend]
image = \"ghcr.io/acme/web:1.4\"
args  = [\"python\", \"frontend.py\"]
port  = 8082
env   = { BACKEND_URL = { endpoint = \"backend\" } }
```

A duration is a text of numbers with units: `\"250ms\"`, `\"90s\"`, `\"5m\"`, `\"1h30m\"`. Paths are relative to the manifest
they stand in, and stay inside the workspace.
";

/// `docs/manifest.md`, whole.
pub fn markdown() -> String {
    let schema = Schema::load();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## The top of a manifest\n");
    table(&schema.root, "", &mut page);
    if let Some(app) = schema.table("app") {
        page.push_str("\n## `[app.NAME]` and `[defaults]`\n");
        table(app, "app.NAME.", &mut page);
    }
    if let Some(profile) = schema.table("profile") {
        page.push_str("\n## `[profile.NAME]`\n");
        table(profile, "profile.NAME.", &mut page);
    }
    page
}

/// The keys of a table, then those reserved.
fn table(table: &TableType, prefix: &str, page: &mut String) {
    keys(table, prefix, page);
    let planned: Vec<String> = table
        .keys
        .iter()
        .filter(|key| key.planned)
        .map(|key| format!("- `{prefix}{}`: {}", key.name, key.summary))
        .collect();
    if !planned.is_empty() {
        page.push_str("\nReserved for later releases, and refused until then:\n\n");
        page.push_str(&planned.join("\n"));
        page.push('\n');
    }
}

fn keys(table: &TableType, prefix: &str, page: &mut String) {
    for key in table.keys.iter().filter(|key| !key.planned) {
        let path = format!("{prefix}{}", key.name);
        page.push_str(&format!("\n### `{path}`\n\n{}.", capital(&key.summary)));
        if !key.about.is_empty() {
            page.push_str(&format!(" {}", key.about));
        }
        page.push_str(&format!("\n\n- accepts: {}\n", accepts(key)));
        if key.required {
            page.push_str("- required\n");
        }
        if let Some(default) = &key.default {
            page.push_str(&format!("- default: `{default}`\n"));
        }
        page.push_str(&format!("\n```toml\n{}\n```\n", key.example));
        below(key, &path, page);
    }
}

/// The keys inside, unless they are a defined table with a section of its own.
fn below(key: &Key, path: &str, page: &mut String) {
    let own_section = |table: &TableType| matches!(table.name.as_deref(), Some("app" | "profile"));
    let mut told: Vec<*const TableType> = Vec::new();
    for form in &key.forms {
        let (table, prefix) = match form {
            Form::Table(table) => (Some(table), format!("{path}.")),
            Form::List { element, .. } => (table_form(element), format!("{path}.")),
            Form::Map { element, .. } => (table_form(element), format!("{path}.NAME.")),
            _ => (None, String::new()),
        };
        if let Some(table) = table.filter(|table| !own_section(table)) {
            let identity = std::sync::Arc::as_ptr(table);
            if !told.contains(&identity) {
                told.push(identity);
                keys(table, &prefix, page);
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
