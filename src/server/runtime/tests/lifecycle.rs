//! Start, readiness, failure and end of one revision.

use std::time::Duration;

use super::bed::{Bed, direct, server, write_bundle};
use crate::model::AppName;
use crate::server::runtime::{Entry, Observation, Parameter, ParameterValue, ReadyProbe};

#[tokio::test]
async fn an_app_starts_serves_and_stops() {
    let mut bed = Bed::new();
    let mut workload = server(1, "hello");
    workload.ready = ReadyProbe::Http("/".into());
    bed.runtime.set(workload.clone());
    let ready = Observation::Ready { replicas: 1 };
    assert_eq!(bed.until_ready(1).await, [(1, Observation::Starting), (1, Observation::Initializing), (1, ready)]);
    assert_eq!(bed.get().await, (http::StatusCode::OK, "hello".into()));
    let replicas = bed.runtime.replicas();
    assert_eq!(replicas.len(), 1);
    assert!(replicas[0].serving && replicas[0].name.starts_with("frontend-00001-"), "{replicas:?}");
    assert_eq!(bed.records(), 1);

    bed.runtime.set(workload.clone());
    bed.runtime.stop(&bed.app).await;
    assert_eq!(bed.event().await, (1, Observation::Stopped), "what runs already is not started again");
    let (status, text) = bed.get().await;
    assert_eq!((status.as_u16(), text.as_str()), (503, "app frontend is not available: it is stopped\n"));
    assert_eq!((bed.runtime.replicas(), bed.records()), (vec![], 0));
    assert!(bed.log().contains("listening\n"), "{}", bed.log());

    bed.runtime.set(workload);
    bed.until_ready(1).await;
    bed.runtime.remove(&bed.app).await;
    assert_eq!(bed.log(), "");
    assert!(!bed.directory.path().join("apps/shop/development/frontend").exists());
}

#[tokio::test]
async fn an_app_that_keeps_ending_is_a_crash_loop() {
    let mut bed = Bed::new();
    bed.runtime.set(direct(1, &["sh", "-c", "echo oops; exit 3"]));
    let events = bed.until(|_, observation| matches!(observation, Observation::CrashLoop { .. })).await;
    let exit = "exited with code 3".to_owned();
    let restarting = |attempt, milliseconds| {
        let retry_in = Duration::from_millis(milliseconds);
        (1, Observation::Restarting { exit: exit.clone(), attempt, retry_in })
    };
    let told: Vec<_> = events
        .into_iter()
        .filter(|(_, observation)| !matches!(observation, Observation::Starting | Observation::Initializing))
        .collect();
    let crash_loop = (1, Observation::CrashLoop { exit: exit.clone(), attempt: 3 });
    assert_eq!(told, [restarting(1, 20), restarting(2, 40), crash_loop]);
    assert_eq!(bed.log().matches("oops\n").count(), 3, "{}", bed.log());
    let again = (1, Observation::CrashLoop { exit, attempt: 4 });
    assert_eq!(bed.event().await, again, "tries go on, and only their end is told");
    let (_, text) = bed.get().await;
    assert!(text.contains("its process exited with code 3, again and again"), "{text}");

    bed.runtime.set(server(2, "mended"));
    bed.until_ready(2).await;
    assert_eq!(bed.get().await.1, "mended");
}

#[tokio::test]
async fn an_app_waits_for_its_secret() {
    let mut bed = Bed::new();
    let mut workload = server(1, "");
    workload.env.remove("ANSWER");
    workload.secrets.insert("ANSWER".into(), "db-password".into());
    bed.runtime.set(workload);
    let missing = Observation::SecretMissing { key: "db-password".into() };
    assert_eq!([bed.event().await, bed.event().await], [(1, Observation::Starting), (1, missing)]);
    bed.world.secrets.lock().expect("no panic").insert("db-password".into(), "s3cret".into());
    bed.until_ready(1).await;
    assert_eq!(bed.get().await.1, "s3cret");
    assert!(!bed.log().contains("s3cret"), "{}", bed.log());
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let mut bed = Bed::new();
    for (revision, argv, reason) in [
        (1, vec!["no-such-program"], "program `no-such-program` is not found"),
        (2, vec![], "neither a command nor arguments"),
    ] {
        bed.runtime.set(direct(revision, &argv));
        let (_, last) = bed
            .until(|found, observation| found == revision && *observation != Observation::Starting)
            .await
            .pop()
            .expect("one");
        assert!(matches!(&last, Observation::CannotStart { reason: found } if found.contains(reason)), "{last:?}");
    }
    let mut workload = direct(3, &[]);
    workload.entry = Entry::Serve {
        bundle: Some("/nowhere/b.tar.gz".into()),
        dest: "".into(),
        parameters: vec![],
        args: vec!["true".into()],
    };
    bed.runtime.set(workload);
    let (_, last) =
        bed.until(|found, observation| found == 3 && *observation != Observation::Starting).await.pop().expect("one");
    assert!(
        matches!(&last, Observation::CannotStart { reason } if reason.contains("/nowhere/b.tar.gz is gone")),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_bundle_is_served_with_its_parameters() {
    let mut bed = Bed::new();
    let bundle = bed.directory.path().join("bundle.tar.gz");
    let script = "import json, os\nos.environ['ANSWER'] = open('data.txt').read() + os.environ['BACKEND'] + ' ' \
                  + json.load(open('flyte-parameters.json'))['mode'] + ' ' + os.environ['FLYTE_INTERNAL_EXECUTION_PROJECT']\n";
    write_bundle(&bundle, &[("app.py", &format!("{script}{}", super::bed::SERVER)), ("data.txt", "data ")]);
    let parameter = |name: &str, env_var: Option<&str>, value| Parameter {
        name: name.into(),
        env_var: env_var.map(str::to_owned),
        value,
    };
    let mut workload = direct(1, &[]);
    workload.env.insert("SCRIPT".into(), "app.py".into());
    workload.entry = Entry::Serve {
        bundle: Some(bundle),
        dest: "".into(),
        parameters: vec![
            parameter(
                "backend",
                Some("BACKEND"),
                ParameterValue::Endpoint { app: AppName::new("backend").expect("a name"), public: false },
            ),
            parameter("mode", None, ParameterValue::Text("fast".into())),
        ],
        args: vec!["python3".into(), "$SCRIPT".into()],
    };
    bed.runtime.set(workload);
    bed.until_ready(1).await;
    assert_eq!(bed.get().await.1, "data http://127.0.0.1:8081 fast shop");
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_and_its_children_are_killed() {
    let mut bed = Bed::with(|config| config.grace = Duration::from_millis(200));
    bed.runtime.set(direct(1, &["sh", "-c", "trap '' TERM; echo up; sleep 1000 & while :; do sleep 1000; done"]));
    bed.until(|_, observation| *observation == Observation::Initializing).await;
    while !bed.log().contains("up\n") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let group = bed.runtime.replicas()[0].pid;
    bed.runtime.stop(&bed.app).await;
    assert!(!crate::server::runtime::system::is_group_alive(group));
    assert!(bed.log().contains("* did not end within 0.2 s of SIGTERM and is killed\n"), "{}", bed.log());
}
