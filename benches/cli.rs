//! The program as a whole process: its start-up, and a plan of the quickstart that finds nothing to do.
//!
//! Budget: `flyte --version` within 10 ms. `true` is there to compare with: what any process costs.

#![allow(clippy::disallowed_methods, reason = "tests and examples are outside the borders")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

const PROGRAM: &str = env!("CARGO_BIN_EXE_flyte");

struct Desk(tempfile::TempDir);

impl Desk {
    fn flyte(&self, arguments: &[&str]) -> Output {
        let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
        Command::new(PROGRAM)
            .current_dir(quickstart)
            .args(arguments)
            .env("FLYTE_STATE_DIR", self.0.path().join("state"))
            .env("FLYTE_CACHE_DIR", self.0.path().join("cache"))
            .stdin(Stdio::null())
            .output()
            .expect("the program starts")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.flyte(&["local", "stop"]);
    }
}

fn processes(criterion: &mut Criterion) {
    let desk = Desk(tempfile::tempdir().expect("a temporary directory"));
    let applied = desk.flyte(&["apply", "--yes"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let mut group = criterion.benchmark_group("process");
    group.bench_function("true", |bencher| bencher.iter(|| Command::new("true").output()));
    group.bench_function("flyte --version", |bencher| bencher.iter(|| desk.flyte(&["--version"])));
    group.bench_function("flyte validate", |bencher| bencher.iter(|| desk.flyte(&["validate"])));
    group.bench_function("flyte plan, nothing to do", |bencher| {
        bencher.iter(|| {
            let planned = desk.flyte(&["plan", "--detailed-exitcode"]);
            assert!(planned.status.success());
        });
    });
    group.finish();
}

criterion_group!(benches, processes);
criterion_main!(benches);
