//! Order, as far as Kubernetes acts on it.

use serde_json::{Map, Value, json};

use super::rules::text;
use crate::model::Marks;

/// The member of a variable that names those after it to which its value refers.
pub const STANDS_BEFORE: &str = "stands_before";

/// Marks the variables of a list that refer to a later one: `$(NAME)` is replaced only where `NAME` stands before. Of
/// all others the order says nothing. `name` is the member that names a variable.
pub fn mark_variables(variables: &mut [Value], name: &str) {
    let is_ours = |name: &str| Marks::is_mark(name) || name == Marks::BUNDLE;
    let names: Vec<String> = variables.iter().map(|variable| text(variable, name)).collect();
    for (at, variable) in variables.iter_mut().enumerate() {
        let Some(members) = variable.as_object_mut() else { continue };
        let value = members.get("value").and_then(Value::as_str).unwrap_or_default();
        let later = |name: &&str| !is_ours(name) && names[at + 1..].iter().any(|later| later == name);
        let mut later: Vec<&str> = references(value).into_iter().filter(later).collect();
        later.sort_unstable();
        later.dedup();
        if !later.is_empty() {
            let later = json!(later);
            members.insert(STANDS_BEFORE.to_owned(), later);
        }
    }
}

/// The names in `$(NAME)`. `$$` is a dollar sign.
///
/// Source: `k8s.io/kubernetes/third_party/forked/golang/expansion`.
pub fn references(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('$') {
        rest = match after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            Some((name, behind)) => {
                found.push(name);
                behind
            }
            None => after.strip_prefix('$').unwrap_or(after),
        };
    }
    found
}

/// The order of a pod's containers: of those that start one after the other, and which one is the first of the others,
/// where that is not the app. Servers add variables of theirs to the first.
pub fn of_containers(pod_spec: &Value, app: &str) -> Map<String, Value> {
    let names = |member: &str| -> Vec<String> {
        let list = pod_spec.get(member).and_then(Value::as_array);
        list.into_iter().flatten().map(|container| text(container, "name")).collect()
    };
    let mut order = Map::new();
    let first = names("containers").into_iter().next().filter(|first| first != app);
    order.extend(first.map(|first| ("containers".to_owned(), format!("{first} first").into())));
    let initial = names("initContainers");
    if initial.len() > 1 {
        order.insert("initContainers".to_owned(), initial.join(", ").into());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_those_that_kubernetes_replaces() {
        let check = |value: &str, expected: &[&str]| assert_eq!(references(value), expected, "{value}");
        check("", &[]);
        check("$(A)/$(B.c-d)", &["A", "B.c-d"]);
        check("$$(A)", &[]);
        check("$$$(A)", &["A"]);
        check("$A ${B} $(C", &[]);
        check("$", &[]);
        check("$(A$(B)", &["A$(B"]);
    }

    #[test]
    fn order_counts_only_where_a_value_refers_to_a_later_one() {
        let check = |names: &[(&str, &str)], expected: Value| {
            let mut list: Vec<Value> =
                names.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            mark_variables(&mut list, "name");
            let marks: Vec<&Value> = list.iter().filter_map(|variable| variable.get(STANDS_BEFORE)).collect();
            assert_eq!(json!(marks), expected, "{names:?}");
        };
        check(&[("A", "1"), ("C", "$(A)")], json!([]));
        check(&[("C", "$(A)"), ("B", "2"), ("A", "1")], json!([["A"]]));
        check(&[("C", "$(B)$(A)$(B)"), ("A", "1"), ("B", "2")], json!([["A", "B"]]));
        check(&[("C", "$$(A) $(C) $(D)"), ("A", "1")], json!([]));
        // Marks are at the end of every app, and not compared.
        check(&[("C", "$(FLYTE_DEPLOY_VERSION)"), ("FLYTE_DEPLOY_VERSION", "1")], json!([]));
    }
}
