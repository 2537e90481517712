//! Scale to zero.

use std::time::Duration;

use super::desk::{Desk, eventually, get};

#[test]
fn an_idle_app_is_stopped_and_answers_its_next_request() {
    let desk = Desk::example("quickstart");
    desk.write(
        "flyte.toml",
        "name = \"idle\"\nproject = \"p\"\ndomain = \"d\"\n[app.backend]\nactivation = \"auto\"\nargs = [\"python3\", \"backend.py\"]\n\
         source = { root = \".\", include = [\"backend.py\", \"books.json\"] }\n\
         scaling = { replicas = { min = 0, max = 1 }, scaledown_after = \"5s\" }\n",
    );
    desk.flyte(&["apply", "--yes"]).expect(0);
    let url = desk.url("backend");
    assert_eq!(get(&url).unwrap().0, 200);
    eventually("scaled to zero", Duration::from_secs(60), || {
        desk.status("backend").to_string().contains("scaled_to_zero").then_some(())
    });
    desk.flyte(&["plan", "--detailed-exitcode"]).expect(0);
    assert_eq!(get(&url).unwrap().0, 200);
    assert!(!desk.status("backend").to_string().contains("scaled_to_zero"));
}
