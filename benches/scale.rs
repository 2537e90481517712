//! Large projects: order and cycles of a graph, and the comparison of many unchanged apps.

#![allow(clippy::disallowed_methods, reason = "tests and examples are outside the borders")]

use std::collections::{BTreeMap, BTreeSet};

use criterion::{Criterion, criterion_group, criterion_main};
use flyte::canonical;
use flyte::model::AppName;
use flyte::resolve::Graph;
use flyte_schema::flyteidl2::app::{App, Meta, Spec};
use flyte_schema::flyteidl2::core::{Container, KeyValuePair};

fn name(number: usize) -> AppName {
    AppName::new(format!("app-{number}")).expect("a name")
}

/// 10,000 apps with some 100,000 edges, each to an earlier app.
fn edges() -> BTreeMap<AppName, BTreeSet<AppName>> {
    let needs = |app: usize| (0..10).map(|step| name((app * 31 + step * 977) % app.max(1))).collect();
    (0..10_000).map(|app| (name(app), if app == 0 { BTreeSet::new() } else { needs(app) })).collect()
}

fn app(number: usize) -> App {
    let pair = |at: usize| KeyValuePair { key: format!("V{at}"), value: number.to_string(), ..Default::default() };
    let env = (0..10).map(pair).collect();
    let container = Container { image: "ghcr.io/acme/api:1".into(), env, ..Default::default() };
    App {
        metadata: Meta::default().into(),
        spec: Spec { app_payload: Some(container.into()), ..Default::default() }.into(),
        ..Default::default()
    }
}

fn scale(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scale");
    group.sample_size(10);
    let graph = edges();
    group.bench_function("graph of 10,000 apps and 100,000 edges", |bencher| {
        let build = |edges| Graph::new(edges).expect("no cycle");
        bencher.iter_batched(|| graph.clone(), build, criterion::BatchSize::LargeInput);
    });
    let apps: Vec<(App, App)> = (0..10_000).map(|number| (app(number), app(number))).collect();
    group.bench_function("comparison of 10,000 apps", |bencher| {
        let differs = |(old, new): &&(App, App)| canonical::canonical(old) != canonical::canonical(new);
        bencher.iter(|| apps.iter().filter(differs).count());
    });
    group.finish();
}

criterion_group!(benches, scale);
criterion_main!(benches);
