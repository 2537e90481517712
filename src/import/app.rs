//! One message back to the table of its app. Keys stand in the order in which they are written.

use buffa_types::google::protobuf::Duration;
use flyte_schema::flyteidl2::app::{
    App as Message, AutoscalingConfig, IngressConfig, Link, SecurityContext, Spec, scaling_metric::Metric, spec,
};
use flyte_schema::flyteidl2::core::{Container, ContainerPort, Secret, secret::MountType};
use toml::{Table, Value};

use super::command::starter;
use super::parameters::{Parameters, parameters};
use super::{Draft, Hints, STARTER, Unsaid, pod, resources};
use crate::diff::conceal;
use crate::model::shell::{self, Arguments};
use crate::model::spec::{bundle_address, command};
use crate::model::{Marks, Mask, SECRET_MOUNT, Scope};

const DEFAULT_PORT: u32 = 8080;

/// Set on Apple silicon by whoever lowers an app, not by its author.
const MARKERS: [(&str, &str); 2] = [("_F_APPLE_SILICON_EXECUTION", "host"), ("_F_APPLE_SILICON_HOST_PACKAGES", "[]")];

pub fn draft(message: &Message, scope: &Scope, hints: &Hints, unsaid: &mut Vec<Unsaid>) -> Draft {
    let name = message.metadata.id.name.clone();
    let mut writer = Writer { table: Table::new(), app: &name, unsaid };
    let parameters = writer.app(message, scope, hints);
    let mut table = writer.table;
    escape(&mut table);
    Draft { name, table, resolved: parameters.resolved }
}

struct Writer<'a> {
    table: Table,
    app: &'a str,
    unsaid: &'a mut Vec<Unsaid>,
}

