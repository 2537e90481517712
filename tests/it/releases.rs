//! What is on record is whole, holds no secret, and is lost by nobody.

use std::path::Path;

use buffa::Message as _;
use flyte::apply::Options;
use flyte::model::LiveApp;
use flyte::pipeline::{self, Places, Request, Rollback};
use flyte::plan::{Consent, Operation, Policy};
use flyte::port::Releases as _;
use flyte::release::{Folder, LogEntry, decode};
use flyte::report::{Paint, outcome_text, plan_text};
use flyte::resolve::Selection;
use flyte::server::simulator::{Effect, Fault};
use flyte::server::state::Profile;
use flyte_schema::flyteidl2::app::App;

use crate::support::world::{World, request, run};

const PROFILES: [Profile; 2] = [Profile::Full, Profile::Oss];

fn tree(version: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/apply/rollback").join(version)
}

async fn apply(world: &mut World, version: &str) -> flyte::report::Report {
    world.load(&tree(version));
    let report = world.apply(&request(Policy::default()), &options()).await.unwrap();
    assert!(report.outcome.is_success(), "{version}: {}", outcome_text(&report, Paint::default()));
    report
}

fn options() -> Options {
    Options { by: "ada@desk".into(), ..Options::default() }
}

async fn roll_back(world: &World, app: &str, to: Option<&str>) -> Result<flyte::report::Report, pipeline::Error> {
    let ports = world.ports();
    let what = Rollback { app: app.into(), to: to.map(str::to_owned), with_dependencies: true };
    let planned = pipeline::rollback(&ports, &request(Policy::default()), &what).await?;
    pipeline::apply(&ports, &planned.approve(Consent::given())?, &options()).await
}

fn apps(world: &World) -> Vec<LiveApp> {
    let mut apps: Vec<LiveApp> = world.simulator.apps().into_iter().map(LiveApp).collect();
    apps.sort_by(|a, b| a.name().cmp(b.name()));
    apps
}

/// Everything of an app that was asked for.
fn asked(app: &LiveApp) -> Vec<u8> {
    let metadata = &app.0.metadata;
    let asked = App {
        metadata: flyte_schema::flyteidl2::app::Meta {
            labels: metadata.labels.clone(),
            code_bundle_uri: metadata.code_bundle_uri.clone(),
            ..Default::default()
        }
        .into(),
        spec: app.0.spec.clone(),
        ..Default::default()
    };
    asked.encode_to_vec()
}

#[test]
fn a_rollback_restores_spec_code_and_image_to_the_byte() {
    for profile in PROFILES {
        run(async {
            let mut world = World::new(profile);
            apply(&mut world, "v1").await;
            let before: Vec<Vec<u8>> = apps(&world).iter().map(asked).collect();
            let first = apps(&world)[1].marks().unwrap().version;
            apply(&mut world, "v2").await;
            apply(&mut world, "v3").await;
            assert_ne!(apps(&world).iter().map(asked).collect::<Vec<_>>(), before);

            let report = roll_back(&world, "frontend", Some(&first)).await.unwrap();
            assert!(report.outcome.is_success(), "{}", outcome_text(&report, Paint::default()));
            assert_eq!(apps(&world).iter().map(asked).collect::<Vec<_>>(), before, "{profile:?}");
            for app in apps(&world) {
                let address = app.bundle_address().unwrap();
                assert!(world.simulator.uploaded(address).is_some(), "the code is where the spec says");
            }

            world.load(&tree("v1"));
            let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
            assert!(plan.is_empty() && plan.steps.is_empty(), "{}", plan_text(&plan, Paint::default()));
            world.load(&tree("v3"));
            let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
            assert_eq!(plan.counts().update, 2, "the next apply brings back what the manifest says");
            apply(&mut world, "v3").await;
            let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
            assert!(plan.is_empty() && plan.steps.is_empty());
        });
    }
}

