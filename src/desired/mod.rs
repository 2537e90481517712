//! From a project and its bundles to the specs we ask for, and their versions.
