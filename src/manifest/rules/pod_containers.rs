//! The containers of a pod template ask for what Kubernetes can give, and leave alone what belongs to the platform.
//!
//! The app's resources are merged over those of its container, its variables and ports come before: what is judged here
//! is what the merge would send.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::format::{self, Fault};
use super::super::kubernetes;
use super::super::pod::template;
use super::super::{Node, Value};
use super::resources::amount_text;
use super::variables::setter;
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::model::pod::APP_CONTAINER;
use crate::model::quantity::Quantity;
use crate::schema::{Format, RESERVED_PORTS};

/// Where an app listens unless told otherwise.
const DEFAULT_PORT: i64 = 8080;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(|app| of_app(view, app)).collect()
}

fn of_app(view: &View<'_>, app: &AppView) -> Vec<Diagnostic> {
    let Some(node) = app.table.get("pod_template") else { return Vec::new() };
    // What is wrong with the template as a whole is told by another rule.
    let Ok(Some(template)) = template(view.manifest, &app.directory, node) else { return Vec::new() };
    let containers = template.spec.get("containers").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let mut findings = Vec::new();
    let mut ports = Ports::new(app);
    for (at, container) in containers.iter().enumerate() {
        let name = container["name"].as_str().unwrap_or_default();
        let one = Container { app, node, at, name, members: container };
        findings.extend(one.resources());
        findings.extend(one.variables());
        findings.extend(ports.of(&one));
    }
    findings
}

/// A container of the template of an app.
struct Container<'a> {
    app: &'a AppView,
    /// The value of `pod_template`.
    node: &'a Node,
    at: usize,
    name: &'a str,
    members: &'a Json,
}

impl Container<'_> {
    fn is_app(&self) -> bool {
        self.name == APP_CONTAINER
    }

    /// The value at a path inside of the container; in a file it is the text that names it.
    fn span(&self, path: &[&str]) -> Span {
        let at = self.at.to_string();
        let whole = ["pod_spec", "containers", &at];
        within(self.node, &[&whole[..], path].concat()).span
    }

    fn bad(&self, fault: Fault, inside: &str, path: &[&str]) -> Diagnostic {
        Diagnostic::error(fault.code, format!("{} (`{inside}` of the container `{}`)", fault.message, self.name))
            .label(self.span(path), fault.label)
            .help(fault.help)
    }

    fn resources(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut sound = BTreeMap::new();
        for member in ["requests", "limits"] {
            let written = self.members["resources"][member].as_object().into_iter().flatten();
            for (resource, value) in written {
                match amount(resource, value) {
                    // The app's own is told where it stands.
                    Ok(_) if self.of_the_app(member, resource).is_some() => {}
                    Ok(quantity) => drop(sound.insert((member, resource.clone()), (quantity, plain(value)))),
                    Err(fault) => {
                        let inside = format!("resources.{member}.{resource}");
                        findings.push(self.bad(fault, &inside, &["resources", member, resource]));
                    }
                }
            }
        }
        for ((_, resource), (limit, limit_text)) in sound.iter().filter(|((member, _), _)| *member == "limits") {
            let own = self.of_the_app("requests", resource);
            let (request, span) = match (&own, sound.get(&("requests", resource.clone()))) {
                (Some((request, _, span)), _) => (*request, *span),
                (None, Some((request, _))) => (*request, self.span(&["resources", "requests", resource])),
                (None, None) => continue,
            };
            findings.extend(self.over(
                resource,
                (request, span),
                (*limit, limit_text, self.span(&["resources", "limits", resource])),
            ));
        }
        for ((_, resource), (request, _)) in sound.iter().filter(|((member, _), _)| *member == "requests") {
            let Some((limit, text, span)) = self.of_the_app("limits", resource) else { continue };
            let at = self.span(&["resources", "requests", resource]);
            findings.extend(self.over(resource, (*request, at), (limit, &text, span)));
        }
        findings
    }

    fn over(&self, resource: &str, request: (Quantity, Span), limit: (Quantity, &str, Span)) -> Option<Diagnostic> {
        let (limit, text, span) = limit;
        (request.0.cmp(&limit) == Ordering::Greater).then(|| {
            let name = self.name;
            let message = format!("the container `{name}` of the pod would ask for more `{resource}` than its limit");
            let finding = Diagnostic::error(codes::MIN_OVER_MAX, message).label(request.1, "the request");
            let finding = if span == request.1 { finding } else { finding.label(span, "the limit") };
            finding.help(format!("raise the limit, or ask for at most `{text}`"))
        })
    }

    /// What the app asks for itself, which takes the place of what its container says.
    fn of_the_app(&self, member: &str, resource: &str) -> Option<(Quantity, String, Span)> {
        let key = match resource {
            "cpu" | "memory" => resource,
            "ephemeral-storage" => "disk",
            _ => return None,
        };
        let node = self.app.table.table("resources").get(key).filter(|_| self.is_app())?;
        let node = match (&node.value, member) {
            (Value::Table(table), "requests") => table.get("request")?,
            (Value::Table(table), _) => table.get("limit")?,
            (_, "requests") => node,
            _ => return None,
        };
        let text = amount_text(node)?;
        Some((text.parse().ok()?, text, node.span))
    }

    fn variables(&self) -> Vec<Diagnostic> {
        let list = self.members["env"].as_array().map_or(&[][..], Vec::as_slice);
        let mut findings = Vec::new();
        for (at, name) in list.iter().enumerate().filter_map(|(at, one)| Some((at, one["name"].as_str()?))) {
            let at = at.to_string();
            let path = ["env", &at, "name"];
            if let Err(fault) = format::check(Format::EnvName, name) {
                findings.push(self.bad(fault, "env", &path));
            } else if let Some((who, help)) = setter(name).filter(|_| self.is_app()) {
                let message = format!("`{name}` is set by {who} (`env` of the container `{}`)", self.name);
                findings.push(
                    Diagnostic::error(codes::RESERVED_VARIABLE, message).label(self.span(&path), "reserved").help(help),
                );
            }
        }
        findings
    }
}

