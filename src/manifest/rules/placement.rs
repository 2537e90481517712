//! An app names a cluster or a pool of them.

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
                    .help("remove one of the two"),
            );
        }
    }
    findings
}
