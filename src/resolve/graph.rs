//! The order of apps: a deterministic topological sort, and the whole path of a cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::AppName;

/// Apps and what each depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    order: Vec<AppName>,
    dependencies: BTreeMap<AppName, BTreeSet<AppName>>,
    dependents: BTreeMap<AppName, BTreeSet<AppName>>,
}

/// A closed path: each app depends on the next, the last on the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<AppName>);

impl Graph {
    /// `dependencies` names every app as a key. Dependencies that are no key are left out.
    ///
    /// # Errors
    /// One shortest cycle per knot of apps that depend on each other.
    pub fn new(mut dependencies: BTreeMap<AppName, BTreeSet<AppName>>) -> Result<Self, Vec<Cycle>> {
        let known: BTreeSet<AppName> = dependencies.keys().cloned().collect();
        for needed in dependencies.values_mut() {
            needed.retain(|name| known.contains(name));
        }
        let mut dependents: BTreeMap<AppName, BTreeSet<AppName>> =
            known.iter().map(|name| (name.clone(), BTreeSet::new())).collect();
        for (name, needed) in &dependencies {
            for dependency in needed {
                dependents.get_mut(dependency).expect("retained above").insert(name.clone());
            }
        }
        let mut missing: BTreeMap<&AppName, usize> = dependencies.iter().map(|(name, on)| (name, on.len())).collect();
        let mut ready: BTreeSet<&AppName> = missing.iter().filter(|(_, n)| **n == 0).map(|(name, _)| *name).collect();
        let mut order = Vec::with_capacity(dependencies.len());
        while let Some(name) = ready.pop_first() {
            order.push(name.clone());
            for dependent in &dependents[name] {
                let left = missing.get_mut(dependent).expect("every app is counted");
                *left -= 1;
                if *left == 0 {
                    ready.insert(dependent);
                }
            }
        }
        if order.len() == dependencies.len() {
            return Ok(Self { order, dependencies, dependents });
        }
        let done: BTreeSet<AppName> = order.into_iter().collect();
        let left: BTreeSet<AppName> = known.difference(&done).cloned().collect();
        Err(cycles(&dependencies, left))
    }

    /// Dependencies first; ties in the order of names.
    pub fn order(&self) -> &[AppName] {
        &self.order
    }

    pub fn dependencies(&self, name: &AppName) -> impl Iterator<Item = &AppName> {
        self.dependencies.get(name).into_iter().flatten()
    }

    pub fn dependents(&self, name: &AppName) -> impl Iterator<Item = &AppName> {
        self.dependents.get(name).into_iter().flatten()
    }

    /// `names` and everything they depend on, near and far.
    pub fn closure(&self, names: impl IntoIterator<Item = AppName>) -> BTreeSet<AppName> {
        let mut found = BTreeSet::new();
        let mut open: Vec<AppName> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if self.dependencies.contains_key(&name) && found.insert(name.clone()) {
                open.extend(self.dependencies[&name].iter().cloned());
            }
        }
        found
    }

    /// The graph of `names` alone.
    #[must_use]
    pub fn restrict(&self, names: &BTreeSet<AppName>) -> Self {
        let keep = |edges: &BTreeMap<AppName, BTreeSet<AppName>>| {
            edges
                .iter()
                .filter(|(name, _)| names.contains(*name))
                .map(|(name, ends)| (name.clone(), ends.intersection(names).cloned().collect()))
                .collect()
        };
        Self {
            order: self.order.iter().filter(|name| names.contains(*name)).cloned().collect(),
            dependencies: keep(&self.dependencies),
            dependents: keep(&self.dependents),
        }
    }
}

/// A shortest cycle through each knot; apps that merely lead to a knot are in none.
fn cycles(dependencies: &BTreeMap<AppName, BTreeSet<AppName>>, mut left: BTreeSet<AppName>) -> Vec<Cycle> {
    let mut found: Vec<Cycle> = Vec::new();
    while let Some(start) = left.pop_first() {
        if let Some(path) = shortest_cycle(dependencies, &start) {
            for name in &path {
                left.remove(name);
            }
            let met = |cycle: &Cycle| cycle.0.iter().any(|name| path.contains(name));
            if !found.iter().any(met) {
                found.push(Cycle(path));
            }
        }
    }
    found
}

/// Breadth first from `start` back to it.
fn shortest_cycle(dependencies: &BTreeMap<AppName, BTreeSet<AppName>>, start: &AppName) -> Option<Vec<AppName>> {
    let mut from: BTreeMap<&AppName, &AppName> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(name) = queue.pop_front() {
        for next in &dependencies[name] {
            if next == start {
                let mut path = vec![name.clone()];
                let mut at = name;
                while at != start {
                    at = from[at];
                    path.push(at.clone());
                }
                path.reverse();
                return Some(path);
            }
            if !from.contains_key(next) {
                from.insert(next, name);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(text: &str) -> BTreeMap<AppName, BTreeSet<AppName>> {
        let mut map: BTreeMap<AppName, BTreeSet<AppName>> = BTreeMap::new();
        for part in text.split_whitespace() {
            let (name, needed) = part.split_once("->").unwrap_or((part, ""));
            let ends = needed.split(',').filter(|n| !n.is_empty()).map(|n| AppName::new(n).unwrap());
            map.entry(AppName::new(name).unwrap()).or_default().extend(ends);
        }
        map
    }

    fn check(input: &str, expected: Result<&str, &[&str]>) {
        let join = |names: &[AppName]| names.iter().map(AppName::as_str).collect::<Vec<_>>().join(" ");
        match (Graph::new(edges(input)), expected) {
            (Ok(graph), Ok(order)) => assert_eq!(join(graph.order()), order),
            (Err(cycles), Err(paths)) => {
                assert_eq!(cycles.iter().map(|c| join(&c.0)).collect::<Vec<_>>(), paths);
            }
            (other, _) => panic!("{input}: {other:?}"),
        }
    }

    #[test]
    fn order_is_by_dependency_then_name() {
        check("c->a b->a a", Ok("a b c"));
        check("a->z b z", Ok("b z a"));
        check("", Ok(""));
    }

    #[test]
    fn cycles_are_whole_and_without_tails() {
        check("a->b b->c c->a d->a e", Err(&["a b c"]));
        check("a->a", Err(&["a"]));
        check("a->b b->a x->y y->x", Err(&["a b", "x y"]));
    }

    #[test]
    fn ten_thousand_apps_in_a_row() {
        let name = |n: u32| AppName::new(format!("a{n}")).unwrap();
        let map = (0..10_000).map(|n| (name(n), (n > 0).then(|| name(n - 1)).into_iter().collect())).collect();
        assert_eq!(Graph::new(map).unwrap().order().len(), 10_000);
    }
}