#[test]
fn no_record_holds_a_secret_and_what_is_concealed_comes_from_elsewhere_or_not_at_all() {
    run(async {
        let mut world = World::new(Profile::Full);
        apply(&mut world, "v1").await;
        apply(&mut world, "v2").await;
        for (name, content) in world.releases.objects() {
            let text = String::from_utf8_lossy(&content).into_owned();
            assert!(!text.contains("correct horse"), "{name}");
        }
        // It runs with the same password.
        roll_back(&world, "backend", None).await.unwrap();
        let password =
            |world: &World| flyte::model::spec::variable(apps(world)[0].spec(), "DB_PASSWORD").map(str::to_owned);
        assert_eq!(password(&world).as_deref(), Some("correct horse"));
        // Now it has another, and so has the manifest.
        let text = std::fs::read_to_string(tree("v2").join("flyte.toml")).unwrap();
        let other = text.replace("correct horse", "battery staple");
        world.write(&[("flyte.toml".into(), other), ("serve.py".into(), "print(4)".into())]);
        world.apply(&request(Policy::default()), &options()).await.unwrap();
        let refused = roll_back(&world, "backend", None).await.unwrap_err().to_string();
        assert!(refused.contains("spec.container.env[DB_PASSWORD] are not on record"), "{refused}");
        assert!(!refused.contains("horse") && !refused.contains("staple"), "{refused}");
    });
}

#[test]
fn what_cannot_be_read_is_named_and_ignored() {
    run(async {
        let mut world = World::new(Profile::Full);
        apply(&mut world, "v1").await;
        let objects = world.releases.objects();
        let record = objects.keys().find(|name| name.contains("apps/backend/releases/")).unwrap().clone();
        let log = objects.keys().find(|name| name.contains("apps/backend/log/")).unwrap().clone();
        let newer = String::from_utf8_lossy(&objects[&record]).replacen("\"format\": 1", "\"format\": 2", 1);
        world.releases.overwrite(&record, newer);
        world.releases.overwrite(&log.replace("-applied-", "-promoted-"), "{}");
        let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
        let told = plan.diagnostics.list.iter().map(|found| format!("{}: {}", found.code, found.message));
        let warnings: Vec<String> = told.filter(|told| !told.starts_with("manifest::")).collect();
        assert!(plan.is_empty());
        assert_eq!(plan.unrecorded(), 1, "the next apply puts it on record again");
        assert_eq!(warnings.len(), 2, "{warnings:#?}");
        assert!(warnings.iter().any(|warning| warning.contains("format 2")), "{warnings:#?}");
        assert!(warnings.iter().all(|warning| warning.starts_with("release::unreadable_record: ")), "{warnings:#?}");
        // An apply goes on, and what it writes can be read.
        apply(&mut world, "v2").await;
        let refused = roll_back(&world, "backend", None).await.unwrap_err().to_string();
        assert!(refused.contains("cannot be used: it has format 2"), "{refused}");
        // What was edited is not trusted.
        world.releases.overwrite(&record, String::from_utf8_lossy(&objects[&record]).replace("info", "trace"));
        let refused = roll_back(&world, "backend", None).await.unwrap_err().to_string();
        assert!(refused.contains("it was changed or cut off"), "{refused}");
    });
}

#[test]
fn a_record_is_named_by_its_content_and_the_log_by_its_events() {
    run(async {
        let mut world = World::new(Profile::Full);
        apply(&mut world, "v1").await;
        let update = Some("Update".to_owned());
        world.simulator.inject(Fault { rpc: update, app: None, occurrence: 1, effect: Effect::LostReply });
        apply(&mut world, "v2").await;
        let scope =
            flyte::model::Scope { org: String::new(), project: "flytesnacks".into(), domain: "development".into() };
        let folder = Folder::new(&scope, "shop");
        let (mut events, mut records) = (0, 0);
        for (name, content) in world.releases.objects() {
            if let Some((_, _, event)) = folder.parse_event(&name) {
                let entry = LogEntry::parse(event).unwrap();
                let told = flyte::release::decode_event(&content).unwrap();
                assert_eq!(LogEntry::of(&told), entry);
                let app = &told.app;
                assert!(world.releases.objects().contains_key(&folder.release(app, entry.release.unwrap())));
                assert_eq!(told.by, "ada@desk");
                events += 1;
            } else if name.contains("/releases/") {
                let digest = flyte::model::Digest::of(&content).to_string();
                assert!(name.ends_with(&format!("/{digest}.json")), "{name}");
                let release = decode(&content).unwrap();
                assert!(release.code.as_ref().is_some_and(|code| code.address.is_some()), "{name}");
                assert!(world.releases.objects().contains_key(&folder.code(release.code.unwrap().digest)));
                records += 1;
            }
        }
        // A lost answer is on record once it is known that the write happened.
        assert_eq!((events, records), (4, 4));
    });
}

