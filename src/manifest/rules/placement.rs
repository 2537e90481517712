//! An app names a cluster or a pool of them.

use super::super::Entry;
use super::super::paths::layers;
use super::View;
use crate::diagnostic::{Diagnostic, codes};

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for app in &view.apps {
        let (Some(cluster), Some(pool)) = (app.table.entry("cluster"), app.table.entry("cluster_pool")) else {
            continue;
        };
        // The default and the empty pool say nothing.
        if pool.node.as_text().is_some_and(|pool| !matches!(pool, "" | "default")) {
            findings.push(
                Diagnostic::error(codes::CONFLICTING_KEYS, format!("`{}` names both a cluster and a pool", app.name))
                    .label(cluster.key_span, "one cluster")
                    .label(pool.key_span, "a choice of clusters")
                    .help(if is_below(view, pool, cluster) {
                        "write `cluster_pool = \"\"` beside `cluster`, which takes the pool back"
                    } else {
                        "remove one of the two"
                    }),
            );
        }
    }
    findings
}

/// Whether a key comes from a layer below that of another: the defaults, or what a profile changes.
fn is_below(view: &View<'_>, lower: &Entry, upper: &Entry) -> bool {
    layers(view.manifest).into_iter().any(|(_, tables)| {
        let of = |entry: &Entry| {
            let is_here = |known: &Entry| known.key_span == entry.key_span;
            tables.iter().position(|table| table.entry(&entry.key).is_some_and(is_here))
        };
        matches!((of(lower), of(upper)), (Some(lower), Some(upper)) if lower < upper)
    })
}
