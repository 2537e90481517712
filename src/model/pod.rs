//! A Kubernetes pod around the container of an app.

use std::collections::BTreeMap;

use buffa_types::google::protobuf::{Struct, Value, value::Kind};
use serde_json::{Map, Value as Json};

/// The container that is the app. Source: the published SDK takes no other name.
pub const APP_CONTAINER: &str = "app";

/// What a manifest says about the pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodTemplate {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// A Kubernetes `PodSpec` as JSON, with a container named [`APP_CONTAINER`].
    pub spec: Map<String, Json>,
}

/// The app's container in a pod's specification.
pub fn app_container(spec: &Struct) -> Option<&Struct> {
    let containers = spec.get("containers")?.as_list()?;
    let mut containers = containers.iter().filter_map(Value::as_struct);
    containers.find(|container| text(container, "name") == Some(APP_CONTAINER))
}

/// The same, to change it.
pub fn app_container_mut(spec: &mut Struct) -> Option<&mut Struct> {
    let containers = spec.fields.get_mut("containers")?.as_list_mut()?;
    let mut containers = containers.values.iter_mut().filter_map(Value::as_struct_mut);
    containers.find(|container| text(container, "name") == Some(APP_CONTAINER))
}

pub fn text<'a>(object: &'a Struct, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str()
}

/// The texts of a list.
pub fn texts<'a>(object: &'a Struct, member: &str) -> impl Iterator<Item = &'a str> {
    object.get(member).and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_str)
}

/// The plain variables of a container, in the order written.
pub fn variables(container: &Struct) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let env = container.get("env").and_then(Value::as_list).map_or(&[][..], |list| &list.values);
    env.iter()
        .filter_map(Value::as_struct)
        .filter_map(|variable| Some((text(variable, "name")?, text(variable, "value")?)))
}

/// Adds a variable to a container.
pub fn push_variable(container: &mut Struct, name: &str, value: &str) {
    let variable = Struct::from_fields([("name", name), ("value", value)]);
    match container.fields.get_mut("env").and_then(Value::as_list_mut) {
        Some(list) => list.values.push(variable.into()),
        None => container.insert("env", buffa_types::google::protobuf::ListValue::from_values([variable])),
    }
}

/// Takes variables out of a container.
pub fn remove_variables(container: &mut Struct, is_meant: impl Fn(&str) -> bool) {
    if let Some(list) = container.fields.get_mut("env").and_then(Value::as_list_mut) {
        let name = |value: &Value| value.as_struct().and_then(|variable| text(variable, "name")).map(&is_meant);
        list.values.retain(|value| !name(value).unwrap_or_default());
    }
}

/// The words of a list, to change them.
pub fn words_mut<'a>(container: &'a mut Struct, member: &str) -> impl Iterator<Item = &'a mut String> {
    let list = container.fields.get_mut(member).and_then(Value::as_list_mut);
    list.into_iter().flat_map(|list| &mut list.values).filter_map(|value| match &mut value.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    })
}
