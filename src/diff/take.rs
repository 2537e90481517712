//! Takes single values of one message over into another, by their place in the canonical form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::MessageField;
use flyte_schema::flyteidl2::app::{App, Spec};
use serde_json::{Map, Value, json};

use super::field::walk;
use crate::bundle::gzip::gzip;
use crate::canonical::{canonical, rules, transported};
use crate::model::pod::APP_CONTAINER;

/// What stands before encoded parameters in the command.
const PARAMETERS: &str = "--parameters";

/// `to` with the values of `from` at some places: JSON pointers into the canonical form. `None` where a place has no
/// value that could be taken by itself, as has the code.
pub fn take(to: &App, from: &App, places: &[String]) -> Option<App> {
    let mut spec = flyte_schema::to_json(&*to.spec).ok()?;
    let other = flyte_schema::to_json(&*from.spec).ok()?;
    for place in places {
        let names: Vec<String> =
            place.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        take_one(&mut spec, &other, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    let spec: Spec = flyte_schema::from_json(spec).ok()?;
    let taken = App { spec: MessageField::some(spec), ..to.clone() };
    let (is, was, wanted) = (canonical(&taken), canonical(to), canonical(from));
    let arrived = places.iter().all(|place| is.pointer(place) == wanted.pointer(place));
    let nothing_else = walk(&was, &is).iter().all(|difference| places.contains(&difference.pointer));
    (arrived && nothing_else).then_some(taken)
}

fn take_one(to: &mut Value, from: &Value, place: &[&str]) -> Option<()> {
    let keyed = rules::KEYED.iter().find_map(|keyed| {
        // One level less than in the message.
        let path = if keyed.path == ["inputs", "items"] { &["inputs"][..] } else { keyed.path };
        let [name] = place.strip_prefix(path)? else { return None };
        Some((keyed, *name))
    });
    match (place, keyed) {
        (["parameters", name], _) => parameter(to, from, name),
        (["container", inner @ ..], _) if to.get("pod").is_some() => in_pod(to, from, inner),
        (["container", "command"], _) if starts_fserve(to) || starts_fserve(from) => None,
        (_, Some((keyed, name))) => {
            let is_meant = |item: &Value| (keyed.entry)(item).0 == name;
            element(list(to, keyed.path)?, from.pointer(&pointer(keyed.path)), is_meant);
            Some(())
        }
        _ => {
            put(to, place, at(from, place).cloned())?;
            // What held nothing else is gone with it, or both members of a choice would be there.
            let outer = (1..place.len()).rev().map(|length| &place[..length]);
            for emptied in outer.take_while(|outer| at(from, outer).is_none()) {
                if at(to, emptied).is_some_and(|value| *value == json!({})) {
                    put(to, emptied, None)?;
                }
            }
            Some(())
        }
    }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

fn pointer(path: &[&str]) -> String {
    path.iter().map(|name| format!("/{name}")).collect()
}

fn starts_fserve(spec: &Value) -> bool {
    spec.pointer("/container/command/0").is_some_and(|word| word == "fserve")
}

/// Puts a value into nested objects, or takes it out.
fn put(object: &mut Value, path: &[&str], value: Option<Value>) -> Option<()> {
    let (last, outer) = path.split_last()?;
    let mut inner = object;
    for name in outer {
        let members = inner.as_object_mut()?;
        if value.is_none() && !members.contains_key(*name) {
            return Some(());
        }
        inner = members.entry(*name).or_insert_with(|| json!({}));
    }
    let members = inner.as_object_mut()?;
    match value {
        Some(value) => drop(members.insert((*last).to_owned(), value)),
        None => drop(members.shift_remove(*last)),
    }
    Some(())
}

/// The list at a path, empty where there is none.
fn list<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Vec<Value>> {
    let (last, outer) = path.split_last()?;
    let mut inner = object;
    for name in outer {
        inner = inner.as_object_mut()?.entry(*name).or_insert_with(|| json!({}));
    }
    inner.as_object_mut()?.entry(*last).or_insert_with(|| json!([])).as_array_mut()
}

/// Takes an element of a list over: the last one counts.
fn element(to: &mut Vec<Value>, from: Option<&Value>, is_meant: impl Fn(&Value) -> bool) {
    let mut there = from.and_then(Value::as_array).into_iter().flatten();
    match (there.rfind(|item| is_meant(item)), to.iter().rposition(&is_meant)) {
        (Some(item), Some(at)) => to[at] = item.clone(),
        (Some(item), None) => to.push(item.clone()),
        (None, _) => to.retain(|item| !is_meant(item)),
    }
}

/// The app's container of a pod, as far as it is written like a container.
fn in_pod(to: &mut Value, from: &Value, place: &[&str]) -> Option<()> {
    let is_app = |container: &&Value| container["name"] == APP_CONTAINER;
    let containers = |spec: &Value| spec.pointer("/pod/pod_spec/containers").and_then(Value::as_array).cloned();
    let from = containers(from)?.iter().find(is_app)?.clone();
    let all = to.pointer_mut("/pod/pod_spec/containers")?.as_array_mut()?;
    let to = all.iter_mut().find(|container| container["name"] == APP_CONTAINER)?;
    match place {
        [member @ ("image" | "args" | "command")] => put(to, &[member], from.get(*member).cloned()),
        ["env", name] => {
            element(list(to, &["env"])?, from.get("env"), |item| item["name"] == *name);
            Some(())
        }
        _ => None,
    }
}

/// A parameter, which is encoded in the command.
fn parameter(to: &mut Value, from: &Value, name: &str) -> Option<()> {
    let decoded = |spec: &Value| {
        let words = spec.pointer("/container/command")?.as_array()?;
        let at = words.iter().position(|word| word == PARAMETERS)?;
        transported(words.get(at + 1)?.as_str()?)
    };
    let (mut parameters, other) = (decoded(to)?, decoded(from).unwrap_or_else(|| Value::Object(Map::new())));
    let all = parameters.get_mut("parameters")?.as_array_mut()?;
    element(all, other.get("parameters"), |item| item["name"] == name);
    let packed = STANDARD.encode(gzip(parameters.to_string().as_bytes()).ok()?);
    let words = to.pointer_mut("/container/command")?.as_array_mut()?;
    let at = words.iter().position(|word| word == PARAMETERS)?;
    *words.get_mut(at + 1)? = packed.into();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(spec: Value) -> App {
        flyte_schema::from_json(json!({ "spec": spec })).unwrap()
    }

    /// Takes one place over, or finds that it cannot be.
    fn check(to: Value, from: Value, place: &str, expected: Option<Value>) {
        let taken = take(&app(to), &app(from), &[place.to_owned()]);
        assert_eq!(taken.map(|app| canonical(&app)), expected.map(|spec| canonical(&app(spec))), "{place}");
    }

    fn encoded(value: &str) -> String {
        let parameters = json!({ "parameters": [{ "name": "model", "value": value, "type": "string" }] });
        STANDARD.encode(gzip(parameters.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn values_are_taken_by_their_place() {
        let spec = |image: &str, max: u32, env: &[(&str, &str)]| {
            let env: Vec<Value> = env.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            json!({
                "container": { "image": image, "env": env },
                "autoscaling": { "replicas": { "max": max } },
            })
        };
        let (to, from) = (spec("i:1", 3, &[("A", "1"), ("B", "1")]), spec("i:2", 7, &[("A", "2"), ("C", "2")]));
        let to = || to.clone();
        let taken = |place, expected| check(to(), from.clone(), place, Some(expected));
        taken("/container/image", spec("i:2", 3, &[("A", "1"), ("B", "1")]));
        taken("/autoscaling/replicas/max", spec("i:1", 7, &[("A", "1"), ("B", "1")]));
        taken("/container/env/A", spec("i:1", 3, &[("A", "2"), ("B", "1")]));
        // Gone there, gone here; added there, added here.
        taken("/container/env/B", spec("i:1", 3, &[("A", "1")]));
        taken("/container/env/C", spec("i:1", 3, &[("A", "1"), ("B", "1"), ("C", "2")]));
        check(
            to(),
            json!({ "container": { "image": "i:2" } }),
            "/autoscaling/replicas/max",
            Some(json!({
                "container": to()["container"],
            })),
        );
    }

    #[test]
    fn lists_by_name_and_sections_that_are_not_there() {
        let secret = |key: &str| json!({ "key": key, "mount_requirement": "ENV_VAR", "env_var": "DB" });
        let secrets = |key: &str| json!({ "security_context": { "secrets": [secret(key)] } });
        check(secrets("one"), secrets("two"), "/security_context/secrets/DB", Some(secrets("two")));
        check(json!({}), secrets("two"), "/security_context/secrets/DB", Some(secrets("two")));
        let cpu =
            |value: &str| json!({ "container": { "resources": { "requests": [{ "name": "CPU", "value": value }] } } });
        check(cpu("1"), cpu("1500m"), "/container/resources/requests/CPU", Some(cpu("1500m")));
        let replicas = json!({ "autoscaling": { "replicas": { "min": 2 } } });
        check(json!({}), replicas.clone(), "/autoscaling/replicas/min", Some(replicas));
    }

    #[test]
    fn parameters_are_taken_from_the_command_and_its_version_is_not() {
        let spec = |version: &str, value: &str| {
            json!({
                "container": { "command": ["fserve", "--version", version, "--parameters", encoded(value), "--"] },
                "inputs": { "items": [{ "name": "model", "string_value": value }] },
            })
        };
        let places = ["/inputs/model", "/parameters/model"].map(str::to_owned);
        let taken = take(&app(spec("v1", "a")), &app(spec("v2", "b")), &places).unwrap();
        assert_eq!(taken, app(spec("v1", "b")));
        // By itself it would be two values of one parameter.
        assert!(take(&app(spec("v1", "a")), &app(spec("v2", "b")), &places[..1]).is_some());
        check(spec("v1", "a"), spec("v2", "b"), "/container/command", None);
    }

    #[test]
    fn the_app_of_a_pod_is_a_container_and_the_rest_is_left() {
        let pod = |image: &str, value: &str, sidecar: &str| {
            json!({ "pod": { "primary_container_name": "app", "pod_spec": { "containers": [
                { "name": "app", "image": image, "env": [{ "name": "A", "value": value }] },
                { "name": "proxy", "image": sidecar },
            ] } } })
        };
        let (to, from) = (pod("i:1", "1", "p:1"), pod("i:2", "2", "p:2"));
        check(to.clone(), from.clone(), "/container/image", Some(pod("i:2", "1", "p:1")));
        check(to.clone(), from.clone(), "/container/env/A", Some(pod("i:1", "2", "p:1")));
        check(to.clone(), from, "/pod/pod_spec/containers/proxy/image", None);
        check(to, json!({ "container": { "image": "i:2" } }), "/container/image", None);
    }

    #[test]
    fn the_code_and_half_of_a_choice_are_not_taken() {
        let code = |digit: &str| {
            let address = format!("s3://b/{}.tar.gz", digit.repeat(64));
            json!({ "container": { "command": ["fserve", "--tgz", address, "--"] } })
        };
        check(code("a"), code("b"), "/code_bundle", None);
        let metric = |metric: &str| json!({ "autoscaling": { "scaling_metric": { (metric): { "target_value": 5 } } } });
        let (to, from) = (metric("concurrency"), metric("request_rate"));
        let places = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("/autoscaling/scaling_metric/{name}/target_value")).collect()
        };
        assert_eq!(take(&app(to.clone()), &app(from.clone()), &places(&["request_rate"])), None);
        let whole = take(&app(to), &app(from.clone()), &places(&["concurrency", "request_rate"])).unwrap();
        assert_eq!(canonical(&whole), canonical(&app(from)));
    }
}
