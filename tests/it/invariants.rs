//! What holds for every manifest: over every example, and over worlds made up from a seed.
//!
//! A failure prints the seed and the manifest of its world.

use std::collections::BTreeSet;
use std::path::Path;

use flyte::apply::{Options, Outcome, StepOutcome, Write};
use flyte::canonical::fingerprint;
use flyte::model::{AppName, LiveApp, State};
use flyte::plan::Policy;
use flyte::port::Clock;
use flyte::port::RpcCode;
use flyte::report::Report;
use flyte::server::simulator::{Behaviour, Effect, Fault};
use flyte::server::state::{Profile, Quirks};
use flyte_schema::flyteidl2::app::App;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::support::world::{World, request, run};

const PROFILES: [Profile; 2] = [Profile::Full, Profile::Oss];

/// Any control plane that could be: every switch on its own. Revisions are compared only where they are told, or no
/// update would ever be taken.
fn any_server() -> impl Strategy<Value = Quirks> {
    prop::collection::vec(any::<bool>(), 24).prop_map(|on| Quirks {
        create_is_upsert: on[0],
        create_starts: on[1],
        stopped_update_discards_spec: on[2],
        answers_echo_request: on[3],
        skips_unchanged: on[4],
        compares_revisions: on[5] && on[6],
        keeps_revisions: on[6],
        keeps_labels: on[7],
        keeps_metadata: on[8],
        fills_substates: on[9],
        fills_deployment_id: on[10],
        fills_creator: on[11],
        default_org: if on[12] { "flyte" } else { "" },
        validates: on[13],
        list_by_org: on[14],
        delete_missing_is_ok: on[15],
        watch_project: on[16],
        watch_leaks_names: on[20],
        watch_drops_events: on[17],
        names_collide: on[21],
        fills_timeout: on[19],
        stale_active_after_write: on[18],
        stopped_hides_ingress: on[22],
        get_cached_for: on[23].then_some(std::time::Duration::from_secs(30)),
    })
}

fn everything() -> Policy {
    Policy { prune: true, ..Policy::default() }
}

async fn assert_plan_is_empty(world: &World, policy: Policy, told: &str) {
    let plan = world.plan(&request(policy)).await.unwrap().plan;
    let text = flyte::report::plan_text(&plan, flyte::report::Paint::default());
    assert!(plan.is_empty(), "{told}: the plan after apply is not empty\n{text}");
}

#[test]
fn after_an_apply_of_any_example_the_plan_is_empty() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let directory = entry.unwrap().path();
        if !directory.join("flyte.toml").exists() {
            continue;
        }
        seen += 1;
        for profile in PROFILES {
            run(async {
                let mut world = World::new(profile);
                world.load(&directory);
                let built = Path::new(crate::support::world::ROOT).join("target/release/primes");
                world.files.insert(built, &b"a program"[..]);
                let report = world.apply(&request(everything()), &Options::default()).await.unwrap();
                assert!(report.outcome.is_success(), "{}: {:?}", directory.display(), report.apps);
                assert_plan_is_empty(&world, everything(), &directory.display().to_string()).await;
                world.simulator.forget_calls();
                world.apply(&request(everything()), &Options::default()).await.unwrap();
                let writes = world.simulator.calls().into_iter().filter(|call| is_write(call.method)).count();
                assert_eq!(writes, 0, "{}: the second apply writes", directory.display());
            });
        }
    }
    assert!(seen >= 3, "only {seen} examples were found");
}

fn is_write(method: &str) -> bool {
    !["AppService/Get", "AppService/List", "AppService/Watch"].contains(&method)
}

/// An app of a made-up world.
#[derive(Debug, Clone)]
struct Made {
    version: u8,
    auto: bool,
    min: u8,
    secret: bool,
    code: bool,
    needs: Vec<(u8, bool)>,
    endpoint: bool,
}

fn app() -> impl Strategy<Value = Made> {
    (
        0..3u8,
        any::<bool>(),
        0..3u8,
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec((any::<u8>(), any::<bool>()), 0..3),
        any::<bool>(),
    )
        .prop_map(|(version, auto, min, secret, code, needs, endpoint)| Made {
            version,
            auto,
            min,
            secret,
            code,
            needs,
            endpoint,
        })
}

