//! The main job: apply, look, change, apply again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::desk::{Desk, get};

#[test]
fn the_quickstart_runs_and_a_second_apply_writes_nothing() {
    let desk = Desk::example("quickstart");
    desk.flyte(&["apply", "--yes"]).expect(0);
    let (status, page) = get(&desk.url("frontend")).unwrap();
    assert_eq!(status, 200);
    let books: serde_json::Value = serde_json::from_str(&desk.read("books.json")).unwrap();
    let title = books.as_array().unwrap()[0]["title"].as_str().unwrap();
    assert!(page.contains(title), "the page does not show `{title}` of the backend:\n{page}");

    let before = (desk.revision("backend"), desk.revision("frontend"));
    let again = desk.flyte(&["apply", "--yes"]).expect(0);
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);
    assert_eq!((desk.revision("backend"), desk.revision("frontend")), before);
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn after_a_stop_apply_brings_the_apps_back_without_a_write() {
    let desk = Desk::example("quickstart");
    desk.flyte(&["apply", "--yes"]).expect(0);
    let revision = desk.revision("frontend");
    desk.flyte(&["local", "stop"]).expect(0);
    // Nothing is pending, but something is not as it should be.
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
    // Nothing is written, so nobody is asked.
    let again = desk.flyte(&["apply"]).expect(0);
    assert!(again.stdout.contains("Nothing to do but to wait"), "{}", again.stdout);
    assert_eq!(get(&desk.url("frontend")).unwrap().0, 200);
    assert_eq!(desk.revision("frontend"), revision);
}

#[test]
fn an_app_that_still_fails_fails_the_next_apply_too() {
    let desk = Desk::new();
    let app = "[app.broken]\nargs = [\"sh\", \"-c\", \"echo bye; exit 3\"]\nport = 8081\nactivation = \"auto\"\n";
    desk.write("flyte.toml", &format!("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n{app}"));
    desk.flyte(&["apply", "--yes"]).expect(5);
    let again = desk.flyte(&["apply", "--yes", "--json"]).expect(5).json();
    assert_eq!((&again["apps"][0]["status"], &again["written"]), (&"not_ready".into(), &0.into()), "{again:#}");
}

#[test]
fn one_changed_file_redeploys_its_app_alone_and_no_request_fails() {
    let desk = Desk::example("quickstart");
    desk.flyte(&["apply", "--yes"]).expect(0);
    let url = desk.url("backend");
    let before = (desk.revision("backend"), desk.revision("frontend"));

    desk.write("backend.py", &format!("{}\n# changed\n", desk.read("backend.py")));
    let plan = desk.flyte(&["plan", "--detailed-exitcode", "--json"]).expect(2).json();
    let changed: Vec<&serde_json::Value> =
        plan["apps"].as_array().unwrap().iter().filter(|app| app["action"] != "unchanged").collect();
    assert_eq!(changed.len(), 1, "{plan:#}");
    assert_eq!(changed[0]["name"], "backend");
    let files = changed[0]["code"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{plan:#}");
    assert_eq!(files[0]["path"], "backend.py");

    let (stop, sent, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::default());
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (url, stop, sent, failed) = (url.clone(), stop.clone(), sent.clone(), Arc::clone(&failed));
            std::thread::spawn(move || {
                let failed: &std::sync::Mutex<Vec<String>> = &failed;
                while !stop.load(Ordering::Relaxed) {
                    match get(&url) {
                        Ok((200, _)) => {}
                        other => failed.lock().unwrap().push(format!("{other:?}")),
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    desk.flyte(&["apply", "--yes"]).expect(0);
    std::thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    load.into_iter().for_each(|thread| thread.join().unwrap());

    assert_eq!(*failed.lock().unwrap(), Vec::<String>::new(), "of {}", sent.load(Ordering::Relaxed));
    assert!(sent.load(Ordering::Relaxed) > 50);
    assert_eq!(desk.revision("frontend"), before.1);
    assert!(desk.revision("backend") > before.0);
}

#[test]
fn a_backend_that_crashes_holds_back_what_depends_on_it_and_nothing_else() {
    let desk = Desk::example("quickstart");
    let manifest = desk.read("flyte.toml");
    desk.write(
        "flyte.toml",
        &format!(
            "{manifest}\n[app.other]\nargs = [\"python3\", \"other.py\"]\nsource = {{ root = \".\", include = [\"other.py\", \"books.json\"] }}\n"
        ),
    );
    desk.write("other.py", &desk.read("backend.py"));
    let works = desk.read("backend.py");
    desk.write("backend.py", "import sys\nprint('the database is not there', flush=True)\nsys.exit(3)\n");

    let failed = desk.flyte(&["apply", "--yes", "--json"]).expect(4).json();
    let app = |name: &str| failed["apps"].as_array().unwrap().iter().find(|app| app["name"] == name).unwrap().clone();
    assert_eq!(app("backend")["status"], "not_ready", "{failed:#}");
    assert!(app("backend")["reason"].as_str().unwrap().contains("CRASH_LOOP"), "{failed:#}");
    assert!(app("backend")["logs"].to_string().contains("the database is not there"), "{failed:#}");
    assert_eq!(app("frontend")["status"], "skipped");
    assert_eq!(app("other")["status"], "created");
    assert_eq!(get(&desk.url("other")).unwrap().0, 200);

    desk.write("backend.py", &works);
    let other = desk.revision("other");
    let mended = desk.flyte(&["apply", "--yes", "--json"]).expect(0).json();
    let status = |name: &str| {
        mended["apps"].as_array().unwrap().iter().find(|app| app["name"] == name).unwrap()["status"].clone()
    };
    assert_eq!(
        (status("backend"), status("frontend"), status("other")),
        ("updated".into(), "created".into(), "unchanged".into())
    );
    assert_eq!(desk.revision("other"), other);
    assert_eq!(get(&desk.url("frontend")).unwrap().0, 200);
}
