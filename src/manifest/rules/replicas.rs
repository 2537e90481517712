//! The fewest replicas are not more than the most.

use super::super::Node;
use super::View;
use crate::diagnostic::{Diagnostic, codes};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        let Some(replicas) = app.table.at(&["scaling", "replicas"]) else { continue };
        if replicas.as_integer() == Some(0) {
            findings.push(
                Diagnostic::error(codes::OUT_OF_RANGE, format!("`{}` may never have a replica", app.name))
                    .label(replicas.span, "both the least and the most")
                    .help("write `{ min = 0, max = 1 }` for an app that stops when idle, or `flyte deactivate` it"),
            );
        }
        let Some(table) = replicas.as_table() else { continue };
        let bound = |key: &str| table.get(key).map(|node| (node, Node::as_integer(node)));
        let (min, max) = (bound("min"), bound("max"));
        let Some((min_node, Some(min_value))) = min else { continue };
        let finding = |max: i64| {
            Diagnostic::error(
                codes::MIN_OVER_MAX,
                format!("`{}` wants at least {min_value} replicas and at most {max}", app.name),
            )
        };
        match max {
            Some((max_node, Some(max_value))) if min_value > max_value => findings.push(
                finding(max_value)
                    .label(min_node.span, "the least")
                    .label(max_node.span, "the most")
                    .help(format!("raise `max` to {min_value}, or lower `min`")),
            ),
            None if min_value > 1 => findings.push(
                finding(1)
                    .label(min_node.span, "the least; `max` is 1 by default")
                    .help(format!("add `max = {min_value}`")),
            ),
            _ => {}
        }
    }
    findings
}
