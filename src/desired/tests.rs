use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::bundle::BundleFile;
use crate::model::parameter::{Artifact, Parameter, ParameterValue};
use crate::model::pod::PodTemplate;
use crate::model::resources::{Amount, Gpu, Resources};
use crate::model::{BundleRef, Digest, EnvValue, Link, LiveApp, Metric, SecretRef, SecretTarget};
use crate::resolve::sample::{app, project};

fn bundle() -> Arc<Bundle> {
    let file = BundleFile { path: "a.py".to_owned(), executable: false, size: 1, digest: Digest::of(b"a") };
    Arc::new(Bundle::new(PathBuf::from("/w"), vec![file], Vec::new()))
}

fn desired(app: App, bundle: Option<Arc<Bundle>>, label: Option<&str>) -> Desired {
    let name = app.name.clone();
    let bundles = BundleSet { by_app: bundle.into_iter().map(|bundle| (name.clone(), bundle)).collect() };
    let options = LowerOptions { label: label.map(str::to_owned), ..Default::default() };
    lower(&project([app]), &bundles, &options).unwrap().apps.remove(&name).unwrap()
}

fn rich() -> App {
    App {
        description: Some("catalogue".to_owned()),
        kind: Some("API".to_owned()),
        image: Some("i:1".to_owned()),
        args: ["python", "a b.py", "$PORT", "it's", "$HOME/x", ""].map(str::to_owned).to_vec(),
        env: [
            ("Z".to_owned(), EnvValue::Text("1".to_owned())),
            ("BACKEND_URL".to_owned(), EnvValue::Endpoint { app: "backend".parse().unwrap(), public: true }),
            ("A".to_owned(), EnvValue::Text("2".to_owned())),
        ]
        .into(),
        secrets: Some(vec![SecretRef {
            key: "db".to_owned(),
            group: None,
            target: SecretTarget::Variable("DB".to_owned()),
        }]),
        activation: Activation::Auto,
        requires_auth: false,
        links: vec![Link { path: "/docs".to_owned(), title: "Docs".to_owned(), is_relative: true }],
        scaling: crate::model::Scaling {
            min: 0,
            max: 3,
            metric: Some(Metric::Concurrency(50)),
            scaledown_after: Some(Duration::from_millis(1500)),
        },
        timeouts: crate::model::Timeouts { request: Some(Duration::ZERO) },
        ready: crate::model::Ready { http: Some("/healthz".to_owned()), within: Duration::from_secs(9) },
        ..app("front")
    }
}

/// The message as JSON, the transport of the parameters decoded by the canonical form instead.
fn json(desired: &Desired) -> Value {
    let mut value = flyte_schema::to_json(&desired.spec.0).unwrap();
    if let Some(command) = value["spec"]["container"]["command"].as_array_mut()
        && let Some(at) = command.iter().position(|word| word == "--parameters")
    {
        command[at + 1] = canonical::canonical(&desired.spec.0)["parameters"].clone();
    }
    value
}

#[test]
fn an_app_through_fserve() {
    let bundle = bundle();
    let desired = desired(rich(), Some(bundle.clone()), Some("v1.2"));
    let digest = desired.version.digest.to_string();
    let parameters = json!({
        "BACKEND_URL": {
            "value": { "type": "string", "app_name": "backend", "public": true },
            "type": "app_endpoint",
            "env_var": "BACKEND_URL",
        }
    });
    let placeholder = bundle.digest.placeholder();
    assert_eq!(
        json(&desired),
        json!({
            "metadata": {
                "id": { "org": "acme", "project": "proj", "domain": "development", "name": "front" },
                "labels": {
                    "flyte.deploy/digest": &digest[..12],
                    "flyte.deploy/manifest": "shop",
                    "flyte.deploy/version": "v1.2",
                },
                "code_bundle_uri": placeholder,
            },
            "spec": {
                "container": {
                    "image": "i:1",
                    "command": [
                        "fserve", "--version", "v1.2", "--project", "proj", "--domain", "development", "--org", "acme",
                        "--tgz", placeholder, "--dest", ".", "--parameters", parameters,
                        "--raw-data-path", "{{.rawOutputDataPrefix}}", "--",
                    ],
                    "args": ["python", "'a b.py'", "$PORT", "\"it's\"", "'$HOME/x'", "''"],
                    "env": [
                        { "key": "Z", "value": "1" },
                        { "key": "A", "value": "2" },
                        { "key": "FLYTE_DEPLOY_READY", "value": "/healthz" },
                        { "key": "FLYTE_DEPLOY_MANIFEST", "value": "shop" },
                        { "key": "FLYTE_DEPLOY_VERSION", "value": "v1.2" },
                        { "key": "FLYTE_DEPLOY_DIGEST", "value": digest },
                    ],
                    "ports": [{ "container_port": 8080 }],
                },
                "autoscaling": {
                    "replicas": { "max": 3 },
                    "scaledown_period": "1.500s",
                    "scaling_metric": { "concurrency": { "target_value": 50 } },
                },
                "ingress": {},
                "desired_state": "DESIRED_STATE_ACTIVE",
                "cluster_pool": "default",
                "security_context": {
                    "run_as": {},
                    "secrets": [{ "key": "db", "mount_requirement": "ENV_VAR", "env_var": "DB" }],
                    "allow_anonymous": true,
                },
                "runtime_metadata": { "version": env!("CARGO_PKG_VERSION"), "flavor": "rust" },
                "profile": { "type": "API", "short_description": "catalogue" },
                "inputs": { "items": [{ "name": "BACKEND_URL", "string_value": "backend" }] },
                "links": [{ "path": "/docs", "title": "Docs", "is_relative": true }],
                "timeouts": { "request_timeout": "0s" },
            },
        })
    );
}

