//! Nothing before `apply` writes, and nothing before it is started. Only the cache may change, which lies elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::cli::{Desk, Ran, files};

const READS: [&str; 21] = [
    "flyte validate",
    "flyte plan",
    "flyte plan --json --activate --prune --adopt --version v1",
    "GREETING=goodbye flyte plan",
    "flyte status",
    "flyte status --json",
    "flyte render",
    "flyte bundle catalogue",
    "flyte graph",
    "flyte config show --app web",
    "flyte explain app",
    "flyte schema",
    "flyte logs catalogue",
    "flyte local status",
    "flyte history",
    "flyte versions catalogue",
    "flyte versions clean --keep 1 --dry-run",
    "flyte rollback catalogue",
    "flyte rollback catalogue --from-git HEAD",
    // Nobody can be asked.
    "GREETING=goodbye flyte apply",
    "flyte delete web",
];

/// What the services answer without anything being changed by it.
const READING: [&str; 6] = [
    "AppService/List",
    "AppService/Get",
    "AppService/Watch",
    "AppLogsService/TailLogs",
    "ClusterService/SelectCluster",
    "DataProxyService/CreateDownloadLink",
];

fn desk() -> Desk {
    Desk::new(&Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/trees/shop"))).unwrap()
}

fn run(desk: &Desk, line: &str) -> Ran {
    desk.run(line).unwrap()
}

fn snapshot(desk: &Desk) -> [BTreeMap<String, Vec<u8>>; 2] {
    let mut state = files(&desk.state).unwrap();
    if desk.is_running() {
        // The index that SQLite keeps beside its log: readers mark their place in it.
        state.remove("server.db-shm");
    }
    [files(&desk.tree).unwrap(), state]
}

/// Names the files that differ: their content would not be readable.
#[track_caller]
fn expect_same(before: &[BTreeMap<String, Vec<u8>>; 2], after: &[BTreeMap<String, Vec<u8>>; 2], line: &str) {
    for (before, after) in before.iter().zip(after) {
        let names = before.keys().chain(after.keys());
        let changed: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(changed.is_empty(), "`{line}` changed {changed:?}");
    }
}

#[test]
fn where_nothing_was_ever_applied_there_is_nothing_afterwards() {
    let desk = desk();
    let before = snapshot(&desk);
    for line in READS {
        let ran = run(&desk, line);
        expect_same(&before, &snapshot(&desk), line);
        assert!(!desk.state.exists(), "`{line}` made the state directory");
        assert_eq!(ran.rpcs, "", "{line}");
    }
}

#[test]
fn a_control_plane_at_rest_is_read_as_it_lies() {
    let desk = desk();
    assert_eq!(run(&desk, "flyte apply --yes && flyte local stop").exit, 0);
    let before = snapshot(&desk);
    for line in READS {
        let ran = run(&desk, line);
        expect_same(&before, &snapshot(&desk), line);
        assert!(!desk.is_running(), "`{line}` started a control plane");
        assert_eq!(ran.rpcs, "", "{line}");
    }
}

#[test]
fn a_running_control_plane_is_asked_for_nothing_but_what_is() {
    let desk = desk();
    let applied = run(&desk, "flyte apply --yes");
    assert_eq!(applied.exit, 0, "{}", applied.stderr);
    let before = snapshot(&desk);
    for line in READS {
        let ran = run(&desk, line);
        expect_same(&before, &snapshot(&desk), line);
        let write = ran.rpcs.lines().find(|rpc| !READING.iter().any(|read| rpc.starts_with(read)));
        assert_eq!(write, None, "{line}");
    }
}