/// `None` leaves the app out.
fn apps() -> impl Strategy<Value = Vec<Option<Made>>> {
    prop::collection::vec(prop::option::weighted(0.8, app()), 1..7)
}

/// The files of a world: a manifest, and the code of the apps that have some.
fn files(apps: &[Option<Made>]) -> Vec<(String, String)> {
    let mut text = String::from("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n");
    let mut files = Vec::new();
    for (at, made) in apps.iter().enumerate() {
        let Some(made) = made else { continue };
        let before: Vec<usize> = (0..at).filter(|other| apps[*other].is_some()).collect();
        let mut needs = BTreeSet::new();
        let mut written = Vec::new();
        for (which, wait) in &made.needs {
            if !before.is_empty() && needs.insert(before[*which as usize % before.len()]) {
                let name = before[*which as usize % before.len()];
                written.push(format!("{{ app = \"a{name}\", wait = {wait} }}"));
            }
        }
        text.push_str(&format!("\n[app.a{at}]\nargs = [\"python\", \"main.py\", \"v{}\"]\n", made.version));
        text.push_str(&format!("activation = \"{}\"\n", if made.auto { "auto" } else { "manual" }));
        text.push_str(&format!("scaling = {{ replicas = {{ min = {}, max = 3 }} }}\n", made.min));
        text.push_str(&format!("depends_on = [{}]\n", written.join(", ")));
        if made.secret {
            text.push_str("secrets = [{ key = \"K\", env = \"SOME_SECRET\" }]\n");
        }
        if made.code {
            text.push_str(&format!("source = {{ root = \".\", include = [\"a{at}.py\"] }}\n"));
            files.push((format!("a{at}.py"), format!("print({})\n", made.version)));
        }
        match before.first().filter(|_| made.endpoint) {
            Some(other) => {
                text.push_str(&format!("env = {{ OTHER = {{ endpoint = \"a{other}\" }}, V = \"{}\" }}\n", made.version))
            }
            None => text.push_str(&format!("env = {{ V = \"{}\" }}\n", made.version)),
        }
    }
    files.push(("flyte.toml".to_owned(), text));
    files
}

pub fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(2026), ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn after_any_change_the_plan_after_apply_is_empty() {
    check(60, (apps(), apps(), any::<bool>()), |(first, second, oss)| {
        let profile = if oss { Profile::Oss } else { Profile::Full };
        converge(&profile.quirks(), &[&first, &second]);
    });
}

#[test]
fn on_any_server_the_plan_after_apply_is_empty_and_apps_are_as_declared() {
    check(60, (any_server(), apps(), apps()), |(quirks, first, second)| converge(&quirks, &[&first, &second]));
}

/// Applies manifests one after the other. After each, nothing is left to do, and every app runs, or does not, as it is
/// declared.
fn converge(quirks: &Quirks, manifests: &[&[Option<Made>]]) {
    run(async {
        let mut world = World::with(quirks.clone());
        let mut ran = BTreeSet::new();
        for made in manifests {
            let files = files(made);
            world.write(&files);
            let told = format!("{quirks:?}\n{}", files.last().unwrap().1);
            let report = world.apply(&request(everything()), &Options::default()).await.unwrap();
            let steps =
                || report.outcome.steps.iter().map(|step| format!("{} {:?} {:?}", step.action, step.write, step.gate));
            assert!(report.outcome.is_success(), "{told}\n{}", steps().collect::<Vec<_>>().join("\n"));
            assert_plan_is_empty(&world, everything(), &told).await;
            assert_as_declared(&world, made, &mut ran, &told);
        }
    });
}

/// Every app runs that is declared to, or ran before; no other does. `ran` goes from one manifest to the next.
fn assert_as_declared(world: &World, made: &[Option<Made>], ran: &mut BTreeSet<String>, told: &str) {
    ran.retain(|name| (0..made.len()).any(|at| made[at].is_some() && *name == format!("a{at}")));
    for (at, app) in made.iter().enumerate() {
        let (Some(app), name) = (app, format!("a{at}")) else { continue };
        if app.auto {
            ran.insert(name.clone());
        }
        let live = world.simulator.apps().into_iter().map(LiveApp).find(|live| live.name() == name).unwrap();
        let expected = if ran.contains(&name) { State::Active } else { State::Stopped };
        assert_eq!((live.state(), live.is_stopped()), (expected, !ran.contains(&name)), "{name}\n{told}");
    }
}