#[test]
fn a_mark_of_somebody_else_is_no_name_in_the_store() {
    run(async {
        let mut world = World::new(Profile::Oss);
        apply(&mut world, "v1").await;
        let mut app = flyte_schema::to_json(&apps(&world)[0].0).unwrap();
        app["status"] = serde_json::Value::Null;
        let env = app["spec"]["container"]["env"].as_array_mut().unwrap();
        let mark = env.iter_mut().find(|pair| pair["key"] == "FLYTE_DEPLOY_VERSION").unwrap();
        mark["value"] = "x/../../../../../../evil".into();
        world.simulator.put(flyte_schema::from_json(app).unwrap()).unwrap();
        assert_eq!(apps(&world)[0].marks(), None);
        let ports = world.ports();
        for operation in [Operation::Deactivate, Operation::Activate, Operation::Delete] {
            let planned =
                pipeline::operate(&ports, &request(Policy::default()), operation, &["backend".into()]).await.unwrap();
            pipeline::apply(&ports, &planned.approve(Consent::given()).unwrap(), &options()).await.unwrap();
        }
        let names: Vec<String> = world.releases.objects().into_keys().collect();
        assert!(names.iter().all(|name| !name.contains("evil") && !name.contains("..")), "{names:#?}");
        let history = pipeline::history(&ports, &request(Policy::default()), None, 9, Places::Selected).await.unwrap();
        assert_eq!(history.events.len(), 5, "{:#?}", history.events);
    });
}

#[test]
fn cleaning_keeps_the_code_that_a_record_may_need_that_cannot_be_read() {
    run(async {
        let mut world = World::new(Profile::Full);
        for version in ["v1", "v2", "v3"] {
            apply(&mut world, version).await;
        }
        let before = world.releases.objects();
        let count = |world: &World, part: &str| world.releases.objects().keys().filter(|n| n.contains(part)).count();
        let (ports, asked) = (world.ports(), request(Policy::default()));
        let mut told = pipeline::history(&ports, &asked, Some("backend"), 1, Places::Selected).await.unwrap().events;
        let last = told.remove(0).entry.release.unwrap().to_string();
        let record = before.keys().find(|name| name.ends_with(&format!("/releases/{last}.json"))).unwrap();
        let newer = String::from_utf8_lossy(&before[record]).replacen("\"format\": 1", "\"format\": 2", 1);
        world.releases.overwrite(record, newer);
        let cleaning = pipeline::clean(&world.ports(), &request(Policy::default()), None, 1).await.unwrap();
        let told = cleaning.diagnostics.list.iter().find(|found| found.message.contains("format 2"));
        assert!(told.is_some_and(|found| found.message.contains(&last)), "{:#?}", cleaning.diagnostics);
        pipeline::remove(&world.ports(), &cleaning).await.unwrap();
        assert_eq!((count(&world, "/releases/"), count(&world, "/code/")), (2, 3));
        // Once it can be read, what nothing needs goes.
        world.releases.overwrite(record, before[record].clone());
        apply(&mut world, "v1").await;
        let cleaning = pipeline::clean(&world.ports(), &request(Policy::default()), None, 1).await.unwrap();
        pipeline::remove(&world.ports(), &cleaning).await.unwrap();
        assert_eq!(count(&world, "/releases/"), 2);
    });
}

