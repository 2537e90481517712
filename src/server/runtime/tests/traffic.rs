//! Updates and scale to zero while requests come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request, StatusCode};

use super::bed::{Bed, connect, direct, server};
use crate::server::ingress::port;
use crate::server::runtime::Observation;

/// Requests without pause until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..4).map(|number| tokio::spawn(client(port, number, stop.clone(), answered.clone()))).collect();
        Self { stop, answered, clients }
    }

    async fn more(&self, requests: usize) {
        let goal = self.answered.load(Ordering::Relaxed) + requests;
        while self.answered.load(Ordering::Relaxed) < goal {
            assert!(self.clients.iter().all(|client| !client.is_finished()), "a client has failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The answers, each client's in a row without repetitions.
    async fn finish(self) -> Vec<Vec<String>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for client in self.clients {
            answers.push(client.await.expect("no request failed"));
        }
        answers
    }
}

/// Two clients keep their connection, two do not; two send bodies, two do not.
async fn client(port: u16, number: usize, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    let mut connection = connect(port).await;
    while !stop.load(Ordering::Relaxed) {
        if number.is_multiple_of(2) {
            connection = connect(port).await;
        }
        let (method, body) = if number < 2 { (Method::GET, "") } else { (Method::POST, "some content") };
        let request = Request::builder().method(method).uri("/").body(body.into()).expect("a request");
        let (status, answer) = connection.send(request).await.expect("a response");
        assert_eq!(status, StatusCode::OK, "{answer}");
        if answers.last() != Some(&answer) {
            answers.push(answer);
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_during_an_update() {
    let mut bed = Bed::new();
    bed.runtime.set(server(1, "one"));
    bed.until_ready(1).await;
    let load = Load::start(bed.port);
    load.more(50).await;

    bed.runtime.set(direct(2, &["sh", "-c", "exit 1"]));
    bed.until(|revision, observation| revision == 2 && matches!(observation, Observation::CrashLoop { .. })).await;
    load.more(50).await;

    for (revision, answer) in [(3, "three"), (4, "four")] {
        bed.runtime.set(server(revision, answer));
        bed.until_ready(revision).await;
        load.more(100).await;
    }
    while bed.runtime.replicas().len() > 1 {
        load.more(10).await;
    }
    for answers in load.finish().await {
        assert_eq!(answers, ["one", "three", "four"]);
    }
    let app = bed.directory.path().join("apps/shop/development/frontend");
    let revisions = || -> Vec<_> {
        std::fs::read_dir(&app).expect("it is there").map(|entry| entry.expect("an entry").file_name()).collect()
    };
    while revisions() != ["4"] {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bed.runtime.shutdown().await;
}

#[tokio::test]
async fn the_newest_of_several_updates_wins() {
    let mut bed = Bed::new();
    bed.runtime.set(server(1, "one"));
    bed.until_ready(1).await;
    bed.runtime.set(direct(2, &["sleep", "1000"]));
    bed.until(|revision, observation| (revision, observation) == (2, &Observation::Initializing)).await;
    bed.runtime.set(server(3, "three"));
    bed.runtime.set(server(2, "too late"));
    assert_eq!(bed.get().await.1, "one");
    bed.until_ready(3).await;
    assert_eq!(bed.get().await.1, "three");
    bed.runtime.shutdown().await;
    assert_eq!(bed.runtime.replicas(), []);
}

#[tokio::test]
async fn an_app_with_a_fixed_port_is_updated_while_requests_wait() {
    let mut bed = Bed::new();
    // None that an outgoing connection may be given, nor the runtime.
    let port = port::free(18_000..20_000, |_| false).expect("a port");
    let fixed = |revision, answer| {
        let mut workload = server(revision, answer);
        workload.container_port = port;
        workload.env.extend([("LISTEN".into(), "OWN".into()), ("OWN".into(), port.to_string())]);
        workload
    };
    bed.runtime.set(fixed(1, "one"));
    bed.until_ready(1).await;
    assert_eq!(bed.get().await.1, "one");
    assert!(bed.log().contains("let the app read PORT"), "{}", bed.log());
    let load = Load::start(bed.port);
    load.more(10).await;
    bed.runtime.set(fixed(2, "two"));
    bed.until_ready(2).await;
    load.more(10).await;
    for answers in load.finish().await {
        assert_eq!(answers, ["one", "two"]);
    }
}

#[tokio::test]
async fn an_idle_app_is_stopped_and_answers_its_next_request() {
    let mut bed = Bed::new();
    let mut workload = server(1, "awake");
    workload.min_replicas = 0;
    workload.scaledown_after = Some(Duration::from_millis(200));
    bed.runtime.set(workload);
    bed.until_ready(1).await;
    for _ in 0..2 {
        assert_eq!(bed.until(|_, observation| *observation == Observation::ScaledToZero).await.len(), 1);
        assert_eq!((bed.runtime.replicas(), bed.records()), (vec![], 0));
        assert_eq!(bed.get().await, (StatusCode::OK, "awake".into()));
        let ready = Observation::Ready { replicas: 1 };
        assert_eq!([bed.event().await, bed.event().await], [(1, Observation::ScalingFromZero), (1, ready)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_during_a_cold_start_lets_requests_wait_on() {
    let mut bed = Bed::new();
    let mut workload = server(1, "one");
    (workload.min_replicas, workload.scaledown_after) = (0, Some(Duration::from_millis(50)));
    bed.runtime.set(workload);
    bed.until(|_, observation| *observation == Observation::ScaledToZero).await;
    let port = bed.port;
    let asked = async move {
        let mut connection = connect(port).await;
        connection.send(Request::get("/").body("".into()).expect("a request")).await.expect("a response")
    };
    let asked = tokio::spawn(asked);
    bed.until(|_, observation| *observation == Observation::ScalingFromZero).await;
    bed.runtime.set(server(2, "two"));
    let (status, answer) = asked.await.expect("no panic");
    assert_eq!(status, StatusCode::OK, "{answer}");
    bed.runtime.shutdown().await;
}
