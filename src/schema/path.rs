//! Finds keys: by their path in the manifest, and by where they land in the app message.

use std::sync::Arc;

use super::{Form, Key, Schema, TableType, table_form};
use crate::model::key_path;

impl Schema {
    /// The key at a path such as `app.scaling.replicas`. Names inside maps may be left out or given
    /// (`app.backend.scaling.replicas`, `app.env.LOG_LEVEL`). A path that begins inside an app (`scaling.replicas`)
    /// is found too.
    pub fn lookup(&self, path: &str) -> Option<&Key> {
        let segments: Vec<&str> = path.split('.').collect();
        let app = self.table("app");
        in_table(&self.root, &segments).or_else(|| app.and_then(|app| in_table(app, &segments)))
    }

    /// The path of the key that others call so: `env_vars` is `env`, `domain.subdomain` is `ingress.subdomain`, and `gpu`
    /// is `resources.gpu`.
    pub fn spelled(&self, path: &str) -> Option<String> {
        let (app, segments) = (self.table("app")?, path.split('.').collect::<Vec<_>>());
        let Some(inside) = segments.strip_prefix(&["app"]) else { return spelled(app, &segments) };
        // The name of the app may come first.
        spelled(app, inside).or_else(|| spelled(app, inside.get(1..)?))
    }

    /// The path of every key, from the root: `app.scaling.replicas`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        each_key(&self.root, "", &mut |_, path| paths.push(path.to_owned()));
        paths
    }

    /// The key, within an app, that a wire path belongs to, by the longest beginning that some key claims:
    /// `spec.autoscaling.replicas.min` is `scaling.replicas.min`, `spec.container.env[MODE].value` is `env.MODE`.
    pub fn key_for_wire(&self, wire_path: &str) -> Option<String> {
        self.keys_for_wire(wire_path).into_iter().next()
    }

    /// All of them, where several keys say the same (`source.dest` and `code_bundle.dest`).
    pub fn keys_for_wire(&self, wire_path: &str) -> Vec<String> {
        let wire = segments(wire_path);
        let (mut best, mut keys) = (0, Vec::new());
        let mut consider = |key: &Key, path: &str| {
            for pattern in &key.wire {
                let pattern = segments(pattern);
                // One that names the element says more than one that takes any.
                let named = pattern.iter().filter(|segment| segment.1.is_some_and(|name| !name.is_empty())).count();
                let weight = 2 * pattern.len() + named;
                if weight >= best
                    && let Some(element) = claims(&pattern, &wire)
                {
                    if weight > best {
                        (best, keys) = (weight, Vec::new());
                    }
                    keys.push(element.map_or_else(|| path.to_owned(), |name| key_path(path, name)));
                }
            }
        };
        if let Some(app) = self.table("app") {
            each_key(app, "", &mut consider);
        }
        keys
    }
}

impl TableType {
    /// The key that others call `name`.
    pub fn alias(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.aliases.iter().any(|alias| alias == name))
    }

    /// The path, from here, of the one key in the tables below that is called `name`, here or elsewhere; the nearest, and
    /// `None` where as near there is another.
    pub fn within(&self, name: &str) -> Option<String> {
        let tables = |key: &'_ Key| key.table().cloned();
        let mut open: Vec<(String, Arc<TableType>)> =
            self.keys.iter().filter_map(|key| Some((key.name.clone(), tables(key)?))).collect();
        while !open.is_empty() {
            let called = open.iter().flat_map(|(path, table)| {
                table.keys.iter().filter(|key| key.is_called(name)).map(move |key| format!("{path}.{}", key.name))
            });
            let found: Vec<String> = called.collect();
            if !found.is_empty() {
                return <[String; 1]>::try_from(found).ok().map(|[path]| path);
            }
            let deeper = open.iter().flat_map(|(path, table)| {
                table.keys.iter().filter_map(move |key| Some((format!("{path}.{}", key.name), tables(key)?)))
            });
            open = deeper.collect();
        }
        None
    }
}

fn in_table<'a>(table: &'a TableType, path: &[&str]) -> Option<&'a Key> {
    let (first, rest) = path.split_first()?;
    let key = table.key(first)?;
    if rest.is_empty() {
        return Some(key);
    }
    in_forms(&key.forms, rest, key)
}

fn in_forms<'a>(forms: &'a [Form], path: &[&str], key: &'a Key) -> Option<&'a Key> {
    let found = table_form(forms).and_then(|table| in_table(table, path));
    found.or_else(|| {
        forms.iter().find_map(|form| match form {
            Form::List { element, .. } => in_forms(element, path, key),
            // The name is left out, or it is the next segment.
            Form::Map { element, .. } => table_form(element).and_then(|table| in_table(table, path)).or_else(|| {
                let rest = &path[1..];
                if rest.is_empty() { Some(key) } else { in_forms(element, rest, key) }
            }),
            _ => None,
        })
    })
}

fn spelled(table: &TableType, path: &[&str]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let own = table.key(first).or_else(|| table.alias(first));
    let here = own.map(|key| key.name.clone()).or_else(|| table.within(first))?;
    if rest.is_empty() {
        return Some(here);
    }
    let key = in_table(table, &here.split('.').collect::<Vec<_>>())?;
    let below = |rest: &[&str]| tables(&key.forms).into_iter().find_map(|table| spelled(table, rest));
    // Inside of a map, a name may come first.
    let inside = below(rest).or_else(|| key.map().and_then(|_| below(rest.get(1..)?)))?;
    Some(format!("{here}.{inside}"))
}

