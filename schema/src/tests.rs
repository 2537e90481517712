use buffa::{Message, MessageField};
use buffa_types::google::protobuf::{Duration, Struct, Timestamp};
use serde_json::json;

use crate::{
    descriptor_pool,
    flyteidl2::{
        app::{App, AutoscalingConfig, Condition, IngressConfig, Meta, Replicas, Spec, Status, spec, status},
        common::EnrichedIdentity,
        core::{Container, ContainerPort, K8sObjectMetadata, K8sPod, KeyValuePair},
        secret::{SecretSpec, secret_spec},
    },
    from_json, from_json_str, to_dynamic, to_json,
};

fn app() -> App {
    App {
        metadata: MessageField::some(Meta {
            id: MessageField::some(crate::flyteidl2::app::Identifier {
                org: "acme".into(),
                project: "shop".into(),
                domain: "production".into(),
                name: "front".into(),
                ..Default::default()
            }),
            revision: 7,
            labels: [("team", "web"), ("area", "eu")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Default::default()
        }),
        spec: MessageField::some(Spec {
            app_payload: Some(
                Container {
                    image: "ghcr.io/acme/front:1".into(),
                    args: vec!["serve".into()],
                    env: vec![KeyValuePair { key: "MODE".into(), value: "fast".into(), ..Default::default() }],
                    ports: vec![ContainerPort { container_port: 8080, ..Default::default() }],
                    ..Default::default()
                }
                .into(),
            ),
            autoscaling: MessageField::some(AutoscalingConfig {
                replicas: MessageField::some(Replicas { min: 1, max: 3, ..Default::default() }),
                scaledown_period: MessageField::some(Duration {
                    seconds: 300,
                    nanos: 500_000_000,
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ingress: MessageField::some(IngressConfig::default()),
            desired_state: spec::DesiredState::DESIRED_STATE_ACTIVE.into(),
            ..Default::default()
        }),
        status: MessageField::some(Status {
            conditions: vec![Condition {
                deployment_status: status::DeploymentStatus::DEPLOYMENT_STATUS_ACTIVE.into(),
                substate: status::Substate::RUNNING.into(),
                last_transition_time: MessageField::some(Timestamp { seconds: 1_700_000_000, ..Default::default() }),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn json_uses_proto_field_names() {
    let app = app();
    let value = to_json(&app).unwrap();
    assert_eq!(
        value,
        json!({
            "metadata": {
                "id": {"org": "acme", "project": "shop", "domain": "production", "name": "front"},
                "revision": "7",
                "labels": {"area": "eu", "team": "web"},
            },
            "spec": {
                "container": {
                    "image": "ghcr.io/acme/front:1",
                    "args": ["serve"],
                    "env": [{"key": "MODE", "value": "fast"}],
                    "ports": [{"container_port": 8080}],
                },
                "autoscaling": {
                    "replicas": {"min": 1, "max": 3},
                    "scaledown_period": "300.500s",
                },
                "ingress": {},
                "desired_state": "DESIRED_STATE_ACTIVE",
            },
            "status": {
                "conditions": [{
                    "last_transition_time": "2023-11-14T22:13:20Z",
                    "deployment_status": "DEPLOYMENT_STATUS_ACTIVE",
                    "substate": "RUNNING",
                }],
            },
        })
    );
    assert_eq!(from_json::<App>(value).unwrap(), app);
}

#[test]
fn struct_and_map_survive_json() {
    let spec = json!({
        "pod": {
            "metadata": {"annotations": {"a/b": "c"}},
            "pod_spec": {"containers": [{"name": "main", "tty": true, "stdin": null, "n": 1.5}]},
            "primary_container_name": "main",
        },
    });
    let read: Spec = from_json(spec.clone()).unwrap();
    let Some(spec::AppPayload::Pod(pod)) = &read.app_payload else { panic!("no pod in {read:?}") };
    assert_eq!(pod.metadata.annotations["a/b"], "c");
    assert!(pod.pod_spec.fields.contains_key("containers"));
    assert_eq!(to_json(&read).unwrap(), spec);

    let built: Struct = serde_json::from_value(json!({"x": [1, "y"]})).unwrap();
    let pod = K8sPod {
        metadata: MessageField::some(K8sObjectMetadata::default()),
        pod_spec: MessageField::some(built),
        ..Default::default()
    };
    assert_eq!(to_json(&pod).unwrap(), json!({"metadata": {}, "pod_spec": {"x": [1.0, "y"]}}));
}

#[test]
fn unknown_keys_are_errors() {
    for text in ["{\"spec\": {\n  \"desiredState\": \"DESIRED_STATE_ACTIVE\"}}", "{\"spec\": {\n  \"no_such_key\": 1}}"]
    {
        let error = from_json_str::<App>(text).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(from_json::<App>(serde_json::from_str(text).unwrap()).is_err());
    }
}

#[test]
fn unknown_fields_survive() {
    // Field 1000 = 5, then inside `spec` (2) the field 1001 = "new".
    let mut bytes = vec![0xc0, 0x3e, 5];
    bytes.extend([0x12, 8, 0x28, 3, 0xca, 0x3e, 3, b'n', b'e', b'w']);
    let mut app = App::decode_from_slice(&bytes).unwrap();
    app.spec.get_or_insert_default().cluster_pool = "gpu".into();
    let written = app.encode_to_vec();
    let holds = |needle: &[u8]| written.windows(needle.len()).any(|w| w == needle);
    assert!(holds(&[0xc0, 0x3e, 5]) && holds(&[0xca, 0x3e, 3, b'n', b'e', b'w']));
    assert_eq!(App::decode_from_slice(&written).unwrap(), app);

    let dynamic = to_dynamic(&app).unwrap();
    assert_eq!(dynamic.unknown_fields().len(), 1);
    assert_eq!(dynamic.to_message::<App>().unwrap(), app);
}

#[test]
fn encoding_is_stable() {
    let mut first = app();
    let labels = &mut first.metadata.get_or_insert_default().labels;
    labels.extend((0..40).map(|n| (format!("k{n}"), n.to_string())));
    let bytes = first.encode_to_vec();
    for _ in 0..5 {
        let again = App::decode_from_slice(&bytes).unwrap();
        assert_eq!(again.encode_to_vec(), bytes);
    }
}

#[test]
fn secrets_are_not_shown() {
    let spec = SecretSpec { value: Some(secret_spec::Value::StringValue("hunter2".into())), ..Default::default() };
    assert!(!format!("{spec:?}").contains("hunter2"));
}

#[test]
fn every_service_is_described() {
    for service in [
        "app.AppService",
        "app.AppLogsService",
        "auth.AuthMetadataService",
        "auth.IdentityService",
        "cluster.ClusterService",
        "dataproxy.DataProxyService",
        "project.ProjectService",
        "secret.SecretService",
    ] {
        let name = format!("flyteidl2.{service}");
        assert!(descriptor_pool().service_by_name(&name).is_some(), "{name}");
    }
    assert!(to_json(&EnrichedIdentity::default()).unwrap() == json!({}));
}
