//! Sudden deaths, and two at the same time.

use std::time::Duration;

use super::desk::{Desk, Ran, eventually, get, kill};

/// A backend that becomes ready when the file `go` is there, so that an apply can be caught in the middle.
fn slow_quickstart() -> Desk {
    let desk = Desk::example("quickstart");
    let backend = desk.read("backend.py");
    let go = desk.tree().join("go");
    let wait =
        format!("import os, time\nwhile not os.path.exists({:?}):\n    time.sleep(0.05)\n", go.display().to_string());
    desk.write("backend.py", &backend.replacen("import ", &format!("{wait}import "), 1));
    desk
}

fn let_go(desk: &Desk) {
    desk.write("go", "");
}

#[test]
fn killing_the_control_plane_in_the_middle_of_an_apply_loses_nothing() {
    let desk = slow_quickstart();
    let apply = desk.spawn(&["apply", "--yes"]);
    eventually("the control plane runs", Duration::from_secs(30), || desk.control_plane());
    std::thread::sleep(Duration::from_millis(700));
    desk.kill_control_plane();
    let_go(&desk);
    let cut = Ran::of(apply.wait_with_output().unwrap());
    assert_ne!(cut.code, 0, "{}", cut.stdout);

    desk.flyte(&["apply", "--yes"]).expect(0);
    assert_eq!(get(&desk.url("frontend")).unwrap().0, 200);
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn a_control_plane_killed_and_started_again_owns_its_processes() {
    let desk = Desk::example("quickstart");
    desk.flyte(&["apply", "--yes"]).expect(0);
    let url = desk.url("frontend");
    desk.kill_control_plane();
    desk.flyte(&["local", "start"]).expect(0);
    eventually("the frontend is back", Duration::from_secs(30), || get(&url).ok().filter(|answer| answer.0 == 200));
    let processes = || {
        let mark = desk.state().display().to_string();
        let found = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let directory = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let _ = environment;
            String::from_utf8_lossy(&words).contains("end.py") && directory.display().to_string().starts_with(&mark)
        });
        found.count()
    };
    eventually("one process of each app", Duration::from_secs(10), || (processes() == 2).then_some(()));
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
    desk.flyte(&["local", "stop"]).expect(0);
    eventually("no process is left", Duration::from_secs(10), || (processes() == 0).then_some(()));
}

#[test]
fn killing_apply_itself_loses_nothing() {
    let desk = slow_quickstart();
    let mut apply = desk.spawn(&["apply", "--yes"]);
    eventually("the control plane runs", Duration::from_secs(30), || desk.control_plane());
    std::thread::sleep(Duration::from_millis(500));
    kill(apply.id(), "KILL");
    let_go(&desk);
    apply.wait().unwrap();
    desk.flyte(&["apply", "--yes"]).expect(0);
    assert_eq!(get(&desk.url("frontend")).unwrap().0, 200);
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn of_two_applies_at_once_the_loser_is_told() {
    let desk = slow_quickstart();
    desk.flyte(&["local", "start"]).expect(0);
    let (first, second) = (desk.spawn(&["apply", "--yes"]), desk.spawn(&["apply", "--yes"]));
    std::thread::sleep(Duration::from_secs(1));
    let_go(&desk);
    let first = Ran::of(first.wait_with_output().unwrap());
    let second = Ran::of(second.wait_with_output().unwrap());
    let account = |run: &Ran| format!("exit code {}\n{}{}", run.code, run.stdout, run.stderr);
    let log = std::fs::read_to_string(desk.state().join("server.log")).unwrap_or_default();
    let whole = format!("--- one\n{}\n--- other\n{}\n--- server\n{log}", account(&first), account(&second));
    for run in [&first, &second] {
        match run.code {
            0 => {}
            3 | 4 => assert!(account(run).contains("somebody else"), "{whole}"),
            _ => panic!("{whole}"),
        }
    }
    assert!(first.code == 0 || second.code == 0, "{whole}");
    desk.flyte(&["apply", "--yes"]).expect(0);
    assert_eq!((desk.revision("backend"), desk.revision("frontend")), (1, 1));
}
