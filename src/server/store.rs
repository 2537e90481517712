//! Apps, revisions, secrets and projects in SQLite.