#[test]
fn an_app_with_a_command_of_its_own_and_nothing_else() {
    let app =
        App { command: Some(vec!["sh".to_owned()]), args: vec!["-c".to_owned(), "echo $X".to_owned()], ..app("a") };
    let desired = desired(app, None, None);
    let mark = desired.version.digest.short();
    let value = json(&desired);
    assert_eq!(value["spec"]["container"]["command"], json!(["sh"]));
    assert_eq!(value["spec"]["container"]["args"], json!(["-c", "echo $X"]));
    assert_eq!(value["metadata"]["labels"]["flyte.deploy/version"], mark);
    assert_eq!(value["spec"]["desired_state"], "DESIRED_STATE_STOPPED");
    assert_eq!(value["spec"]["autoscaling"], json!({ "replicas": { "max": 1 } }));
    for present in ["ingress", "profile", "inputs"] {
        assert_eq!(value["spec"][present], json!({}), "{present}");
    }
    for absent in ["security_context", "timeouts", "links"] {
        assert_eq!(value["spec"].get(absent), None, "{absent}");
    }
    assert_eq!(value["metadata"].get("code_bundle_uri"), None);
}

#[test]
fn the_marks_lead_back_to_what_was_deployed() {
    for command in [None, Some(vec!["run".to_owned()])] {
        let bundle = bundle();
        let desired = desired(App { command, ..rich() }, Some(bundle.clone()), None);
        let address = format!("s3://b/x/{}", bundle.digest.file_name());
        let mut live = LiveApp(desired.spec.clone().with_bundle_address(&address).0);
        let marks = live.marks().unwrap();
        assert_eq!((marks.owner.as_str(), marks.digest), ("shop", desired.version.digest));
        assert_eq!(canonical::digest(&canonical::canonical(&live.0)), marks.digest);
        // Where a server keeps only identity and spec.
        live.0.metadata.get_or_insert_default().code_bundle_uri.clear();
        live.0.metadata.get_or_insert_default().labels.clear();
        assert_eq!(live.bundle(), Some(bundle.digest));
        assert_eq!(canonical::digest(&canonical::canonical(&live.0)), marks.digest);
    }
}

/// The same app in a pod of its own.
fn in_pod(app: App) -> App {
    let spec = json!({
        "containers": [
            { "name": "proxy", "image": "envoy:1", "env": [{ "name": "LEVEL", "value": "info" }] },
            { "name": "app", "env": [{ "name": "OWN", "value": "1" }], "resources": { "requests": { "fuse": 1 } } },
        ],
        "volumes": [{ "name": "v", "emptyDir": {} }],
    });
    let Value::Object(spec) = spec else { panic!("written above") };
    App { pod_template: Some(PodTemplate { spec, ..PodTemplate::default() }), ..app }
}