impl Writer<'_> {
    /// Whether it is lost, the comparison tells.
    fn cannot(&mut self, path: &str, why: &str) {
        let (app, path, why) = (self.app.to_owned(), path.to_owned(), why.to_owned());
        self.unsaid.push(Unsaid { app, path, why, lost: false });
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.table.insert(key.to_owned(), value.into());
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.set(key, text);
        }
    }

    fn fill(&mut self, key: &str, table: Table) {
        if !table.is_empty() {
            self.set(key, table);
        }
    }

    fn app(&mut self, message: &Message, scope: &Scope, hints: &Hints) -> Parameters {
        let spec: &Spec = &message.spec;
        let mut template = Table::new();
        let container = match &spec.app_payload {
            Some(spec::AppPayload::Container(container)) => (**container).clone(),
            Some(spec::AppPayload::Pod(payload)) => match pod::taken_apart(payload) {
                Ok((container, around)) => {
                    template = around;
                    container
                }
                Err(why) => {
                    self.cannot("spec.pod", &why);
                    Container::default()
                }
            },
            None => Container::default(),
        };
        self.text("description", &spec.profile.short_description);
        self.text("type", &spec.profile.r#type);
        self.text("image", &container.image);
        let parameters = self.process(message, &container, scope, hints);
        self.port(&container.ports);
        self.environment(&container, &parameters);
        self.secrets(&spec.security_context);
        self.fill("parameters", parameters.parameters.clone());
        let edges = parameters.endpoints();
        let more: Vec<String> = hints.depends_on.iter().filter(|app| !edges.contains(app.as_str())).cloned().collect();
        if !more.is_empty() {
            self.set("depends_on", more);
        }
        use spec::DesiredState as State;
        if matches!(spec.desired_state.as_known(), Some(State::DESIRED_STATE_ACTIVE | State::DESIRED_STATE_STARTED)) {
            self.set("activation", "auto");
        }
        self.code(message, hints);
        self.fill("resources", resources::resources(&container.resources, &spec.extended_resources));
        self.fill("scaling", scaling(&spec.autoscaling));
        self.fill("ingress", ingress(&spec.ingress, hints.subdomain.as_ref()));
        if spec.security_context.allow_anonymous {
            self.set("requires_auth", false);
        }
        if !spec.links.is_empty() {
            self.set("links", Value::Array(spec.links.iter().map(link).collect()));
        }
        if let Some(path) = variable(&container, Marks::READY) {
            self.set("ready", Table::from_iter([("http".to_owned(), Value::from(path))]));
        }
        if let Some(request) = spec.timeouts.request_timeout.as_option() {
            self.set("timeouts", Table::from_iter([("request".to_owned(), duration(request).into())]));
        }
        if spec.cluster_pool != "default" {
            self.text("cluster_pool", &spec.cluster_pool);
        }
        self.text("cluster", &spec.cluster);
        self.text("service_account", &spec.security_context.run_as.k8s_service_account);
        self.fill("pod_template", template);
        self.metadata(message);
        parameters
    }

    /// The command, taken apart where it is the starter's.
    fn process(&mut self, message: &Message, container: &Container, scope: &Scope, hints: &Hints) -> Parameters {
        let command: Vec<&str> = container.command.iter().map(String::as_str).collect();
        let Some(starter) = starter(&command) else {
            self.set("command", container.command.clone());
            if !container.args.is_empty() {
                self.set("args", container.args.clone());
            }
            // A command of the starter's that is written by hand has them in it, or does without.
            let is_starter = command.first() == Some(&STARTER);
            return if is_starter { Parameters::told_to_server(&message.spec.inputs) } else { Parameters::default() };
        };
        self.text("python", starter.python.unwrap_or_default());
        let args: Vec<&str> = container.args.iter().map(String::as_str).collect();
        match shell::read(&args) {
            Arguments::Words(words) => {
                if !words.is_empty() {
                    self.set("args", words);
                }
                self.altered(&args);
            }
            Arguments::Broken(line) => {
                self.set("args", shell::through_shell(line));
                self.cannot(
                    "spec.container.args",
                    "the starter takes all of an argument that begins with `$` for the name of a variable, and does not \
                     start: written as `sh -c`, which puts the variable in",
                );
            }
            Arguments::Line(line) => {
                self.set("args", shell::through_shell(line));
                self.cannot(
                    "spec.container.args",
                    "a shell reads them, and flyte sends words that arrive whole: written as `sh -c`, which does the same",
                );
            }
        }
        let Some(transport) = starter.parameters else { return Parameters::default() };
        let Some(parameters) = parameters(transport, &message.spec.inputs, scope, hints) else {
            self.cannot("spec.parameters", "they are not written as Flyte's starter takes them");
            return Parameters::default();
        };
        for name in &parameters.repeated {
            let why =
                "it has the name of another parameter, and in a manifest a name stands for one: rename it to keep it";
            self.cannot(&format!("spec.parameters[{name}]"), why);
        }
        parameters
    }

    /// What runs stays what it is.
    fn altered(&mut self, args: &[&str]) {
        let altered = shell::altered(args);
        if altered.is_empty() {
            return;
        }
        let shown = conceal("spec.container.args", args.into(), &Mask::default());
        let instead = |(at, whole): &(usize, String)| match shown[*at] == args[*at] {
            true => format!("`{whole:?}` in place of `{:?}`", args[*at]),
            false => format!("quotes around word {}", at + 1),
        };
        let written: Vec<String> = altered.iter().map(instead).collect();
        let why = format!(
            "the starter hands them to a shell, where not all arrive as they are written: the manifest has what arrives; \
             to have them whole, write {}, or in the manifest the words themselves",
            written.join(", ")
        );
        self.cannot("spec.container.args", &why);
    }

    fn port(&mut self, ports: &[ContainerPort]) {
        if ports.len() != 1 {
            self.cannot("spec.container.ports", "an app has exactly one port");
        }
        let Some(port) = ports.first() else { return };
        let number = i64::from(port.container_port);
        if !port.name.is_empty() {
            let port = [("number", Value::from(number)), ("name", port.name.as_str().into())];
            self.set("port", port.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Table>());
        } else if port.container_port != DEFAULT_PORT {
            self.set("port", number);
        }
    }

    fn environment(&mut self, container: &Container, parameters: &Parameters) {
        let ours = |key: &str| Marks::is_mark(key) || key == Marks::READY || key == Marks::BUNDLE;
        let mut env = Table::new();
        for pair in container.env.iter().filter(|pair| !ours(&pair.key)) {
            if !MARKERS.contains(&(pair.key.as_str(), pair.value.as_str())) {
                env.insert(pair.key.clone(), pair.value.as_str().into());
            }
        }
        env.extend(parameters.env.clone());
        self.fill("env", env);
    }

    fn secrets(&mut self, context: &SecurityContext) {
        let mut secrets = Vec::new();
        for secret in &context.secrets {
            match written(secret) {
                Some(written) => secrets.push(written),
                None => {
                    // As the comparison names it.
                    let name = match secret.env_var.as_str() {
                        "" => format!("{}/{}", secret.group, secret.key),
                        variable => variable.to_owned(),
                    };
                    let path = format!("spec.security_context.secrets[{name}]");
                    self.cannot(&path, "a secret goes into a variable or a file, whatever its version");
                }
            }
        }
        if !secrets.is_empty() {
            self.set("secrets", Value::Array(secrets));
        }
    }

    /// Files where it is known which they are, else the address.
    fn code(&mut self, message: &Message, hints: &Hints) {
        let command = command(&message.spec);
        let starter = starter(&command).unwrap_or_default();
        let mut code = Table::new();
        code.extend(starter.dest.map(|dest| ("dest".to_owned(), dest.into())));
        if hints.include.is_empty() || starter.pickled {
            let Some(address) = bundle_address(message) else { return };
            code.extend(starter.pickled.then(|| ("pickled".to_owned(), true.into())));
            // The address alone says as much as a table of it.
            if code.is_empty() {
                return self.set("code_bundle", address);
            }
            code.insert("uri".to_owned(), address.into());
            self.set("code_bundle", code);
        } else if code.is_empty() {
            self.set("include", hints.include.clone());
        } else {
            code.insert("include".to_owned(), hints.include.clone().into());
            self.set("source", code);
        }
    }

    /// What the comparison of specs does not see.
    fn metadata(&mut self, message: &Message) {
        let foreign = |label: &&String| !label.starts_with(Marks::LABELS);
        if let Some(label) = message.metadata.labels.keys().find(foreign) {
            self.cannot(&format!("metadata.labels[{label}]"), "flyte sets labels of its own only");
        }
    }
}

