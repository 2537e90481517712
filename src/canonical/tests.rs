use buffa::MessageField;
use buffa_types::google::protobuf::Duration;
use flyte_schema::flyteidl2::app::{
    AutoscalingConfig, IngressConfig, Input, InputList, Meta, Profile, SecurityContext, Spec, input, spec::DesiredState,
};
use flyte_schema::flyteidl2::core::resources::{ResourceEntry, ResourceName};
use flyte_schema::flyteidl2::core::{Container, Identity, K8sPod, KeyValuePair, Resources, Secret};
use proptest::prelude::*;

use super::*;

const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn pair(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.to_owned(), value: value.to_owned(), ..Default::default() }
}

fn secret(key: &str, env: &str) -> Secret {
    Secret { key: key.to_owned(), env_var: env.to_owned(), ..Default::default() }
}

fn entry(name: ResourceName, value: &str) -> ResourceEntry {
    ResourceEntry { name: name.into(), value: value.to_owned(), ..Default::default() }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn app(container: Container, spec: Spec) -> App {
    App { spec: MessageField::some(Spec { app_payload: Some(container.into()), ..spec }), ..Default::default() }
}

fn with_uri(mut app: App, uri: &str) -> App {
    app.metadata = MessageField::some(Meta { code_bundle_uri: uri.to_owned(), ..Default::default() });
    app
}

/// The parameters as the published SDK packs them: another compressor, another order of members.
fn transport(json: &str) -> String {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut writer, json.as_bytes()).unwrap();
    STANDARD.encode(writer.finish().unwrap())
}

