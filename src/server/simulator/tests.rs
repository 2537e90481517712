use std::time::Duration;

use flyte_schema::flyteidl2::app::{Identifier, Meta, Spec, spec::DesiredState};
use flyte_schema::flyteidl2::core::Container;

use super::*;
use crate::model::{AppName, State as Phase};
use crate::port::Delivery;
use crate::port::memory::VirtualClock;
use crate::server::state::Profile;

fn app(name: &str, image: &str) -> App {
    let id = Identifier { project: "shop".into(), domain: "dev".into(), name: name.into(), ..Default::default() };
    App {
        metadata: Meta { id: id.into(), ..Default::default() }.into(),
        spec: Spec {
            app_payload: Some(Container { image: image.into(), ..Default::default() }.into()),
            desired_state: DesiredState::DESIRED_STATE_ACTIVE.into(),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

fn id(name: &str) -> AppId {
    let scope = Scope { org: String::new(), project: "shop".into(), domain: "dev".into() };
    scope.app(&AppName::new(name).unwrap())
}

fn simulator() -> (Simulator, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::default());
    (Simulator::new(Profile::Full.quirks(), clock.clone()), clock)
}

fn fault(rpc: &str, occurrence: u32, effect: Effect) -> Fault {
    Fault { rpc: Some(rpc.into()), app: None, occurrence, effect }
}

#[tokio::test(start_paused = true)]
async fn an_app_becomes_active_in_virtual_time() {
    let (simulator, clock) = simulator();
    simulator.set_behaviour("slow", Behaviour::ready_after(Duration::from_secs(600)));
    let begun = clock.now();
    simulator.create(app("slow", "1")).await.unwrap();
    let mut updates = simulator.watch(&id("slow")).await.unwrap();
    let mut seen = Vec::new();
    while let Some(Ok(Update::Is(app))) = updates.next().await {
        let state = LiveApp(*app).state();
        seen.push(state);
        if state == Phase::Active {
            break;
        }
    }
    assert_eq!(seen, [Phase::Deploying, Phase::Deploying, Phase::Active]);
    assert_eq!(clock.now().duration_since(begun).as_secs(), 600);
    simulator.delete(&id("slow")).await.unwrap();
    assert!(matches!(updates.next().await, Some(Ok(Update::Gone))));
    let calls: Vec<String> = simulator.calls().iter().map(Call::to_string).collect();
    assert_eq!(calls, ["AppService/Create slow ACTIVE", "AppService/Watch slow", "AppService/Delete slow"]);
}

#[tokio::test(start_paused = true)]
async fn faults_happen_once_and_as_told() {
    let (simulator, clock) = simulator();
    simulator.inject(fault("Create", 1, Effect::Error(RpcCode::Unavailable)));
    simulator.inject(fault("Create", 2, Effect::LostReply));
    let refused = simulator.create(app("a", "1")).await.unwrap_err();
    assert!(refused.delivery == Delivery::Answered && simulator.get(&id("a")).await.unwrap().is_none());
    let lost = simulator.create(app("a", "1")).await.unwrap_err();
    assert!(lost.is_outcome_unknown() && lost.delivery == Delivery::Unanswered);
    let before = simulator.get(&id("a")).await.unwrap().unwrap();

    let mut next = app("a", "2");
    next.metadata.get_or_insert_default().revision = before.metadata.revision;
    simulator.update(next, "").await.unwrap();
    simulator.inject(fault("Get", 1, Effect::StaleRead));
    assert_eq!(simulator.get(&id("a")).await.unwrap().unwrap().metadata.revision, 1);
    assert_eq!(simulator.get(&id("a")).await.unwrap().unwrap().metadata.revision, 2);

    simulator.inject(fault("Get", 1, Effect::DelayMs(5000)));
    let begun = clock.now();
    simulator.get(&id("a")).await.unwrap();
    assert_eq!(clock.now().duration_since(begun).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_crash_ends_all_answers_until_restart() {
    let (simulator, _) = simulator();
    simulator.inject(Fault { rpc: None, app: None, occurrence: 2, effect: Effect::CrashAfter });
    let work = async {
        for name in ["a", "b", "c"] {
            simulator.create(app(name, "1")).await.unwrap();
        }
    };
    tokio::select! {
        () = work => panic!("it crashes before"),
        () = simulator.crashed() => {}
    }
    simulator.restart();
    let names: Vec<String> = simulator.apps().iter().map(|app| app.metadata.id.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
    simulator.create(app("c", "1")).await.unwrap();
}