#[test]
fn after_a_crash_at_any_request_the_next_apply_converges() {
    check(8, (any_server(), apps(), apps(), any::<bool>()), |(any, first, second, oss)| {
        let quirks = if oss { Profile::Oss.quirks() } else { any };
        let mut request_number = 1;
        loop {
            let crashed = run(async {
                let mut world = World::with(quirks.clone());
                world.write(&files(&first));
                world.apply(&request(everything()), &Options::default()).await.unwrap();
                let mut ran = BTreeSet::new();
                assert_as_declared(&world, &first, &mut ran, "before the crash");
                world.write(&files(&second));
                let effect = if request_number % 2 == 0 { Effect::Crash } else { Effect::CrashAfter };
                world.simulator.inject(Fault { rpc: None, app: None, occurrence: request_number, effect });
                let (asked, options) = (request(everything()), Options::default());
                let crashed = tokio::select! {
                    biased;
                    () = world.simulator.crashed() => true,
                    _ = world.apply(&asked, &options) => false,
                };
                world.simulator.restart();
                world.simulator.forget_faults();
                // By then the server has told a first status of what it started: an app that has none, on a server
                // that nothing is known of, is taken for what its spec says.
                world.clock.sleep(std::time::Duration::from_secs(5)).await;
                let told =
                    format!("{quirks:?}, crash at request {request_number}\n{}", files(&second).last().unwrap().1);
                let report = world.apply(&asked, &options).await.unwrap();
                assert!(report.outcome.is_success(), "{told}\n{:#?}", report.apps);
                assert_plan_is_empty(&world, everything(), &told).await;
                // Nothing is still on its way.
                world.clock.sleep(std::time::Duration::from_secs(60)).await;
                assert_plan_is_empty(&world, everything(), &told).await;
                assert_as_declared(&world, &second, &mut ran, &told);
                crashed
            });
            if !crashed {
                break;
            }
            request_number += 1;
        }
    });
}

#[test]
fn a_report_claims_only_what_the_server_saw() {
    let rpc = prop::sample::select(vec!["Create", "Update", "Delete", "CreateUploadLocation", "Get"]);
    let fault = (rpc, 1..5u32, 0..4u8);
    check(
        120,
        (any_server(), apps(), apps(), prop::collection::vec(fault, 0..4), any::<bool>(), any::<u8>()),
        |(quirks, first, second, faults, again, crashes)| {
            run(async {
                let mut world = World::with(quirks);
                world.write(&files(&first));
                if again {
                    world.apply(&request(everything()), &Options::default()).await.unwrap();
                    world.write(&files(&second));
                }
                for (rpc, occurrence, effect) in &faults {
                    let effect = match effect {
                        0 => Effect::Error(RpcCode::Internal),
                        1 => Effect::Error(RpcCode::PermissionDenied),
                        2 => Effect::Error(RpcCode::Aborted),
                        _ => Effect::LostReply,
                    };
                    let fault = Fault { rpc: Some((*rpc).to_owned()), app: None, occurrence: *occurrence, effect };
                    world.simulator.inject(fault);
                }
                world.simulator.set_behaviour(
                    &format!("a{}", crashes % 8),
                    Behaviour::crash_loop_after(std::time::Duration::from_secs(1)),
                );
                let before = world.simulator.apps();
                let report = world.apply(&request(everything()), &Options::default()).await.unwrap();
                assert_claims(&report, &before, &world.simulator.apps());
            });
        },
    );
}