#[test]
fn a_spec_in_its_canonical_form() {
    let parameters = transport(
        r#"{"parameters":[{"name":"BACKEND","value":"{\"app_name\":\"b\",\"type\":\"string\",\"public\":false}","download":false,"type":"app_endpoint","env_var":"BACKEND","dest":null,"ignore_patterns":[]}]}"#,
    );
    let container = Container {
        image: "i:1".to_owned(),
        command: words(&format!(
            "fserve --version v1 --project p --image-cache x --tgz s3://b/{HASH}.tar.gz --dest . --parameters {parameters} -- --tgz"
        )),
        args: vec![String::new(), "--version".to_owned()],
        env: vec![
            pair("B", "1"),
            pair("A", ""),
            pair("B", "2"),
            pair(Marks::OWNER, "shop"),
            pair(Marks::READY, "/healthz"),
        ],
        resources: MessageField::some(Resources {
            requests: vec![entry(ResourceName::MEMORY, "0.5Gi"), entry(ResourceName::CPU, "0.5")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let spec = Spec {
        desired_state: DesiredState::DESIRED_STATE_ACTIVE.into(),
        cluster_pool: "default".to_owned(),
        ingress: IngressConfig::default().into(),
        profile: Profile::default().into(),
        autoscaling: MessageField::some(AutoscalingConfig {
            scaledown_period: Duration::from_secs(300).into(),
            ..Default::default()
        }),
        security_context: MessageField::some(SecurityContext {
            run_as: Identity::default().into(),
            secrets: vec![secret("db", "DB_PASSWORD"), secret("file", "")],
            ..Default::default()
        }),
        inputs: MessageField::some(InputList {
            items: vec![Input {
                name: "BACKEND".to_owned(),
                value: Some(input::Value::StringValue("b".to_owned())),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(
        canonical(&app(container, spec)),
        json!({
            "container": {
                "image": "i:1",
                "command": ["fserve", "--project", "p", "--", "--tgz"],
                "args": ["", "--version"],
                "env": { "A": "", "B": "2", "FLYTE_DEPLOY_READY": "/healthz" },
                "resources": { "requests": { "CPU": "500m", "MEMORY": "512Mi" } },
            },
            "autoscaling": { "scaledown_period": "300s" },
            "security_context": { "secrets": { "DB_PASSWORD": { "key": "db" }, "/file": { "key": "file" } } },
            "inputs": { "BACKEND": { "string_value": "b" } },
            "parameters": {
                "BACKEND": {
                    "type": "app_endpoint",
                    "env_var": "BACKEND",
                    "value": { "app_name": "b", "type": "string", "public": false },
                },
            },
            "code_bundle": format!("bundle:{HASH}"),
        })
    );
}

#[test]
fn the_code_is_known_by_content_wherever_it_is_named() {
    let fserve =
        |address: &str| Container { command: words(&format!("fserve --tgz {address} --")), ..Default::default() };
    let own = |env| Container { command: words("tool --tgz other"), env, ..Default::default() };
    let check = |app: App, expected: Option<&str>| {
        assert_eq!(canonical(&app).get("code_bundle").and_then(Value::as_str), expected)
    };
    let placeholder = format!("bundle:{HASH}");
    let address = format!("gs://bucket/p/d/XYZ/{HASH}.tar.gz");
    for named in [&placeholder, &address] {
        check(with_uri(app(Container::default(), Spec::default()), named), Some(&placeholder));
        check(app(fserve(named), Spec::default()), Some(&placeholder));
    }
    check(app(own(vec![pair(Marks::BUNDLE, HASH)]), Spec::default()), Some(&placeholder));
    check(with_uri(app(own(vec![pair(Marks::BUNDLE, HASH)]), Spec::default()), &address), Some(&placeholder));
    check(app(own(Vec::new()), Spec::default()), None);
    check(app(fserve("s3://b/fast01.tar.gz"), Spec::default()), Some("s3://b/fast01.tar.gz"));
    // Whether a server keeps the metadata or not.
    assert_eq!(
        canonical(&with_uri(app(own(vec![pair(Marks::BUNDLE, HASH)]), Spec::default()), &address)),
        canonical(&app(own(vec![pair(Marks::BUNDLE, HASH)]), Spec::default())),
    );
}

#[test]
fn what_means_nothing_vanishes_and_what_means_something_stays() {
    let empty = canonical(&App::default());
    assert_eq!(empty, json!({}));
    let pod = json!({ "volumes": [{ "name": "v", "emptyDir": {} }], "nodeSelector": {} });
    let with_pod = App {
        spec: MessageField::some(Spec {
            app_payload: Some(
                K8sPod {
                    pod_spec: MessageField::some(serde_json::from_value(pod.clone()).unwrap()),
                    ..Default::default()
                }
                .into(),
            ),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(canonical(&with_pod)["pod"]["pod_spec"], pod);
    let bad = Spec {
        autoscaling: MessageField::some(AutoscalingConfig {
            scaledown_period: MessageField::some(Duration { seconds: i64::MAX, ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert!(canonical(&app(Container::default(), bad)).get("unreadable").is_some());
    let broken = Container { command: words("fserve --parameters !! --"), ..Default::default() };
    assert_eq!(canonical(&app(broken, Spec::default()))["parameters"], "!!");
}

#[test]
fn nothing_is_dropped_because_something_has_its_name() {
    let parameter = |value: &str| json!({ "name": "x", "value": value, "type": "string" });
    let parameters = transport(&json!({ "parameters": [parameter("v"), parameter("w")] }).to_string());
    let container = Container { command: words(&format!("fserve --parameters {parameters} --")), ..Default::default() };
    let input = |value: &str| Input {
        name: "x".to_owned(),
        value: Some(input::Value::StringValue(value.to_owned())),
        ..Default::default()
    };
    let inputs = InputList { items: vec![input("v"), input("w")], ..Default::default() };
    let form = canonical(&app(container, Spec { inputs: inputs.into(), ..Default::default() }));
    assert_eq!(form["inputs"], json!({ "x": { "string_value": "v" }, "x#2": { "string_value": "w" } }));
    let told = |value: &str| json!({ "value": value, "type": "string" });
    assert_eq!(form["parameters"], json!({ "x": told("v"), "x#2": told("w") }));
}

#[test]
fn the_fingerprint_sees_what_the_version_does_not() {
    let base = app(Container { env: vec![pair("A", "1")], ..Default::default() }, Spec::default());
    let stopped = app(
        Container { env: vec![pair("A", "1")], ..Default::default() },
        Spec { desired_state: DesiredState::DESIRED_STATE_STOPPED.into(), ..Default::default() },
    );
    let owned =
        app(Container { env: vec![pair("A", "1"), pair(Marks::OWNER, "shop")], ..Default::default() }, Spec::default());
    for other in [&stopped, &owned] {
        assert_eq!(digest(&canonical(&base)), digest(&canonical(other)));
        assert_ne!(fingerprint(&base), fingerprint(other));
    }
    assert_eq!(fingerprint(&base), fingerprint(&base.clone()));
}

#[test]
fn digests_do_not_depend_on_the_order_of_members() {
    assert_eq!(digest(&json!({ "a": 1, "b": [1, "x"] })), digest(&json!({ "b": [1, "x"], "a": 1 })));
    assert_ne!(digest(&json!({ "b": [1, 2] })), digest(&json!({ "b": [2, 1] })));
    assert_ne!(digest(&json!({ "a": "1" })), digest(&json!({ "a": 1 })));
}

proptest! {
    #[test]
    fn order_and_spelling_do_not_count(
        env in proptest::collection::btree_map("[A-Z]{1,3}", ".{0,5}", 0..6),
        secrets in proptest::collection::btree_set("[A-Z]{1,3}", 0..6),
        millis in 1_u64..100_000,
        mebi in 1_u64..100_000,
        seed in any::<u64>(),
    ) {
        let build = |turn: usize, cpu: String, memory: String| {
            let mut env: Vec<_> = env.iter().map(|(key, value)| pair(key, value)).collect();
            let mut secrets: Vec<_> = secrets.iter().map(|name| secret("k", name)).collect();
            let mut requests = vec![entry(ResourceName::CPU, &cpu), entry(ResourceName::MEMORY, &memory)];
            let turns = |length: usize| if length == 0 { 0 } else { turn % length };
            let (a, b, c) = (turns(env.len()), turns(secrets.len()), turns(requests.len()));
            env.rotate_left(a);
            secrets.rotate_left(b);
            requests.rotate_left(c);
            if turn % 2 == 1 {
                env.reverse();
            }
            app(
                Container {
                    env,
                    resources: MessageField::some(Resources { requests, ..Default::default() }),
                    ..Default::default()
                },
                Spec {
                    security_context: MessageField::some(SecurityContext { secrets, ..Default::default() }),
                    ..Default::default()
                },
            )
        };
        let one = build(0, format!("{millis}m"), format!("{mebi}Mi"));
        let cpu = format!("{}.{:03}", millis / 1000, millis % 1000);
        let other = build((seed % 1024) as usize, cpu, (mebi << 20).to_string());
        prop_assert_eq!(digest(&canonical(&one)), digest(&canonical(&other)));
        prop_assert_eq!(fingerprint(&one), fingerprint(&other));
    }
}