#[test]
fn cleaning_keeps_a_record_that_only_an_event_names_that_cannot_be_read() {
    run(async {
        let mut world = World::new(Profile::Full);
        apply(&mut world, "v1").await;
        apply(&mut world, "v2").await;
        let objects = world.releases.objects();
        let oldest = objects.keys().find(|name| name.contains("/backend/log/")).unwrap();
        let release = LogEntry::parse(oldest.rsplit('/').next().unwrap()).unwrap().release.unwrap().to_string();
        world.releases.overwrite(&oldest.replace("-applied-", "-promoted-"), "{}");
        let cleaning = pipeline::clean(&world.ports(), &request(Policy::default()), None, 1).await.unwrap();
        assert_eq!(cleaning.versions.len(), 2);
        pipeline::remove(&world.ports(), &cleaning).await.unwrap();
        assert!(world.releases.objects().keys().any(|name| name.ends_with(&format!("{release}.json"))));
    });
}

/// The objects of the store that are records of an app.
fn records_of(world: &World, app: &str) -> Vec<String> {
    let is_record = |name: &String| name.contains(&format!("/apps/{app}/releases/"));
    world.releases.objects().into_keys().filter(is_record).collect()
}

#[test]
fn what_is_cleaned_while_it_is_brought_back_is_on_record_again() {
    run(async {
        let mut world = World::new(Profile::Full);
        apply(&mut world, "v1").await;
        apply(&mut world, "v2").await;
        let ports = world.ports();
        let what = Rollback { app: "backend".into(), ..Rollback::default() };
        let planned = pipeline::rollback(&ports, &request(Policy::default()), &what).await.unwrap();
        for record in records_of(&world, "backend") {
            world.releases.remove(&record).await.unwrap();
        }
        pipeline::apply(&ports, &planned.approve(Consent::given()).unwrap(), &options()).await.unwrap();
        assert_eq!(records_of(&world, "backend").len(), 1);
        world.load(&tree("v1"));
        let only = Request {
            selection: Selection { apps: vec!["backend".into()], ..Selection::default() },
            ..request(Policy::default())
        };
        let plan = world.plan(&only).await.unwrap().plan;
        let told = plan.diagnostics.list.iter().filter(|found| found.code.to_string().starts_with("release::"));
        assert_eq!((plan.is_empty(), plan.unrecorded(), told.count()), (true, 0, 0));
    });
}

#[test]
fn a_record_of_before_that_tells_no_dependencies_is_taken_with_what_is_declared_now() {
    run(async {
        let mut world = World::new(Profile::Full);
        let shop = |version: &str| {
            let text =
                std::fs::read_to_string(tree("../rollback-as-of-then").join(version).join("flyte.toml")).unwrap();
            [("flyte.toml".to_owned(), text)]
        };
        for version in ["v1", "v2", "v4"] {
            world.write(&shop(version));
            world.apply(&request(Policy::default()), &options()).await.unwrap();
        }
        let declared = "  \"depends_on\": [\n    \"backend\"\n  ],\n";
        let objects = world.releases.objects();
        let records = records_of(&world, "frontend");
        let told = records.iter().find(|name| String::from_utf8_lossy(&objects[*name]).contains(declared)).unwrap();
        // As it would have been written before.
        let old = String::from_utf8_lossy(&objects[told]).replace(declared, "");
        let name = |record: &str| record.rsplit('/').next().unwrap().replace(".json", "");
        let digest = flyte::model::Digest::of(old.as_bytes()).to_string();
        world.releases.overwrite(&told.replace(&name(told), &digest), old);
        let event = objects.keys().find(|event| event.contains(&format!("-{}-", name(told)))).unwrap();
        world.releases.overwrite(&event.replace(&name(told), &digest), objects[event].clone());
        world.releases.remove(event).await.unwrap();

        let ports = world.ports();
        let what = Rollback { app: "frontend".into(), to: None, with_dependencies: true };
        let plan = |planned: pipeline::Planned| plan_text(&planned.plan, Paint::default());
        let untold = "its record does not tell what it depended on";
        // Nothing is declared now.
        let text = plan(pipeline::rollback(&ports, &request(Policy::default()), &what).await.unwrap());
        assert!(text.contains(untold) && !text.contains("backend"), "{text}");
        world.write(&shop("v1"));
        let ports = world.ports();
        let text = plan(pipeline::rollback(&ports, &request(Policy::default()), &what).await.unwrap());
        assert!(text.contains(untold) && text.contains("~ backend"), "{text}");
    });
}
