//! Files to a manifest: parsed with spans, checked against the schema and the rules.
