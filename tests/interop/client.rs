//! Our client, judged by a server made of the published Connect stubs: what it decodes is what `flyte render` says we
//! mean, keeps to the validation rules of the interface definition, and comes in the right order.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Finished, Server};
use crate::program::flyte;
use crate::python::{Packages, Python, succeed};

const START: Duration = Duration::from_secs(60);

/// Calls that change something.
const WRITES: [&str; 4] = ["Create", "Update", "Delete", "PUT"];

struct Session {
    python: Python,
    home: TempDir,
    tree: TempDir,
    server: Server,
}

/// One call as the server decoded it.
#[derive(Debug, Clone)]
struct Call {
    method: String,
    message: Value,
    violations: Vec<String>,
}

impl Session {
    fn start() -> Self {
        let python = Python::with(Packages::Messages);
        let home = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start(python.script("stub_server.py", home.path()), START);
        let tree = tempfile::tempdir().expect("a temporary directory");
        Self { python, home, tree, server }
    }

    fn write(&self, name: &str, text: &str) {
        let endpoint = self.server.greeting.replace("http://", "dns:///");
        fs::write(self.tree.path().join(name), text.replace("ENDPOINT", &endpoint)).expect("a file is written");
    }

    #[track_caller]
    fn flyte(&self, args: &[&str], code: i32) -> Finished {
        flyte(self.home.path(), self.tree.path(), args).expect(code)
    }

    /// What the server was asked while `action` ran.
    #[track_caller]
    fn calls_of(&self, action: impl FnOnce(&Self)) -> Vec<Call> {
        let before = self.recorded().len();
        action(self);
        let calls = self.recorded().split_off(before);
        for call in &calls {
            assert!(call.violations.is_empty(), "{} breaks rules of the interface: {call:?}", call.method);
        }
        calls
    }

    fn recorded(&self) -> Vec<Call> {
        let mut script = self.python.program("python", self.home.path());
        script.args(["-c", "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"]);
        script.arg(format!("{}/recorded", self.server.greeting));
        let calls = succeed(script, START).json();
        let call = |call: &Value| Call {
            method: text(&call["method"]),
            message: call["message"].clone(),
            violations: call["violations"].as_array().into_iter().flatten().map(text).collect(),
        };
        calls.as_array().expect("a list").iter().map(call).collect()
    }

    /// What we say that we mean by an app whose bundle lies at this address.
    fn meant(&self, app: &str, bundle: &str) -> Value {
        let mut args = vec!["render", app, "--json"];
        if !bundle.is_empty() {
            args.extend(["--code-bundle", bundle]);
        }
        let rendered = self.flyte(&args, 0).json();
        let apps = rendered["apps"].as_array().expect("a list");
        assert_eq!(apps.len(), 1, "{rendered}");
        apps[0]["message"].clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of<'a>(calls: &'a [Call], method: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.method == method).collect()
}

fn name(app: &Value) -> &str {
    app["metadata"]["id"]["name"].as_str().unwrap_or_default()
}

fn manifest() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/shop.toml");
    fs::read_to_string(path).expect("the manifest of the test is there")
}

#[test]
fn a_server_of_the_published_stubs_decodes_what_we_mean() {
    let session = Session::start();
    session.write("flyte.toml", &manifest());
    session.write("serve.py", "print('hello')\n");
    session.write("data.txt", "data\n");

    // A plan writes nothing.
    let planned = session.calls_of(|session| {
        session.flyte(&["plan", "--detailed-exitcode"], 2);
    });
    assert!(planned.iter().all(|call| !WRITES.contains(&call.method.as_str())), "{planned:?}");

    let applied = session.calls_of(|session| {
        session.flyte(&["apply", "--yes"], 0);
    });
    let uploads = of(&applied, "PUT");
    let stored: Vec<String> = uploads
        .iter()
        .map(|put| format!("s3://bundles/flytesnacks/development/{}", text(&put.message["name"])))
        .collect();
    assert!(!stored.is_empty(), "{applied:?}");
    for put in &uploads {
        assert_eq!(put.message["origin"], "interop", "headers of the answer are sent on");
        assert!(put.message["authorization"].is_null(), "{put:?}");
    }
    let created: Vec<&Value> = of(&applied, "Create").iter().map(|call| &call.message["app"]).collect();
    let names: Vec<&str> = created.iter().map(|app| name(app)).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for app in &created {
        let bundle = text(&app["metadata"]["code_bundle_uri"]);
        assert!(bundle.is_empty() || stored.contains(&bundle), "{bundle} was stored: {stored:?}");
        similar_asserts::assert_eq!(**app, session.meant(name(app), &bundle));
    }
    let position = |wanted: &str| names.iter().position(|name| *name == wanted);
    assert!(position("backend") < position("frontend"), "dependencies first: {names:?}");

    // What runs is what was declared.
    let settled = session.calls_of(|session| {
        session.flyte(&["plan", "--detailed-exitcode"], 0);
        session.flyte(&["apply", "--yes"], 0);
    });
    assert!(settled.iter().all(|call| !WRITES.contains(&call.method.as_str())), "{settled:?}");

    // One changed app is one update, made on the revision that was read, of the whole spec.
    session.write("flyte.toml", &manifest().replace("answers questions", "answers more questions"));
    let changed = session.calls_of(|session| {
        session.flyte(&["apply", "--yes"], 0);
    });
    let writes: Vec<&Call> = changed.iter().filter(|call| WRITES.contains(&call.method.as_str())).collect();
    let [update] = writes.as_slice() else { panic!("one write: {writes:?}") };
    assert_eq!(update.method, "Update");
    let app = &update.message["app"];
    assert_eq!((name(app), &app["metadata"]["revision"]), ("backend", &Value::from("1")));
    let bundle = text(&app["metadata"]["code_bundle_uri"]);
    similar_asserts::assert_eq!(app["spec"], session.meant("backend", &bundle)["spec"]);

    // Stopping changes nothing but the state.
    let stopped = session.calls_of(|session| {
        session.flyte(&["deactivate", "frontend"], 0);
    });
    let [update] = of(&stopped, "Update")[..] else { panic!("one update: {stopped:?}") };
    let app = &update.message["app"];
    let mut expected = session.meant("frontend", &text(&app["metadata"]["code_bundle_uri"]));
    expected["spec"]["desired_state"] = "DESIRED_STATE_STOPPED".into();
    similar_asserts::assert_eq!(app["spec"], expected["spec"]);

    let deleted = session.calls_of(|session| {
        session.flyte(&["delete", "frontend", "--yes"], 0);
    });
    let [delete] = of(&deleted, "Delete")[..] else { panic!("one delete: {deleted:?}") };
    assert_eq!(delete.message["app_id"], expected["metadata"]["id"]);
}