fn variable<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    container.env.iter().rev().find(|pair| pair.key == name).map(|pair| pair.value.as_str())
}

fn written(secret: &Secret) -> Option<Value> {
    let made = |text: &str| text.to_ascii_uppercase().replace('-', "_");
    let usual = if secret.group.is_empty() {
        made(&secret.key)
    } else {
        format!("{}_{}", made(&secret.group), made(&secret.key))
    };
    let mut table = Table::from_iter([("key".to_owned(), Value::from(secret.key.as_str()))]);
    if !secret.group.is_empty() {
        table.insert("group".to_owned(), secret.group.as_str().into());
    }
    match secret.mount_requirement.as_known() {
        _ if !secret.group_version.is_empty() => return None,
        Some(MountType::ENV_VAR) if secret.env_var == usual => {
            if table.len() == 1 {
                return Some(secret.key.as_str().into());
            }
        }
        Some(MountType::ENV_VAR) => drop(table.insert("env".to_owned(), secret.env_var.as_str().into())),
        Some(MountType::FILE) if secret.env_var.is_empty() => {
            table.insert("mount".to_owned(), SECRET_MOUNT.into());
        }
        _ => return None,
    }
    Some(table.into())
}

fn scaling(config: &AutoscalingConfig) -> Table {
    let mut table = Table::new();
    let (min, max) = (i64::from(config.replicas.min), i64::from(config.replicas.max));
    let replicas: Option<Value> = match (min, max) {
        (0, 1) => None,
        (min, max) if min == max => Some(min.into()),
        (min, max) => {
            let bounds = [("min", min, 0), ("max", max, 1)].into_iter().filter(|(_, bound, default)| bound != default);
            Some(Value::Table(bounds.map(|(key, bound, _)| (key.to_owned(), bound.into())).collect()))
        }
    };
    // A message that says nothing means none at all: the manifest refuses that in its own words.
    if let Some(replicas) = replicas {
        table.insert("replicas".to_owned(), replicas);
    }
    let metric = match &config.scaling_metric.metric {
        Some(Metric::Concurrency(metric)) => Some(("concurrency", metric.target_value)),
        Some(Metric::RequestRate(metric)) => Some(("request_rate", metric.target_value)),
        None => None,
    };
    if let Some((key, target)) = metric {
        let metric = Table::from_iter([(key.to_owned(), Value::from(i64::from(target)))]);
        table.insert("metric".to_owned(), metric.into());
    }
    if let Some(period) = config.scaledown_period.as_option() {
        table.insert("scaledown_after".to_owned(), duration(period).into());
    }
    table
}

fn ingress(config: &IngressConfig, made_from: Option<&Table>) -> Table {
    let mut table = Table::new();
    let subdomain = match made_from {
        Some(made_from) => Some(Value::from(made_from.clone())),
        None => (!config.subdomain.is_empty()).then(|| config.subdomain.as_str().into()),
    };
    table.extend(subdomain.map(|subdomain| ("subdomain".to_owned(), subdomain)));
    if !config.cname.is_empty() {
        table.insert("custom_domain".to_owned(), config.cname.as_str().into());
    }
    if config.private {
        table.insert("private".to_owned(), true.into());
    }
    table
}

fn link(link: &Link) -> Value {
    let mut table = Table::from_iter([("path".to_owned(), Value::from(link.path.as_str()))]);
    if !link.title.is_empty() {
        table.insert("title".to_owned(), link.title.as_str().into());
    }
    if link.is_relative {
        table.insert("is_relative".to_owned(), true.into());
    }
    table.into()
}

/// `"5m"`, `"90s"`, `"1500ms"`, `"0.0000005s"`.
fn duration(duration: &Duration) -> String {
    let (seconds, nanos) = (duration.seconds, duration.nanos);
    match (seconds, nanos) {
        (0, 0) => "0s".to_owned(),
        (seconds, 0) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (seconds, 0) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, nanos) if seconds >= 0 && nanos > 0 && nanos % 1_000_000 == 0 => {
            format!("{}ms", i128::from(seconds) * 1000 + i128::from(nanos / 1_000_000))
        }
        // Below zero the manifest refuses it.
        (seconds, nanos) => format!("{seconds}.{:09}s", nanos.unsigned_abs()),
    }
}

/// `${` begins a variable of the manifest.
fn escape(table: &mut Table) {
    fn value(node: &mut Value) {
        match node {
            Value::String(text) if text.contains("${") => *text = text.replace("${", "$${"),
            Value::Array(items) => items.iter_mut().for_each(value),
            Value::Table(inner) => escape(inner),
            _ => {}
        }
    }
    for (_, node) in table.iter_mut() {
        value(node);
    }
}
