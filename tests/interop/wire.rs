//! Our messages, enums and services are the published ones: names, numbers, types, labels and oneofs.

use std::fs;
use std::time::Duration;

use crate::python::{Packages, Python, succeed};

#[test]
fn our_descriptors_are_a_part_of_the_published_ones() {
    let python = Python::with(Packages::Messages);
    let home = tempfile::tempdir().expect("a temporary directory");
    let ours = home.path().join("ours.binpb");
    fs::write(&ours, flyte_schema::DESCRIPTOR_SET).expect("a temporary directory can be written");

    let mut script = python.script("wire.py", home.path());
    script.arg(&ours);
    let counts = succeed(script, Duration::from_secs(60)).json();

    // Nothing compared would be equal too.
    for (what, least) in [("messages", 150), ("fields", 400), ("enums", 20), ("methods", 20)] {
        let count = counts[what].as_u64().unwrap_or_default();
        assert!(count >= least, "only {count} {what} compared: {counts}");
    }
}