/// The tables that some forms are, or hold.
fn tables(forms: &[Form]) -> Vec<&TableType> {
    let mut found = Vec::new();
    for form in forms {
        match form {
            Form::Table(table) => found.push(table.as_ref()),
            Form::List { element, .. } | Form::Map { element, .. } => found.extend(tables(element)),
            _ => {}
        }
    }
    found
}

/// Calls `visit` with every key below `table` and its path.
pub(super) fn each_key<'a>(table: &'a TableType, prefix: &str, visit: &mut dyn FnMut(&'a Key, &str)) {
    for key in &table.keys {
        let path = if prefix.is_empty() { key.name.clone() } else { format!("{prefix}.{}", key.name) };
        visit(key, &path);
        for form in &key.forms {
            below(form, &path, visit);
        }
    }
}

fn below<'a>(form: &'a Form, path: &str, visit: &mut dyn FnMut(&'a Key, &str)) {
    match form {
        Form::Table(table) => each_key(table, path, visit),
        Form::List { element, .. } | Form::Map { element, .. } => {
            // An element may be written in several ways, of which one is a table.
            if let Some(table) = table_form(element) {
                each_key(table, path, visit);
            }
        }
        Form::Text { .. } | Form::Integer { .. } | Form::Number { .. } | Form::Boolean | Form::Any => {}
    }
}

/// A field, and the key of the element where the field is a list.
type Segment<'a> = (&'a str, Option<&'a str>);

fn segments(path: &str) -> Vec<Segment<'_>> {
    let mut rest = path;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let mut element = None;
        if let Some(inside) = rest.strip_prefix('[') {
            let close = inside.find(']').unwrap_or(inside.len());
            element = Some(&inside[..close]);
            rest = inside.get(close + 1..).unwrap_or("");
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        found.push((name, element));
    }
    found
}

/// Whether `pattern` begins `wire`; inside, the element that its last segment tells apart.
fn claims<'a>(pattern: &[Segment<'_>], wire: &[Segment<'a>]) -> Option<Option<&'a str>> {
    let element = |p: &Segment<'_>, w: &Segment<'_>| p.1.is_none_or(|name| name.is_empty() || w.1 == Some(name));
    let fits = |(p, w): (&Segment<'_>, &Segment<'_>)| p.0 == w.0 && element(p, w);
    let same = pattern.len() <= wire.len() && pattern.iter().zip(wire).all(fits);
    let (last, at) = (pattern.last()?, pattern.len() - 1);
    // Elements of a list that has no key here (`ports[0]`) are not told apart.
    same.then(|| if last.1 == Some("") && wire.len() >= pattern.len() { wire[at].1 } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_paths_find_their_keys() {
        let check = |wire: &str, expected: Option<&str>| {
            assert_eq!(Schema::load().key_for_wire(wire).as_deref(), expected, "{wire}");
        };
        check("spec.container.image", Some("image"));
        check("spec.container.env[MODE]", Some("env.MODE"));
        check("spec.container.env[my.mode].value", Some(r#"env."my.mode""#));
        check("spec.container.env", Some("env"));
        check("spec.container.env[FLYTE_DEPLOY_READY]", Some("ready.http"));
        check("spec.container.ports", Some("port"));
        check("spec.container.ports[0].container_port", Some("port.number"));
        check("spec.container.command", Some("command"));
        check("spec.container.args[2]", Some("args"));
        check("spec.security_context.secrets[DB_PASSWORD]", Some("secrets.DB_PASSWORD"));
        check("spec.security_context.allow_anonymous", Some("requires_auth"));
        check("spec.autoscaling.replicas.min", Some("scaling.replicas.min"));
        check("spec.autoscaling.scaling_metric.concurrency.target_value", Some("scaling.metric.concurrency"));
        check("spec.autoscaling.scaledown_period", Some("scaling.scaledown_after"));
        check("spec.profile.short_description", Some("description"));
        check("spec.profile.type", Some("type"));
        check("spec.timeouts.request_timeout", Some("timeouts.request"));
        check("spec.links[0].path", Some("links"));
        check("spec.ingress.subdomain", Some("ingress.subdomain"));
        check("spec.container.resources.requests[CPU]", Some("resources.cpu"));
        check("spec.container.resources.limits[MEMORY]", Some("resources.memory"));
        check("spec.container.resources.requests[STORAGE]", Some("resources"));
        check("spec.extended_resources.gpu_accelerator.partition_size", Some("resources.gpu.partition"));
        check("spec.pod.pod_spec.nodeSelector.disk", Some("pod_template.pod_spec"));
        check("spec.pod.metadata.labels.team", Some("pod_template.labels"));
        check("spec.inputs[model]", Some("parameters.model"));
        check("spec.creator", None);
        check("spec.containers", None);
    }

    #[test]
    fn paths_find_their_keys() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(Schema::load().lookup(path).map(|key| key.name.as_str()), expected, "{path}");
        };
        check("name", Some("name"));
        check("app", Some("app"));
        check("app.scaling.replicas", Some("replicas"));
        check("app.backend.scaling.replicas.min", Some("min"));
        check("scaling.replicas.max", Some("max"));
        check("app.env.LOG_LEVEL", Some("env"));
        check("app.secrets.key", Some("key"));
        check("profile.production.app.backend.port", Some("port"));
        check("target.staging.endpoint", Some("endpoint"));
        check("target.endpoint", Some("endpoint"));
        check("defaults.ready.within", Some("within"));
        check("app.backend.colour.red", None);
        check("", None);
    }
}
