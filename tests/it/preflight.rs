//! What a plan looks for on the control plane: how much it asks, and what is too large for it.

use flyte::apply::Options;
use flyte::diagnostic::{Severity, codes};
use flyte::plan::Policy;
use flyte::server::state::Profile;

use crate::support::world::{World, request, run};

fn manifest(apps: usize, value: &str) -> Vec<(String, String)> {
    let mut text = String::from("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n");
    text.push_str("[target.far]\nendpoint = \"dns:///flyte.example.com\"\ndefault = true\n");
    for at in 0..apps {
        text.push_str(&format!("[app.a{at}]\nimage = \"x:1\"\nargs = [\"run\"]\nenv = {{ V = \"{value}\" }}\n"));
        text.push_str("secrets = [\"token\"]\n");
    }
    vec![("flyte.toml".to_owned(), text)]
}

#[test]
fn a_spec_that_does_not_fit_an_annotation_is_refused_where_it_is_kept_in_one() {
    run(async {
        let mut world = World::new(Profile::Oss);
        let found = async |world: &World| {
            let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
            let found = plan.diagnostics.list.iter().find(|found| found.code == codes::SPEC_TOO_LARGE).cloned();
            (found.map(|found| (found.severity, found.labels[0].text.clone())), plan.is_refused())
        };
        let told = |severity| Some((severity, "`env.V` is its largest part".to_owned()));
        // 186 KiB become 248 KiB as base64.
        world.write(&manifest(1, &"x".repeat(187 << 10)));
        assert_eq!(found(&world).await, (told(Severity::Warning), false), "nothing is known of the server yet");
        world.write(&manifest(1, "small"));
        world.apply(&request(Policy::default()), &Options::default()).await.unwrap();
        world.write(&manifest(1, &"x".repeat(187 << 10)));
        assert_eq!(found(&world).await, (told(Severity::Error), true));
        world.write(&manifest(1, &"x".repeat(184 << 10)));
        assert_eq!(found(&world).await, (None, false));
    });
}

#[test]
fn a_plan_of_unchanged_apps_asks_for_the_list_alone() {
    for profile in [Profile::Full, Profile::Oss] {
        run(async {
            let mut world = World::new(profile);
            world.write(&manifest(200, "1"));
            let report = world.apply(&request(Policy::default()), &Options::default()).await.unwrap();
            assert!(report.outcome.is_success());
            world.simulator.forget_calls();
            let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
            assert!(plan.is_empty());
            let calls: Vec<String> = world.simulator.calls().iter().map(ToString::to_string).collect();
            assert!(calls.len() <= 2 && calls.iter().all(|call| call.starts_with("AppService/List")), "{calls:?}");
        });
    }
}