/// What a report says against what the server has, and had.
fn assert_claims(report: &Report, before: &[App], now: &[App]) {
    let of = |apps: &[App], name: &AppName| {
        apps.iter().find(|app| app.metadata.id.name == name.as_str()).map(|app| LiveApp(app.clone()))
    };
    for step in &report.outcome.steps {
        let found = of(now, &step.app);
        let planned = report.plan.apps.iter().find(|app| app.name == step.app).unwrap();
        let runs_planned = || {
            let version = planned.version.as_ref().map(|version| version.digest);
            found.as_ref().and_then(LiveApp::marks).map(|marks| marks.digest) == version
        };
        match (&step.write, step.action) {
            (Write::Done, "create" | "update") => assert!(runs_planned(), "{step:#?}"),
            (Write::Done, "delete") => assert!(found.is_none(), "{step:#?}"),
            _ => {}
        }
    }
    // Whoever is told that nothing was written finds everything as it was.
    for app in &report.apps {
        let untouched = |step: &&StepOutcome| matches!(step.write, Write::Failed { .. } | Write::Skipped(_));
        let steps: Vec<_> = report.outcome.steps.iter().filter(|step| step.app == app.name).collect();
        if !steps.is_empty() && steps.iter().all(untouched) {
            let spec = |apps: &[App]| of(apps, &app.name).map(|app| fingerprint(&app.0));
            assert_eq!(spec(now), spec(before), "{app:#?}\n{steps:#?}");
        }
        let is_active = of(now, &app.name).map(|live| live.state()) == Some(State::Active);
        assert!(!app.status.is_success() || app.state != Some(State::Active) || is_active, "{app:#?}");
    }
    let written = |outcome: &Outcome| !outcome.wrote_nothing();
    let specs = |apps: &[App]| apps.iter().map(fingerprint).collect::<Vec<_>>();
    assert!(written(&report.outcome) || specs(before) == specs(now), "{:#?}", report.outcome);
}

#[test]
fn pruning_keeps_to_its_own_apps() {
    check(30, (apps(), apps()), |(first, second)| {
        run(async {
            let mut world = World::new(Profile::Full);
            world.write(&files(&first));
            world.apply(&request(everything()), &Options::default()).await.unwrap();
            let mut others: Vec<_> = world.simulator.apps();
            for app in &mut others {
                let json = flyte_schema::to_json(app).unwrap().to_string().replace("\"shop\"", "\"blog\"");
                *app = flyte_schema::from_json_str(&json).unwrap();
                app.status = Default::default();
                let id = app.metadata.get_or_insert_default().id.get_or_insert_default();
                id.name = format!("blog-{}", id.name);
                world.simulator.put(app.clone()).unwrap();
            }
            world.write(&files(&second));
            world.apply(&request(everything()), &Options::default()).await.unwrap();
            for app in others {
                let name = &app.metadata.id.name;
                assert!(world.simulator.apps().iter().any(|live| live.metadata.id.name == *name), "{name} was pruned");
            }
        });
    });
}

#[test]
fn the_same_input_gives_the_same_plan() {
    check(20, apps(), |made| {
        let plan = || {
            run(async {
                let mut world = World::new(Profile::Full);
                world.write(&files(&made));
                flyte::report::plan_json(&world.plan(&request(everything())).await.unwrap().plan).to_string()
            })
        };
        assert_eq!(plan(), plan());
    });
}

#[test]
fn a_saved_plan_is_the_same_plan_again() {
    check(40, (apps(), apps(), any::<bool>()), |(first, second, oss)| {
        let profile = if oss { Profile::Oss } else { Profile::Full };
        run(async {
            let mut world = World::new(profile);
            world.write(&files(&first));
            world.apply(&request(everything()), &Options::default()).await.unwrap();
            let files = files(&second);
            let told = format!("{profile:?}\n{}", files.last().unwrap().1);
            world.write(&files);
            let planned = world.save(&request(everything())).await.unwrap();
            let restored = world.restore(&request(Policy::default())).await.unwrap();
            let text = |plan| flyte::report::plan_text(plan, flyte::report::Paint::default());
            assert_eq!(text(&planned.plan), text(&restored.plan), "{told}");
            assert_eq!(format!("{:#?}", planned.plan.steps), format!("{:#?}", restored.plan.steps), "{told}");
            let (planned, restored) = (&planned.plan, &restored.plan);
            assert_eq!(flyte::report::plan_json(planned), flyte::report::plan_json(restored), "{told}");
            let report = world.apply_saved(&request(Policy::default()), &Options::default()).await.unwrap();
            assert!(report.outcome.is_success(), "{told}\n{:#?}", report.apps);
            assert_plan_is_empty(&world, everything(), &told).await;
            // What was written is not written twice.
            if !planned.is_empty() {
                let again = world.restore(&request(Policy::default())).await;
                assert!(matches!(again, Err(flyte::pipeline::Error::Stale(_))), "{told}");
            }
        });
    });
}