/// The ports of a pod, whose containers share one address.
struct Ports {
    /// By number and protocol: who has it.
    taken: BTreeMap<(i64, String), (String, Span)>,
}

impl Ports {
    fn new(app: &AppView) -> Self {
        let node =
            app.table.get("port").map(|port| port.as_table().and_then(|table| table.get("number")).unwrap_or(port));
        let number = node.map_or(Some(DEFAULT_PORT), Node::as_integer);
        let owner = ("the app itself".to_owned(), node.map_or(app.declared_at, |node| node.span));
        Self { taken: number.map(|number| ((number, "TCP".to_owned()), owner)).into_iter().collect() }
    }

    fn of(&mut self, container: &Container<'_>) -> Vec<Diagnostic> {
        let list = container.members["ports"].as_array().map_or(&[][..], Vec::as_slice);
        let mut findings = Vec::new();
        for (at, port) in list.iter().enumerate() {
            let Some(written) = port.get("containerPort") else { continue };
            let at = at.to_string();
            let span = container.span(&["ports", &at, "containerPort"]);
            let inside = format!("`ports` of the container `{}`", container.name);
            let finding = |code, message: String, label: &str| Diagnostic::error(code, message).label(span, label);
            let Some(number) = whole(written).filter(|number| (1..=65_535).contains(number)) else {
                findings.push(
                    finding(
                        codes::BAD_POD,
                        format!("`containerPort` cannot be {written} ({inside})"),
                        "no number of a port",
                    )
                    .help("write a number from 1 to 65535"),
                );
                continue;
            };
            if RESERVED_PORTS.iter().any(|reserved| i64::from(*reserved) == number) {
                let listed: Vec<String> = RESERVED_PORTS.iter().map(u16::to_string).collect();
                let message = format!("port {number} belongs to the platform ({inside})");
                let help = format!("choose another port; reserved are {}", listed.join(", "));
                findings.push(finding(codes::RESERVED_PORT, message, "reserved").help(help));
                continue;
            }
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
            let owner = (format!("the container `{}`", container.name), span);
            let Some((other, first)) = self.taken.get(&(number, protocol.clone())) else {
                self.taken.insert((number, protocol), owner);
                continue;
            };
            let message = format!("port {number} is there already ({inside})");
            let twice = finding(codes::BAD_POD, message, "the second time");
            let twice = if *first == span { twice } else { twice.label(*first, format!("taken by {other}")) };
            findings.push(twice.help(if container.is_app() {
                "remove it: the app's own `port` is added by flyte, and containers of a pod share one address"
            } else {
                "choose another port: the containers of a pod share one address"
            }));
        }
        findings
    }
}

/// A number without a fraction, however it is written.
fn whole(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// # Errors
/// When Kubernetes would not read it.
fn amount(resource: &str, value: &Json) -> Result<Quantity, Fault> {
    let text = plain(value);
    match resource {
        "memory" | "ephemeral-storage" => kubernetes::bytes(&text)?,
        _ => kubernetes::cpu(&text)?,
    }
    text.parse().or_else(|_| {
        format::fault(
            codes::BAD_QUANTITY,
            format!("`{text}` is not a quantity"),
            "no quantity",
            "write `1`, for instance",
        )
    })
}

/// The innermost value on a path that is written in the manifest.
fn within<'a>(node: &'a Node, path: &[&str]) -> &'a Node {
    let Some((first, rest)) = path.split_first() else { return node };
    let inner = match &node.value {
        Value::Table(table) => table.get(first),
        Value::List(nodes) => first.parse().ok().and_then(|at: usize| nodes.get(at)),
        _ => None,
    };
    inner.map_or(node, |inner| within(inner, rest))
}
