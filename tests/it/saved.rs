//! What a plan file is: the same plan again, without secrets, and void once it does not fit.

use flyte::apply::Options;
use flyte::diagnostic::PAGES;
use flyte::pipeline::Error;
use flyte::plan::Policy;
use flyte::plan::stored::{PlanFileError, StoredPlan, seal};
use flyte::server::state::Profile;
use serde_json::{Value, json};

use crate::support::world::{World, request, run};

const MANIFEST: &str = r#"
name = "shop"
project = "p"
domain = "d"
[vars]
password = { env = "DB_PASSWORD" }
plain = { env = "PLAIN" }
[target.staging]
endpoint = "dns:///staging.example.com"
[app.web]
image = "ghcr.io/acme/web:1"
args = ["serve", "--db", "postgres://app:hunter2-in-args@db/main"]
env = { DB_PASSWORD = "${vars.password}", PLAIN = "${vars.plain}" }
parameters.api_token = { value = "hunter2-in-parameter", env = "API_TOKEN" }
"#;

fn world() -> World {
    let mut world = World::new(Profile::Full);
    world.write(&[("flyte.toml".to_owned(), MANIFEST.to_owned())]);
    world
}

fn asked(password: &str) -> flyte::Request {
    let mut request = request(Policy::default());
    request.selection.target = Some("staging".to_owned());
    let set = [("DB_PASSWORD", password), ("PLAIN", "some text")];
    request.selection.environment = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    request
}

/// Changes the content of the plan file, as somebody would who can compute the digest.
fn forge(world: &World, change: impl Fn(&mut Value)) {
    let mut content: Value = serde_json::from_str(&world.saved.lock().unwrap()).unwrap();
    for member in ["kind", "format", "integrity"] {
        content.as_object_mut().unwrap().shift_remove(member);
    }
    change(&mut content);
    *world.saved.lock().unwrap() = seal(content).to_string();
}

async fn reasons(world: &World) -> Vec<String> {
    match world.restore(&asked("hunter2-in-environment")).await {
        Err(Error::Stale(stale)) => stale.0.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error:?}"),
        Ok(_) => Vec::new(),
    }
}

#[test]
fn no_secret_is_in_the_file_and_apply_still_sends_them() {
    run(async {
        let world = world();
        world.save(&asked("hunter2-in-environment")).await.unwrap();
        let text = world.saved.lock().unwrap().clone();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("some text") && text.contains("(sensitive #"), "{text}");
        // Nor does the beginning of a digest tell whether a guess is right.
        for value in ["hunter2-in-environment", "some text"] {
            let digest = flyte::model::Digest::of(value.as_bytes()).short();
            assert!(!text.contains(&digest), "{value}");
        }
        let applied = world.apply_saved(&asked("hunter2-in-environment"), &Options::default()).await.unwrap();
        assert!(applied.outcome.is_success());
        let app = flyte_schema::to_json(&world.simulator.apps()[0]).unwrap().to_string();
        assert!(app.contains("hunter2-in-environment") && app.contains("hunter2-in-args"));
    });
}

#[test]
fn a_sensitive_value_that_changed_is_told_without_being_shown() {
    run(async {
        let world = world();
        world.save(&asked("before")).await.unwrap();
        assert_eq!(reasons(&world).await, ["the environment variable `DB_PASSWORD` has another value"]);
    });
}

#[test]
fn what_only_the_content_tells_is_found_out() {
    run(async {
        let world = world();
        let planned = |change: fn(&mut Value)| {
            let world = &world;
            async move {
                world.save(&asked("hunter2-in-environment")).await.unwrap();
                forge(world, change);
                reasons(world).await
            }
        };
        assert_eq!(planned(|_| {}).await, [""; 0]);
        let tool = planned(|plan| plan["tool"] = json!({ "release": "9.0", "spec_format": 2, "bundle_format": 1 }));
        let here = env!("CARGO_PKG_VERSION");
        let told = format!("flyte 9.0 made it, which names versions otherwise than this release, {here}");
        assert_eq!(tool.await, [told]);
        let endpoint = planned(|plan| plan["target"]["endpoint"] = "dns:///old.example.com".into());
        let told = "the target `staging` was at dns:///old.example.com and is at dns:///staging.example.com now";
        assert_eq!(endpoint.await, [told]);
        // A forged spec is not deployed: the manifest says what is.
        let spec = planned(|plan| {
            let action = &mut plan["steps"][0]["action"];
            action["spec"]["spec.container.image"] = "evil:1".into();
            action["fingerprint"] = "00".repeat(32).into();
        });
        assert_eq!(spec.await, ["`web` would be deployed with another image"]);
        let text = planned(|plan| plan["files"]["more.toml"] = "00".repeat(32).into());
        assert_eq!(text.await, ["more.toml is no longer part of the manifest"]);
    });
}

#[test]
fn a_text_that_is_no_plan_is_told_from_one_that_was() {
    run(async {
        let world = world();
        world.save(&asked("x")).await.unwrap();
        let text = world.saved.lock().unwrap().clone();
        assert!(StoredPlan::read(&text).is_ok());
        // The order of members and the blanks between them say nothing.
        let compact = serde_json::from_str::<Value>(&text).unwrap().to_string();
        assert_eq!(StoredPlan::read(&compact).unwrap(), StoredPlan::read(&text).unwrap());
        // Wherever it is cut or a byte is another, it is not applied.
        for at in (0..text.trim_end().len()).step_by(7) {
            assert!(StoredPlan::read(&text[..at]).is_err(), "cut at {at}");
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes)
                && serde_json::from_str::<Value>(&changed).ok() != serde_json::from_str::<Value>(&text).ok()
            {
                assert!(StoredPlan::read(&changed).is_err(), "changed at {at}");
            }
        }
        assert_eq!(StoredPlan::read("").unwrap_err(), PlanFileError::NotAPlan);
        assert_eq!(StoredPlan::read("[1]").unwrap_err(), PlanFileError::NotAPlan);
        assert!(matches!(StoredPlan::read(&text[..200]).unwrap_err(), PlanFileError::Damaged { .. }));
    });
}

#[test]
fn pages_explain_it() {
    for code in ["plan::stale_plan", "plan::unusable_plan_file"] {
        assert!(PAGES.iter().any(|page| page.code.0 == code), "{code}");
    }
}
