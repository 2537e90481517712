//! Processes that a control plane left behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::bed::{World, app, config, direct};
use crate::server::ingress::Ingress;
use crate::server::runtime::record::Record;
use crate::server::runtime::{Runtime, system};

const DIRECTORY: &str = "FLYTE_TEST_DIRECTORY";

fn runtime(directory: &Path) -> Runtime {
    let (events, _) = mpsc::unbounded_channel();
    Runtime::new(config(directory), Arc::new(World::default()), events, Ingress::new()).expect("a runtime")
}

/// Not a test by itself: a control plane that runs an app until it is killed.
#[tokio::test]
async fn control_plane() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = runtime(Path::new(&directory));
    runtime.set(direct(1, &["sh", "-c", "sleep 1000 & echo children $!; sleep 1000"]));
    std::future::pending().await
}

#[tokio::test]
async fn the_processes_of_a_killed_control_plane_are_ended() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut former = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "server::runtime::tests::orphans::control_plane", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let log = directory.path().join("logs/shop/development/frontend.log");
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    while !read().contains("children") {
        assert_eq!(former.try_wait().expect("it is ours"), None, "the control plane runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    former.kill().expect("it is ours");
    former.wait().expect("it ends");
    let child: u32 = read().split_whitespace().last().and_then(|pid| pid.parse().ok()).expect("a number");
    assert!(system::start_time(child).is_some(), "it is left behind");

    let runtime = runtime(directory.path());
    assert_eq!(runtime.reclaim().await, 1);
    while system::start_time(child).is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(runtime.reclaim().await, 0);
    assert!(runtime.tail(&app()).latest.iter().any(|line| line.text.starts_with("children")), "the log goes on");
}

#[tokio::test]
async fn a_stranger_with_the_same_number_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut stranger = Command::new("sleep").arg("1000").spawn().expect("it starts");
    let records = directory.path().join("processes");
    let record = Record::new(stranger.id(), "0123456789abcdef", &app(), 1).expect("it runs");
    let mut text = serde_json::to_value(&record).expect("a record");
    text["start_time"] = "another boot/1".into();
    std::fs::create_dir_all(&records).expect("a directory");
    std::fs::write(records.join("0123456789abcdef.json"), text.to_string()).expect("it is written");

    assert_eq!(runtime(directory.path()).reclaim().await, 0);
    assert_eq!(stranger.try_wait().expect("it is ours"), None);
    assert_eq!(std::fs::read_dir(&records).expect("it is there").count(), 0);
    stranger.kill().expect("it is ours");
    stranger.wait().expect("it ends");
}
