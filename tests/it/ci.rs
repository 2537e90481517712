//! The workflow in `examples/ci`: what it may do, and that its commands do what they should.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::cli::{Desk, Ran};

fn workflow() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/flyte.yml");
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn steps<'a>(workflow: &'a Value, job: &str) -> &'a Vec<Value> {
    workflow["jobs"][job]["steps"].as_array().unwrap()
}

/// The command of a step, as the file has it.
fn command(workflow: &Value, job: &str, name: &str) -> String {
    let step = steps(workflow, job).iter().find(|step| step["name"] == name);
    let step = step.unwrap_or_else(|| panic!("{job} has no step {name}"));
    step["run"].as_str().unwrap().to_owned()
}

/// Runs a step as a runner does, with the variables of the workflow but another target.
fn perform(desk: &Desk, workflow: &Value, job: &str, name: &str) -> Ran {
    let temporary = desk.root.join("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let variables = BTreeMap::from([
        ("FLYTE_TARGET", "local".to_owned()),
        ("RUNNER_TEMP", temporary.display().to_string()),
        ("GITHUB_WORKSPACE", desk.tree.display().to_string()),
        ("GITHUB_STEP_SUMMARY", temporary.join(format!("{job}-{name}.md")).display().to_string()),
    ]);
    assert!(workflow["env"]["FLYTE_TARGET"].is_string());
    let set: String = variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    desk.run(&format!("set -e\n{set}{}", command(workflow, job, name))).unwrap()
}

#[test]
fn its_commands_plan_and_apply() {
    let workflow = workflow();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/trees/shop");
    let desk = Desk::new(&Some(shop)).unwrap();
    let validated = perform(&desk, &workflow, "plan", "Validate");
    assert_eq!(validated.exit, 0, "{}", validated.stderr);
    let planned = perform(&desk, &workflow, "plan", "Plan");
    assert_eq!(planned.exit, 0, "{}", planned.stderr);
    let page = fs::read_to_string(desk.root.join("temporary/plan.md")).unwrap();
    assert!(page.starts_with("## flyte plan: 2 to create\n"), "{page}");
    let summary = fs::read_to_string(desk.root.join("temporary/plan-Plan.md")).unwrap();
    assert_eq!(summary.trim_end(), page.trim_end());
    // What is kept is what the other job fetches.
    let kept = steps(&workflow, "plan").iter().find(|step| step["name"] == "Keep the plan").unwrap();
    assert!(desk.tree.join(kept["with"]["path"].as_str().unwrap()).exists());
    let name = kept["with"]["name"].as_str().unwrap().split("${{").next().unwrap();
    assert!(command(&workflow, "apply", "Fetch the plan").contains(name));

    let applied = perform(&desk, &workflow, "apply", "Apply");
    assert_eq!(applied.exit, 0, "{}", applied.stderr);
    assert!(applied.stdout.starts_with("## flyte apply: applied: 2 created\n"), "{}", applied.stdout);
    // A second time it is stale: nothing is done, and the page says so.
    let again = perform(&desk, &workflow, "apply", "Apply");
    assert_eq!(again.exit, 3, "{}", again.stderr);
    assert!(again.stderr.contains("::error title=flyte apply::the plan is stale"), "{}", again.stderr);
    assert!(again.stdout.contains("was this plan applied before?"), "{}", again.stdout);
}

#[test]
fn its_other_commands_are_shell() {
    let workflow = workflow();
    for (job, name) in [("plan", "Install"), ("plan", "Comment"), ("apply", "Install"), ("apply", "Fetch the plan")] {
        let mut shell = std::process::Command::new("sh");
        let parsed = shell.arg("-n").arg("-c").arg(command(&workflow, job, name)).output().unwrap();
        assert!(parsed.status.success(), "{name}: {}", String::from_utf8_lossy(&parsed.stderr));
    }
}

#[test]
fn it_asks_for_little_and_gives_forks_nothing() {
    let workflow = workflow();
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    assert!(workflow["on"]["pull_request_target"].is_null(), "it would give secrets to what a fork says");
    let permissions = |job: &str| workflow["jobs"][job]["permissions"].clone();
    assert_eq!(permissions("plan"), serde_json::json!({ "contents": "read", "pull-requests": "write" }));
    let reads = serde_json::json!({ "contents": "read", "actions": "read", "pull-requests": "read" });
    assert_eq!(permissions("apply"), reads);
    for job in ["plan", "apply"] {
        assert!(workflow["jobs"][job]["concurrency"]["group"].is_string());
        for step in steps(&workflow, job) {
            // What a title or a branch says must not become a command.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
            let has_secrets = step.to_string().contains("secrets.") || step.to_string().contains("github.token");
            if job == "plan" && has_secrets {
                assert!(step["if"].as_str().unwrap_or_default().contains("env.IS_FORK == 'false'"), "{step}");
            }
        }
    }
    assert_eq!(workflow["jobs"]["apply"]["if"], "github.event_name == 'push'");
    assert_eq!(workflow["jobs"]["apply"]["concurrency"]["cancel-in-progress"], false);
}
