use flyte_schema::flyteidl2::app::{App, Identifier, Meta, Spec};
use flyte_schema::flyteidl2::core::Container;
use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::client::Client;
use crate::model::target::Connection;
use crate::model::{AppId, AppName, LiveApp, Scope, State as Phase};
use crate::port::ControlPlane;
use crate::server::ingress::port;

const DIRECTORY: &str = "FLYTE_TEST_DIRECTORY";
/// Empty: as it is by itself.
const PORT: &str = "FLYTE_TEST_PORT";

/// What the program that the test below starts does: this test binary, running this test. By itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn serve_as_told() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let port = std::env::var(PORT).ok().and_then(|port| port.parse().ok());
    let config = ServerConfig { directory: directory.into(), port, profile: None, detach: true, journal: None };
    run(config, oneshot::channel().0).await.unwrap();
}

fn program(directory: &Path) -> PathBuf {
    let path = directory.join("program");
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{DIRECTORY}=\"$5\" {PORT}=\"$7\" exec '{}' --exact server::daemon::tests::serve_as_told --nocapture\n",
        this.display()
    );
    write_program(&path, &script);
    path
}

/// Writes a program by another process: what a thread beside this one forks meanwhile would hold it open for writing, and
/// nobody could run it.
fn write_program(path: &Path, text: &str) {
    let write = "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let written = std::process::Command::new("sh").args(["-c", write, "sh"]).arg(path).arg(text).status().unwrap();
    assert!(written.success());
}

fn app() -> App {
    let id = Identifier { project: "shop".into(), domain: "dev".into(), name: "web".into(), ..Default::default() };
    let command = ["/bin/sh", "-c", "exec python3 -m http.server $PORT"].map(str::to_owned).to_vec();
    App {
        metadata: Meta { id: id.into(), ..Default::default() }.into(),
        spec: Spec { app_payload: Some(Container { command, ..Default::default() }.into()), ..Default::default() }
            .into(),
        ..Default::default()
    }
}

async fn active(client: &Client, id: &AppId) -> LiveApp {
    for _ in 0..400 {
        if let Ok(Some(app)) = client.get(id).await
            && LiveApp(app.clone()).state() == Phase::Active
        {
            return LiveApp(app);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the app did not become active");
}

#[tokio::test(flavor = "multi_thread")]
async fn started_found_killed_started_stopped() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("state");
    let program = program(place.path());
    assert_eq!(locate(&directory).await, None);
    assert!(!stop(&directory).await.unwrap());

    // None that an outgoing connection may be given while nothing listens there.
    let port = port::free(18_000..20_000, |_| false);
    let (one, two) = tokio::join!(
        start_detached(&program, &directory, None, port),
        start_detached(&program, &directory, None, port)
    );
    let running = one.unwrap();
    assert_eq!(running, two.unwrap());
    assert_eq!(locate(&directory).await, Some(running.clone()));
    let other = start_detached(&program, &directory, Some(Profile::Oss), None).await;
    assert!(matches!(other, Err(DaemonError::OtherProfile { running: Profile::Full, .. })));
    let second = ServerConfig { directory: directory.clone(), port: None, profile: None, detach: false, journal: None };
    assert!(matches!(run(second, oneshot::channel().0).await, Err(DaemonError::AlreadyRuns(_))));

    let client = Client::new(&Connection::open(&running.endpoint, true)).unwrap();
    let scope = Scope { org: String::new(), project: "shop".into(), domain: "dev".into() };
    let id = scope.app(&AppName::new("web").unwrap());
    client.create(app()).await.unwrap();
    let before = active(&client, &id).await;

    kill_process(Pid::from_raw(i32::try_from(running.pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    while locate(&directory).await.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = start_detached(&program, &directory, None, None).await.unwrap();
    assert_ne!(again.pid, running.pid);
    assert_eq!(again.endpoint, running.endpoint, "the port stays");
    let after = active(&client, &id).await;
    assert_eq!(after.url(), before.url(), "the app's address stays");

    assert!(stop(&directory).await.unwrap());
    assert_eq!(locate(&directory).await, None);
    assert!(!directory.join(RUNNING).exists());
    reset(&directory).await.unwrap();
    assert!(!directory.join("server.db").exists());
}

#[tokio::test]
async fn a_start_that_fails_shows_why() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("program");
    write_program(&path, "#!/bin/sh\necho something is missing >&2\nexit 1\n");
    let failed = start_detached(&path, &place.path().join("state"), None, None).await.unwrap_err();
    assert_eq!(failed.to_string(), "the control plane did not start: something is missing");
    let gone =
        start_detached(Path::new("/nonexistent/flyte"), &place.path().join("state"), None, None).await.unwrap_err();
    assert!(matches!(gone, DaemonError::Spawn { .. }));
}
