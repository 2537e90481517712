//! Sudden deaths, and two at the same time.

use std::time::Duration;

use super::desk::{Desk, Ran, eventually, get, kill};

/// A backend that takes a while to become ready, so that an apply can be caught in the middle.
fn slow_quickstart() -> Desk {
    let desk = Desk::example("quickstart");
    let backend = desk.read("backend.py");
    desk.write("backend.py", &backend.replacen("import ", "import time\ntime.sleep(2)\nimport ", 1));
    desk
}

#[test]
fn killing_the_control_plane_in_the_middle_of_an_apply_loses_nothing() {
    let desk = slow_quickstart();
    let apply = desk.spawn(&["apply", "--yes"]);
    eventually("the control plane runs", Duration::from_secs(30), || desk.control_plane());
    std::thread::sleep(Duration::from_millis(700));
    desk.kill_control_plane();
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
    let first = Ran::of(first.wait_with_output().unwrap());
    let second = Ran::of(second.wait_with_output().unwrap());
    for run in [&first, &second] {
        let text = format!("{}{}", run.stdout, run.stderr);
        match run.code {
            0 => {}
            3 | 4 => assert!(text.contains("somebody else"), "{text}"),
            other => panic!("exit code {other}\n{text}"),
        }
    }
    assert!(
        first.code == 0 || second.code == 0,
        "{}\n{}\n{}\n{}",
        first.stdout,
        first.stderr,
        second.stdout,
        second.stderr
    );
    desk.flyte(&["apply", "--yes"]).expect(0);
    assert_eq!((desk.revision("backend"), desk.revision("frontend")), (1, 1));
}