#[test]
fn an_app_in_a_pod_is_known_again() {
    let bundle = bundle();
    let amount = |request: &str| Some(Amount { request: request.to_owned(), limit: None });
    let resources = Resources { cpu: amount("1000m"), gpu: Some(Gpu::Count(1)), ..Resources::default() };
    let desired = desired(in_pod(App { resources, ..rich() }), Some(bundle.clone()), Some("v1"));
    let address = format!("s3://b/x/{}", bundle.digest.file_name());
    let live = LiveApp(desired.spec.clone().with_bundle_address(&address).0);
    let marks = live.marks().unwrap();
    assert_eq!((marks.owner.as_str(), marks.version.as_str()), ("shop", "v1"));
    assert_eq!(live.bundle(), Some(bundle.digest));
    let form = canonical::canonical(&live.0);
    assert_eq!(canonical::digest(&form), marks.digest);
    // What an app in a container has at the same place is there too; the pod is the rest.
    assert_eq!(form["container"]["image"], "i:1");
    assert_eq!(form["container"]["env"], json!({ "Z": "1", "A": "2", "FLYTE_DEPLOY_READY": "/healthz", "OWN": "1" }));
    assert_eq!(form["container"]["resources"], json!({ "requests": { "CPU": "1", "GPU": "1" } }));
    assert_eq!(form["container"]["ports"], json!([{ "container_port": 8080 }]));
    assert!(form["parameters"]["BACKEND_URL"].is_object());
    assert_eq!(
        form["pod"]["pod_spec"],
        json!({
            "containers": {
                "app": { "resources": { "requests": { "fuse": "1" } } },
                "proxy": { "image": "envoy:1", "env": { "LEVEL": { "value": "info" } } },
            },
            "volumes": [{ "name": "v", "emptyDir": {} }],
        })
    );
}

#[test]
fn messages_are_the_same_whenever_they_are_made() {
    let one = json(&desired(in_pod(rich()), None, None)).to_string();
    for _ in 0..8 {
        assert_eq!(json(&desired(in_pod(rich()), None, None)).to_string(), one);
    }
}

#[test]
fn what_was_not_looked_up_is_refused() {
    let artifact = Artifact { name: "bert".to_owned(), version: None, project: None, domain: None, kind: None };
    let parameter = Parameter {
        name: "model".to_owned(),
        value: ParameterValue::Artifact(artifact),
        kind: None,
        env: None,
        download: true,
        mount: Some("/m".to_owned()),
        ignore_patterns: Vec::new(),
    };
    let app = App { parameters: vec![parameter], ..app("a") };
    let name = app.name.clone();
    let error = lower(&project([app]), &BundleSet::default(), &LowerOptions::default()).unwrap_err();
    assert_eq!(error, LowerError::Unresolved { app: name, parameter: "model".to_owned() });
}

#[test]
fn an_app_served_by_its_python_object() {
    let desired = desired(App { python: Some("api.main:app".to_owned()), ..app("a") }, None, Some("v1"));
    let value = json(&desired);
    let command = value["spec"]["container"]["command"].as_array().unwrap();
    assert_eq!(
        command[command.len() - 5..],
        ["--resolver", "flyte._internal.resolvers.app_env.AppEnvResolver", "--resolver-args", "api.main:app", "--"]
    );
}

#[test]
fn the_version_follows_content_alone() {
    let version = |app: App, bundle: Option<Arc<Bundle>>, label| desired(app, bundle, label).version.digest;
    let base = version(rich(), None, None);
    assert_eq!(base, version(rich(), None, Some("v1")));
    assert_eq!(base, version(App { activation: Activation::Manual, ..rich() }, None, None));
    assert_ne!(base, version(rich(), Some(bundle()), None));
    assert_ne!(base, version(App { image: Some("i:2".to_owned()), ..rich() }, None, None));
    let mut other = Bundle::clone(&bundle());
    other.digest = BundleRef(Digest::of(b"other"));
    for command in [None, Some(vec!["run".to_owned()])] {
        let app = App { command, ..rich() };
        assert_ne!(version(app.clone(), Some(bundle()), None), version(app, Some(Arc::new(other.clone())), None));
    }
}

#[test]
fn what_has_no_wire_form_is_refused() {
    let refuse = |app: App, label: Option<&str>| {
        let options = LowerOptions { label: label.map(str::to_owned), ..Default::default() };
        lower(&project([app]), &BundleSet::default(), &options).unwrap_err()
    };
    for label in ["", "a b", "-a", "a.", &"a".repeat(64)] {
        assert_eq!(refuse(app("a"), Some(label)), LowerError::Label(label.to_owned()));
    }
    let name: AppName = "a".parse().unwrap();
    assert_eq!(refuse(App { args: vec!["a\0".to_owned()], ..app("a") }, None), LowerError::Argument { app: name });
}
